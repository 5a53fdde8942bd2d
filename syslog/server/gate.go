package server

import (
	"net"
	"net/netip"
	"sync"
)

// gate knows the open connections and keeps them within the limits.
type gate struct {
	mu       sync.Mutex
	open     map[net.Conn]struct{}
	bySource map[netip.Addr]int
}

// enter lets c in, or says why not.
func (g *gate) enter(c net.Conn, source netip.Addr, p *policy) (reason, bool) {
	if !p.allows(source) {
		return refusedSource, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case len(g.open) >= p.limits.Connections:
		return refusedConnections, false
	case g.bySource[source] >= p.limits.ConnectionsPerSource:
		return refusedPerSource, false
	}
	if g.open == nil {
		g.open = make(map[net.Conn]struct{})
	}
	g.open[c] = struct{}{}
	g.bySource[source]++
	return 0, true
}

func (g *gate) leave(c net.Conn, source netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, c)
	if g.bySource[source]--; g.bySource[source] == 0 {
		delete(g.bySource, source)
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
	for c := range g.open {
		f(c)
	}
}
