package event

import (
	"slices"
	"strings"
)

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
