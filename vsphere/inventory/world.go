package inventory

import (
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/event"
)

// world is a world id that a VM has on a host. vCenter does not know them:
// they are learned from log lines that say both.
type world struct {
	host, id string
	key      key
	from     int64
}

// maxWorlds bounds the worlds of one VM. There is one for each virtual CPU, and
// lines name the first.
const maxWorlds = 16

// maxWorldID is more digits than a world id has.
const maxWorldID = 20

// worldKey is the key of a world id, which is unique on one host until that
// boots.
func (h *hasher) worldKey(host, id string) (key, bool) {
	at, w := h.folded(host, kindWorld), h.folded(id, kindWorld)
	return key{w.hi ^ at.hi, w.lo ^ bits.RotateLeft64(at.lo, 17), kindWorld}, host != "" && id != "" && len(id) <= maxWorldID
}

// tryWorld looks for the VM that has a world on the device.
func (l *look) tryWorld(id string) {
	if l.self == nil || l.moves {
		return
	}
	k, ok := l.inv.index.hash.worldKey(l.self.Name, id)
	l.try(k, ok, event.ViaWorld)
}

// learn remembers which VM a world id is, when the event says both: the id and
// a name or UUID that means one VM. A host that sends a VM to another host
// says what its id will be there.
func (l *look) learn(ev *event.Event) {
	if l.self == nil || l.self.IsVCenter {
		return
	}
	src := &ev.Src.Context
	if src.VM != nil && ev.Src.World != "" && (src.Via == event.ViaName || src.Via == event.ViaNSXUUID) {
		l.inv.teach(l.self, ev.Src.World, src.VM, l.at)
	}
	to := l.hostAt(ev.Dst.IP)
	if !l.moves || to == nil {
		return
	}
	k, ok := l.inv.index.hash.worldKey(l.self.Name, ev.Src.World)
	if e := l.inv.index.find(k); ok && e != nil {
		if vm, _ := l.pick(e); vm != nil {
			l.inv.teach(to, ev.Dst.World, &vm.VM, l.at)
		}
	}
}

// teach says that vm has that world on a host from a time on. What is known
// already takes no lock.
func (inv *Inventory) teach(on *hostState, id string, vm *event.VM, at int64) {
	k, ok := inv.index.hash.worldKey(on.Name, id)
	if !ok || on.VCenter != vm.VCenter || inv.index.has(k, vm) {
		return
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	s := inv.sourceNamed(vm.VCenter)
	if s == nil || s.vms[vm.MoRef] == nil || s.vms[vm.MoRef].state == nil {
		return
	}
	if now := inv.now().UnixNano(); at > now { // an event without a time
		at = now
	}
	inv.taught++
	inv.changed = true
	inv.endWorld(k, at)
	s.vms[vm.MoRef].addWorld(inv, world{strings.Clone(on.Name), strings.Clone(id), k, at})
}

// has says that an open claim to k is vm's.
func (x *index) has(k key, vm *event.VM) bool {
	e := x.find(k)
	if e == nil {
		return false
	}
	is := func(c claim) bool { return c.open() && c.vm.MoRef == vm.MoRef && c.vm.VCenter == vm.VCenter }
	if e.many == nil {
		return is(e.only)
	}
	return slices.ContainsFunc(e.many.claims, is)
}

// endWorld ends what others claim of k: the id was given anew.
func (inv *Inventory) endWorld(k key, at int64) {
	e := inv.index.find(k)
	if e == nil {
		return
	}
	claims := []claim{e.only}
	if e.many != nil {
		claims = slices.Clone(e.many.claims)
	}
	for _, c := range claims {
		if c.open() {
			c.vm.obj.endWorlds(inv, at, func(w *world) bool { return w.key == k })
		}
	}
}

func (o *vmObject) addWorld(inv *Inventory, w world) {
	if len(o.worlds) >= maxWorlds {
		first := o.worlds[0].key
		o.endWorlds(inv, w.from, func(w *world) bool { return w.key == first })
	}
	o.worlds = append(o.worlds, w)
	inv.worlds++
	inv.index.put(w.key, o.state, w.from)
}

// endWorlds ends the worlds that over says are.
func (o *vmObject) endWorlds(inv *Inventory, at int64, over func(*world) bool) {
	var ended []key
	o.worlds = slices.DeleteFunc(o.worlds, func(w world) bool {
		if !over(&w) {
			return false
		}
		ended = append(ended, w.key)
		return true
	})
	inv.worlds -= len(ended)
	inv.end(o, ended, at)
}

// keepWorlds lets o's worlds go on with its next state: those on a host that
// the VM has left end, and all of one that is off.
func (o *vmObject) keepWorlds(inv *Inventory, next *vmState, since, at int64) {
	if len(o.worlds) == 0 {
		return
	}
	old := o.state
	switch {
	case !next.PoweredOn && old.PoweredOn:
		o.endWorlds(inv, at, func(*world) bool { return true })
	case next.Host != old.Host:
		o.endWorlds(inv, at, func(w *world) bool { return w.host != next.Host })
	}
	for _, w := range o.worlds {
		inv.index.put(w.key, next, since)
	}
}

// fileWorld is a world in the snapshot.
type fileWorld struct {
	Host string    `json:"host"`
	ID   string    `json:"id"`
	From time.Time `json:"from,omitzero"`
}

func (o *vmObject) fileWorlds() (out []fileWorld) {
	for _, w := range o.worlds {
		out = append(out, fileWorld{w.host, w.id, stamp(w.from)})
	}
	return out
}

func (o *vmObject) loadWorlds(inv *Inventory, list []fileWorld) {
	for _, f := range list[:min(len(list), maxWorlds)] {
		if k, ok := inv.index.hash.worldKey(f.Host, f.ID); ok {
			from := int64(always)
			if !f.From.IsZero() {
				from = f.From.UnixNano()
			}
			o.addWorld(inv, world{f.Host, f.ID, k, from})
		}
	}
}
