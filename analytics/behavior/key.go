package behavior

import (
	"math/bits"
	"net/netip"

	"github.com/vegress/vegress/event"
)

// digest hashes the parts of a key, eight bytes at a time: each word is mixed
// in by the two halves of a 128 bit product. It depends on nothing but its seed
// and the parts, so that state can be saved and a replay repeats itself; who
// does not know the seed cannot make keys meet.
type digest uint64

// Odd constants without pattern: the fractions of the square roots of 2 and 3.
const (
	mixA = 0x6a09e667f3bcc909
	mixB = 0xbb67ae8584caa73b
)

func (d digest) word(w uint64) digest {
	hi, lo := bits.Mul64(uint64(d)^w^mixA, w^mixB)
	return digest(hi ^ lo ^ uint64(d))
}

// text mixes in s, with capitals of ASCII as small letters.
func (d digest) text(s string) digest {
	n := uint64(len(s))
	for len(s) >= 8 {
		d = d.word(lower(uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56))
		s = s[8:]
	}
	var w uint64
	for i := range len(s) {
		w |= uint64(s[i]) << (8 * i)
	}
	return d.word(lower(w)).word(n)
}

// lower makes the capitals among eight bytes small, all at once.
func lower(w uint64) uint64 {
	const ones = 0x0101010101010101
	low := w &^ (0x80 * ones)
	fromA := low + (0x80-'A')*ones
	afterZ := low + (0x80-'Z'-1)*ones
	capital := (fromA &^ afterZ) &^ w & (0x80 * ones)
	return w | capital>>2
}

func (d digest) addr(a netip.Addr) digest {
	b := a.As16()
	var hi, lo uint64
	for i := range 8 {
		hi, lo = hi<<8|uint64(b[i]), lo<<8|uint64(b[8+i])
	}
	return d.word(hi).word(lo)
}

// keys are what an event is about, hashed.
type keys struct {
	source      uint64 // the machine
	process     uint64 // 0: not known
	destination uint64
	pair        uint64
}

func (d *Detector) keysOf(ev *event.Event) (k keys) {
	seed := digest(d.seed)
	var buffer [128]byte
	entity := ev.AppendEntity(buffer[:0])
	k.source = uint64(seed.bytes(entity))
	name := processName(&ev.Process)
	if name != "" {
		k.process = uint64(seed.text(name).word(1))
	}
	if host := hostOf(ev); host != "" {
		k.destination = uint64(seed.text(host).word(2))
	} else {
		k.destination = uint64(seed.addr(ev.Dst.IP.Unmap()).word(3))
	}
	k.pair = uint64(digest(k.source).word(k.process).word(k.destination))
	return k
}

func (d digest) bytes(b []byte) digest {
	n := uint64(len(b))
	for len(b) >= 8 {
		d = d.word(uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56)
		b = b[8:]
	}
	var w uint64
	for i := range len(b) {
		w |= uint64(b[i]) << (8 * i)
	}
	return d.word(w).word(n)
}

// processName is the path of the program, else its name; empty: not known.
func processName(p *event.Process) string {
	if p.Path != "" {
		return p.Path
	}
	return p.Name
}

// viaShared marks names that any resolver's line can teach, a forged one too:
// pairs are not told apart by them.
const viaShared = "dns_shared"

// hostOf is the name of the destination; empty: only its address is known.
func hostOf(ev *event.Event) string {
	host := ev.Dst.Hostname
	if ev.Dst.NameVia == viaShared && ev.Dst.IP.IsValid() {
		host = ""
	}
	if host == "" {
		host = event.URLHost(ev.URL)
	}
	if n := len(host); n > 0 && host[n-1] == '.' {
		host = host[:n-1]
	}
	return host
}
