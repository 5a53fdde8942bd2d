package server

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
)

// gate knows the open connections and keeps them within the limits.
type gate struct {
	mu       sync.Mutex
	open     map[*visit]struct{}
	silent   list.List // the visits without a record so far, the longest first
	bySource map[netip.Addr]int
}

// visit is a connection that was let in. Its members but conn are the gate's.
type visit struct {
	conn   net.Conn
	source netip.Addr
	silent *list.Element // nil: it brought a record
}

// sourceOf is what the connections of addr are counted by. Whoever has one
// IPv6 address has all of its /64.
func sourceOf(addr netip.Addr) netip.Addr {
	if !addr.Is6() {
		return addr
	}
	return netip.PrefixFrom(addr.WithZone(""), 64).Masked().Addr()
}

// enter lets c in, or says why not. At the limit in all, the connection that
// is silent for longest makes room, and is returned for the caller to close.
func (g *gate) enter(c net.Conn, addr netip.Addr, p *policy) (v *visit, displaced net.Conn, why reason) {
	if !p.allows(addr) {
		return nil, nil, refusedSource
	}
	source := sourceOf(addr)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.bySource[source] >= p.limits.ConnectionsPerSource {
		return nil, nil, refusedPerSource
	}
	if len(g.open) >= p.limits.Connections {
		longest := g.silent.Front()
		if longest == nil {
			return nil, nil, refusedConnections
		}
		old := longest.Value.(*visit)
		g.forget(old)
		displaced = old.conn
	}
	v = &visit{conn: c, source: source}
	v.silent = g.silent.PushBack(v)
	g.open[v] = struct{}{}
	g.bySource[source]++
	return v, displaced, 0
}

// spoke notes that v brought its first record.
func (g *gate) spoke(v *visit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hear(v)
}

func (g *gate) hear(v *visit) {
	if v.silent != nil {
		g.silent.Remove(v.silent)
		v.silent = nil
	}
}

func (g *gate) leave(v *visit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forget(v)
}

// forget takes v out, unless it was displaced before.
func (g *gate) forget(v *visit) {
	if _, ok := g.open[v]; !ok {
		return
	}
	g.hear(v)
	delete(g.open, v)
	if g.bySource[v.source]--; g.bySource[v.source] == 0 {
		delete(g.bySource, v.source)
	}
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.open)
}

func (g *gate) each(f func(net.Conn)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for v := range g.open {
		f(v.conn)
	}
}
