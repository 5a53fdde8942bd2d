package event

import (
	"net/netip"
	"strings"
)

// Entity is who acts in an event, as a comparable key: a flow's source, a DNS
// query's client, a process's device; never the sender of the log.
type Entity struct {
	Key  string     // "vm:<vcenter>/<instance_uuid>" or "host:<name>"; empty for an address
	Addr netip.Addr // only when Key is empty
}

// How an entity's wire form begins, and what stands for none.
const (
	hostPrefix = "host:"
	addrPrefix = "addr:"
	noEntity   = "none"
)

// String is the entity's wire form: "vm:...", "host:..." or "addr:...".
func (n Entity) String() string {
	if n.Key != "" {
		return n.Key
	}
	if n.Addr.IsValid() {
		return addrPrefix + n.Addr.String()
	}
	return noEntity
}

// ParseEntity is the inverse of Entity.String.
func ParseEntity(s string) Entity {
	if text, ok := strings.CutPrefix(s, addrPrefix); ok {
		if addr, err := netip.ParseAddr(text); err == nil {
			return Entity{Addr: addr}
		}
	}
	if s == noEntity {
		return Entity{}
	}
	return Entity{Key: s}
}

// Entity is who acts in e. For network, HTTP, DNS and SSH activity that is
// the source: its VM, else its host, else its address (without a zone); when
// the source is not known, or is the machine that reports, then that machine.
// For all other classes it is the machine that reports: its VM, where Src is
// that machine itself, as a sensor in a guest has it. It allocates only where a
// host is not in the inventory.
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
	if e.Device.Host == nil && e.Device.is(&e.Src) {
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
	case ofMachine(src.IP):
		return actor{addr: plainAddr(src.IP)}
	case src.Hostname != "":
		return actor{host: src.Hostname}
	}
	return e.Device.actor()
}

// is says that p is the device itself, as the address of every machine for
// itself is.
func (d *Device) is(p *Endpoint) bool {
	if p.IP.IsLoopback() {
		return true
	}
	if ofMachine(p.IP) {
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

// ofMachine says that an address is that of a machine: 0.0.0.0 and :: are none.
func ofMachine(ip netip.Addr) bool { return ip.IsValid() && !ip.Unmap().IsUnspecified() }

// plainAddr is one address for all the ways to write it.
func plainAddr(ip netip.Addr) netip.Addr { return ip.Unmap().WithZone("") }
