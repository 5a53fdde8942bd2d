package inventory

import (
	"math/bits"
	"net/netip"
	"strings"
)

// hostTable finds ESXi hosts and vCenters by address and name. It never
// changes: hosts are few, so every change makes a new one.
type hostTable struct {
	hash    *hasher
	buckets []*hostEntry
}

// hostEntry is all hosts that have a key.
type hostEntry struct {
	key  key
	list []*hostState
	next *hostEntry
}

// newHostTable makes room for n hosts, each with a few keys: much room, since
// most look-ups find nothing and should end at an empty bucket.
func newHostTable(hash *hasher, n int) *hostTable {
	return &hostTable{hash: hash, buckets: make([]*hostEntry, 1<<bits.Len(uint(16*n)))}
}

func (t *hostTable) place(k key) **hostEntry {
	return &t.buckets[t.hash.slot(k)&uint64(len(t.buckets)-1)]
}

// find gives the hosts that have k.
func (t *hostTable) find(k key) []*hostState {
	for e := *t.place(k); e != nil; e = e.next {
		if e.key == k {
			return e.list
		}
	}
	return nil
}

func (t *hostTable) put(k key, h *hostState) {
	head := t.place(k)
	for e := *head; e != nil; e = e.next {
		if e.key == k {
			e.list = append(e.list, h)
			return
		}
	}
	*head = &hostEntry{k, []*hostState{h}, *head}
}

// add lists a host under its addresses, its names and, of those that are not
// an address, the short names.
func (t *hostTable) add(h *hostState) {
	for _, a := range h.ips {
		t.put(ipKey(a), h)
	}
	t.addName(h.Name, h)
	if h.alias != "" && !strings.EqualFold(h.alias, h.Name) {
		t.addName(h.alias, h)
	}
}

func (t *hostTable) addName(name string, h *hostState) {
	if a, err := netip.ParseAddr(name); err == nil {
		if a, ok := usable(name); ok {
			t.put(ipKey(a), h)
		}
		t.put(t.hash.folded(a.String(), kindName), h)
		return
	}
	short := shortName(name)
	if short == "" || short == "localhost" {
		return
	}
	t.put(t.hash.folded(name, kindName), h)
	if short != name {
		t.put(t.hash.folded(short, kindName), h)
	}
}

// hostKey is the entity of a host of that name.
func hostKey(name string) string { return "host:" + strings.ToLower(name) }

// shortName is the host part of a DNS name.
func shortName(name string) string {
	short, _, _ := strings.Cut(name, ".")
	return short
}

// publishHosts makes the table of hosts anew.
func (inv *Inventory) publishHosts() {
	n := 0
	for _, s := range inv.sources {
		n += len(s.hosts) + 1
	}
	t := newHostTable(&inv.index.hash, n)
	for _, s := range inv.sources {
		for _, h := range s.hosts {
			if h.state != nil {
				t.add(h.state)
			}
		}
		if vc := s.vcenter(); vc != nil {
			t.add(vc)
		}
	}
	inv.hosts.Store(t)
}
