package event

import (
	"net/netip"
	"slices"
	"strings"
)

// Entity is who acts in e. For network, HTTP, DNS and SSH activity that is
// the source: its VM, else its host, else its address (without a zone); when
// the source is not known, or is the machine that reports, then that machine.
// For all other classes it is the machine that reports. It allocates only
// where a host is not in the inventory.
func (e *Event) Entity() Entity { return e.actor().entity() }

// AppendEntity appends the wire form of e's Entity to dst, as Entity.String
// gives it, and returns the extended buffer.
func (e *Event) AppendEntity(dst []byte) []byte { return e.actor().append(dst) }

// actor is an Entity whose text is not made yet: a key, or else a host's name,
// or else an address.
type actor struct {
	key, host string
	addr      netip.Addr
}

func (a actor) entity() Entity {
	if a.host != "" {
		return Entity{Key: hostPrefix + strings.ToLower(a.host)}
	}
	return Entity{Key: a.key, Addr: a.addr}
}

func (a actor) append(dst []byte) []byte {
	switch {
	case a.key != "":
		return append(dst, a.key...)
	case a.host != "":
		return append(append(dst, hostPrefix...), strings.ToLower(a.host)...)
	case a.addr.IsValid():
		return a.addr.AppendTo(append(dst, addrPrefix...))
	}
	return append(dst, noEntity...)
}

func (e *Event) actor() actor {
	switch e.Class {
	case NetworkActivity, HTTPActivity, DNSActivity, SSHActivity:
		return e.source()
	}
	return e.Device.actor()
}

func (e *Event) source() actor {
	src := &e.Src
	switch {
	case src.Context.VM != nil && src.Context.VM.Key != "":
		return actor{key: src.Context.VM.Key}
	case src.Context.Host != nil:
		return src.Context.Host.actor()
	case e.Device.is(src):
		return e.Device.actor()
	case src.IP.IsValid():
		return actor{addr: plainAddr(src.IP)}
	case src.Hostname != "":
		return actor{host: src.Hostname}
	}
	return e.Device.actor()
}

// is says that p is the device itself.
func (d *Device) is(p *Endpoint) bool {
	if p.IP.IsValid() {
		return p.IP == d.IP
	}
	return p.Hostname != "" && strings.EqualFold(p.Hostname, d.Hostname)
}

func (d *Device) actor() actor {
	switch {
	case d.Host != nil:
		return d.Host.actor()
	case d.Hostname != "":
		return actor{host: d.Hostname}
	}
	return actor{addr: plainAddr(d.IP)}
}

func (h *Host) actor() actor {
	if h.Key != "" {
		return actor{key: h.Key}
	}
	return actor{host: h.Name}
}

// plainAddr is one address for all the ways to write it.
func plainAddr(ip netip.Addr) netip.Addr { return ip.Unmap().WithZone("") }

// Clone is a copy of e that shares no memory with the batch that brought e.
// The inventory's objects, which never change, are shared.
func (e *Event) Clone() Event {
	c := *e
	own(&c.OriginalTime, &c.UID, &c.LogName, &c.Message, &c.Raw, &c.URL,
		&c.Session, &c.Service, &c.Operation, &c.Resource,
		&c.HTTP.Method, &c.HTTP.Version, &c.HTTP.UserAgent,
		&c.DNS.Query, &c.DNS.Type, &c.DNS.RCode,
		&c.User.Name, &c.User.Domain, &c.User.UID,
		&c.File.Name, &c.File.Path, &c.Device.Hostname, &c.Justification.By)
	c.Src, c.Dst = e.Src.Clone(), e.Dst.Clone()
	c.Process = e.Process.clone(maxParents)
	c.DNS.Answers = slices.Clone(e.DNS.Answers)
	c.Justification.Evidence = ownAll(e.Justification.Evidence)
	c.Fields = slices.Clone(e.Fields)
	for i := range c.Fields {
		own(&c.Fields[i].Value)
	}
	return c
}

// Clone is a copy of p that shares no memory with the event that p is in. The
// inventory's objects, which never change, are shared.
func (p *Endpoint) Clone() Endpoint {
	c := *p
	own(&c.Hostname, &c.MAC, &c.VIF, &c.Switch, &c.SwitchPort, &c.World, &c.VMName, &c.VMUUID,
		&c.Service, &c.Category, &c.NameVia)
	c.Context.Candidates = slices.Clone(p.Context.Candidates)
	return c
}

// clone copies p and its ancestors, at most depth of them.
func (p *Process) clone(depth int) Process {
	c := *p
	own(&c.Name, &c.Path, &c.CmdLine, &c.UID)
	c.Parent = nil
	if p.Parent != nil && depth > 0 {
		parent := p.Parent.clone(depth - 1)
		c.Parent = &parent
	}
	return c
}

func own(list ...*string) {
	for _, s := range list {
		*s = strings.Clone(*s)
	}
}

func ownAll(list []string) []string {
	list = slices.Clone(list)
	for i := range list {
		own(&list[i])
	}
	return list
}
