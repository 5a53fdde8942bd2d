package inventory

import "sync/atomic"

// past is a VM as it was on the host before. It is let go after the retention
// time, as claims are.
type past struct{ vm atomic.Pointer[vmState] }

// maxPast bounds the hosts that are remembered of one VM.
const maxPast = 16

// succeed puts v in the place of old: on the same host, it has the same past; on
// another one, old is its past.
func (inv *Inventory) succeed(v, old *vmState, since int64) {
	v.hostSince = since
	switch {
	case old == nil:
		return
	case old.Host == v.Host:
		v.hostSince, v.before = old.hostSince, old.before
		return
	}
	v.before = new(past)
	v.before.vm.Store(old)
	old.cutPast(maxPast - 1)
	inv.bury(grave{obj: v.obj, past: v.before, at: since})
	if since > inv.moved.Load() {
		inv.moved.Store(since)
	}
}

// cutPast lets go of what is further back than n hosts.
func (v *vmState) cutPast(n int) {
	for ; v != nil && v.before != nil; n-- {
		if n == 0 {
			v.before.vm.Store(nil)
			return
		}
		v = v.before.vm.Load()
	}
}

// late says that at the event's time some VM may have been on another host
// than now.
func (l *look) late() bool { return l.at < l.inv.moved.Load()+lateGrace }

// asOf is the VM as it was at the event's time: on the host of that time.
// Inventory and hosts notice a vMotion at different moments: near it, a host
// that writes about the VM has it.
func (l *look) asOf(v *vmState) *vmState {
	if !l.late() {
		return v
	}
	covering := v
	for s, until := v, int64(forever); s != nil; s, until = s.previous(), s.hostSince {
		near := l.at+earlyGrace >= s.hostSince && l.at-lateGrace <= until
		if near && l.self != nil && onHost(&s.VM, &l.self.Host) {
			return s
		}
		if until > l.at {
			covering = s
		}
	}
	return covering
}

func (v *vmState) previous() *vmState {
	if v.before == nil {
		return nil
	}
	return v.before.vm.Load()
}
