package analytics

import (
	"math/bits"
	"net/netip"
)

// Digest hashes the parts of a key, eight bytes at a time: each word is mixed
// in by the two halves of a 128 bit product. It depends on nothing but its seed
// and the parts, so that state can be saved and a replay repeats itself; who
// does not know the seed cannot make keys meet.
type Digest uint64

// Odd constants without pattern: the fractions of the square roots of 2 and 3.
const (
	mixA = 0x6a09e667f3bcc909
	mixB = 0xbb67ae8584caa73b
)

// Word mixes in eight bytes.
func (d Digest) Word(w uint64) Digest {
	hi, lo := bits.Mul64(uint64(d)^w^mixA, w^mixB)
	return Digest(hi ^ lo ^ uint64(d))
}

// Text mixes in s, with capitals of ASCII as small letters.
func (d Digest) Text(s string) Digest {
	n := uint64(len(s))
	for len(s) >= 8 {
		d = d.Word(lower(uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56))
		s = s[8:]
	}
	var w uint64
	for i := range len(s) {
		w |= uint64(s[i]) << (8 * i)
	}
	return d.Word(lower(w)).Word(n)
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

// Addr mixes in an address.
func (d Digest) Addr(a netip.Addr) Digest {
	b := a.As16()
	var hi, lo uint64
	for i := range 8 {
		hi, lo = hi<<8|uint64(b[i]), lo<<8|uint64(b[8+i])
	}
	return d.Word(hi).Word(lo)
}

// Bytes mixes in b as it is.
func (d Digest) Bytes(b []byte) Digest {
	n := uint64(len(b))
	for len(b) >= 8 {
		d = d.Word(uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56)
		b = b[8:]
	}
	var w uint64
	for i := range len(b) {
		w |= uint64(b[i]) << (8 * i)
	}
	return d.Word(w).Word(n)
}
