package ipfix

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"time"
)

// twins remembers flows for their second report: a switch exports a flow once
// for each pair of ports that it went through, with the same times and counts.
// The two reports follow each other. What is remembered is a keyed hash of 64
// bits, of the flows of one or two turns.
type twins struct {
	now, before map[uint64]struct{}
	seed        maphash.Seed
	turned      time.Time
	key         []byte
}

// turn is how long a turn lasts at most; at maxTwins flows it ends earlier.
const turn = 30 * time.Second

func (t *twins) init() {
	t.now, t.before = make(map[uint64]struct{}), make(map[uint64]struct{})
	t.seed = maphash.MakeSeed()
}

// turn begins a new turn where it is time.
func (t *twins) turn(now time.Time) {
	if now.Sub(t.turned) >= turn {
		t.flip(now)
	}
}

func (t *twins) flip(now time.Time) {
	t.now, t.before, t.turned = t.before, t.now, now
	clear(t.now)
}

// seen says that this flow was reported before, and remembers it. A flow
// without times is never the same as another.
func (t *twins) seen(s *session, f *seen) bool {
	if f.start.raw == 0 && f.end.raw == 0 {
		return false
	}
	h := maphash.Bytes(t.seed, t.appendKey(t.key[:0], s, f))
	if _, ok := t.now[h]; ok {
		return true
	}
	if _, ok := t.before[h]; ok {
		return true
	}
	if len(t.now) >= maxTwins {
		t.flip(t.turned)
	}
	t.now[h] = struct{}{}
	return false
}

// appendKey is everything that two reports of a flow have in common: all but
// the ports of the switch and what belongs to them.
func (t *twins) appendKey(b []byte, s *session, f *seen) []byte {
	b = binary.LittleEndian.AppendUint64(b, s.id)
	for _, p := range [...]*end{&f.src, &f.dst, &f.outerSrc, &f.outerDst} {
		b = appendAddr(b, p.ip)
		b = append(b, p.mac...)
		b = binary.LittleEndian.AppendUint16(b, p.port)
	}
	for _, n := range [...]uint64{
		f.start.raw, f.end.raw, f.bytes, f.packets, f.reverseBytes, f.reversePackets, f.segment, f.flowID, uint64(f.rule),
	} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	b = append(b, f.protocol, f.flags, f.tos, f.endReason, f.firewallEvent, f.icmpType, f.icmpCode, f.firewallDirection)
	b = append(b, f.vmUUID...)
	b = append(b, f.vif...)
	t.key = b
	return b
}

func appendAddr(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(b, 0)
	}
	whole := a.As16()
	return append(b, whole[:]...)
}
