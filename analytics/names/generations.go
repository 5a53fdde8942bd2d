package names

import "net/netip"

// generations is a map of bounded size in two halves: what was not used while
// the young half filled up falls off. The halves are made at first use.
type generations struct {
	young, old map[netip.Addr]name
	half       int
	forgotten  int64
}

func newGenerations(bound int) generations { return generations{half: max(bound/2, 1)} }

func (g *generations) get(a netip.Addr) (name, bool) {
	if v, ok := g.young[a]; ok {
		return v, true
	}
	v, ok := g.old[a]
	if ok {
		g.put(a, v)
	}
	return v, ok
}

// put sets the name of a.
func (g *generations) put(a netip.Addr, v name) {
	if g.young == nil {
		g.young = make(map[netip.Addr]name, 1)
	}
	delete(g.old, a)
	if len(g.young) >= g.half {
		if _, ok := g.young[a]; !ok {
			g.turn()
		}
	}
	g.young[a] = v
}

func (g *generations) turn() {
	g.forgotten += int64(len(g.old))
	clear(g.old)
	g.young, g.old = g.old, g.young
	if g.young == nil {
		g.young = make(map[netip.Addr]name, g.half)
	}
}

func (g *generations) len() int { return len(g.young) + len(g.old) }

// takeForgotten gives how many fell off since it was last called.
func (g *generations) takeForgotten() int64 {
	n := g.forgotten
	g.forgotten = 0
	return n
}
