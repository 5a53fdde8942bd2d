package apiuse

import (
	"net/netip"
	"strings"

	"github.com/vegress/vegress/event"
)

// triple is who uses an API, with what, from where.
type triple struct {
	account account
	agent   string // the client, without its versions
	addr    netip.Addr
}

func (t triple) String() string {
	return t.account.String() + " with " + t.client() + " from " + t.addr.String()
}

func (t triple) client() string {
	if t.agent == "" {
		return "an unnamed client"
	}
	return t.agent
}

// agentOf is a client's name without what changes with each update of it: its
// digits. "PowerCLI/13.2.1.22851661" is "PowerCLI/".
func agentOf(s string) string {
	s = bound(s)
	if !strings.ContainsAny(s, "0123456789") {
		return strings.Clone(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	last := byte(0)
	for i := range len(s) {
		c := s[i]
		if c-'0' <= 9 || c == '.' && last == '0' {
			last = '0'
			continue
		}
		b.WriteByte(c)
		last = c
	}
	return strings.TrimRight(b.String(), "/ ")
}

// placeOf is the address by which a triple is known: of IPv6 its network, in
// which a machine changes its address daily (RFC 8981).
func placeOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() && !a.IsLoopback() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// deviceOf names the machine whose API it is.
func deviceOf(ev *event.Event) string {
	if ev.Device.Host != nil {
		return ev.Device.Host.Name
	}
	return ev.Device.Hostname
}
