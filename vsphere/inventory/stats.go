package inventory

import (
	"slices"
	"time"

	"github.com/vegress/vegress/event"
)

// Stats is what an inventory counts. Counters only grow.
type Stats struct {
	VCenters []VCenterStats // in the order of the configuration

	// Endpoints by how they were resolved. Missed are those that nothing is
	// known of, external addresses among them.
	Hits      map[event.Via]uint64
	Hosts     uint64
	Ambiguous uint64
	Missed    uint64
	// Contradicted are ports of a switch whose VM is not the one that has the
	// address.
	Contradicted uint64

	Keys           int // that VMs are found by
	Worlds         int // world ids among them, learned from logs
	WorldsLearned  int // ever
	Tombstones     int // ended claims that are kept for late logs
	Buried         int // tombstones given up before their time, because they were too many
	Crowded        int // claims not kept because 64 VMs have the same key
	SnapshotErrors uint64
}

// VCenterStats is what is counted for one vCenter.
type VCenterStats struct {
	Name      string
	State     event.State
	Age       time.Duration // of what is known; 0 with StateNever
	Connected bool
	VMs       int
	Hosts     int

	Syncs         uint64 // full reads that completed
	Updates       uint64 // objects that came, in full reads and after
	Failures      uint64 // connections that failed or broke
	LoginsRefused uint64
	TagFailures   uint64
	SweepsRefused uint64
	Missing       int    // VMs kept though the last sync did not see them
	Dropped       uint64 // addresses, adapters and attributes beyond the bounds

	MissingPrivileges []string // "System.Read on group-d1 (root folder)"
	LastError         string   // why it is away; empty: it is not
}

// Stats gives the counters and states of this moment.
func (inv *Inventory) Stats() Stats {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	st := Stats{
		Hits: map[event.Via]uint64{}, Hosts: inv.host.Load(), Ambiguous: inv.unclear.Load(), Missed: inv.missed.Load(),
		Contradicted: inv.contradicted.Load(),
		Keys:         inv.index.entries, Worlds: inv.worlds, WorldsLearned: inv.taught, Tombstones: len(inv.graves), Buried: inv.buried,
		Crowded: inv.index.crowded, SnapshotErrors: inv.saveErr,
	}
	for via := range inv.hits {
		if n := inv.hits[via].Load(); n > 0 {
			st.Hits[event.Via(via)] = n
		}
	}
	for _, s := range inv.sources {
		v := s.stats
		v.State, v.Age = unpack(s.fresh.Load())
		v.Connected, v.VMs, v.Hosts = s.connected, len(s.vms), len(s.hosts)
		v.MissingPrivileges = slices.Clone(v.MissingPrivileges)
		st.VCenters = append(st.VCenters, v)
	}
	return st
}
