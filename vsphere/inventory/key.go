package inventory

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"strings"
)

// kind says what a key is a key of.
type kind uint8

const (
	kindUUID     kind = iota + 1 // instance or BIOS UUID
	kindVIF                      // last eight hex digits of an NSX VIF id
	kindPort                     // port of a Distributed Switch
	kindHostPort                 // port of some Distributed Switch of a host
	kindMAC                      // of a virtual NIC
	kindWorld                    // of a VM on one host
	kindIP                       // that VMware Tools reports
	kindName                     // of the VM in vCenter
	kindGuest                    // host name that VMware Tools reports
	kindPath                     // of the .vmx file within its datastore
)

// key is anything a VM is found by. Addresses, UUIDs, MACs and VIF suffixes
// are in it as they are; names and ports as a seeded 128-bit hash, so that a
// key never holds on to a log line's memory and comparing costs the same for
// all.
type key struct {
	hi, lo uint64
	kind   kind
}

// hasher turns text into keys and keys into places. Its seed is the process's
// own: who controls names and addresses cannot aim at collisions.
type hasher struct{ a, b uint64 }

func newHasher() hasher { return hasher{rand.Uint64(), rand.Uint64() | 1} }

// Odd constants without structure, as in wyhash (github.com/wangyi-fudan/wyhash).
const (
	mixA = 0xa0761d6478bd642f
	mixB = 0xe7037ed1a0b428db
)

// slot is the place of a key in a table.
func (h *hasher) slot(k key) uint64 {
	hi, lo := bits.Mul64(k.hi^h.a, k.lo^h.b^uint64(k.kind)<<56)
	hi, lo = bits.Mul64(hi^lo^k.lo, mixB)
	return hi ^ lo
}

// ipKey is the key of an address; IPv4 and the same mapped into IPv6 are one.
func ipKey(a netip.Addr) key {
	b := a.As16()
	return key{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]), kindIP}
}

// maxFold bounds the part of a name that counts. vCenter's names have at most
// 80 characters, DNS names 253.
const maxFold = 256

// folded is the key of a name in which case does not count. It reads eight
// bytes at a time, because every log line's host name comes through here.
func (h *hasher) folded(s string, k kind) key {
	s = s[:min(len(s), maxFold)]
	out := key{h.a ^ uint64(len(s)), h.b, k}
	for i := 0; i < len(s); i += 8 {
		w := word(s, i)
		if w&(0x80*ones) != 0 {
			return h.foldedSlow(s, k)
		}
		out.add(lower(w))
	}
	return out
}

// foldedSlow is folded for names beyond ASCII.
func (h *hasher) foldedSlow(s string, k kind) key {
	s = strings.ToLower(s)
	out := key{h.b ^ uint64(len(s)), h.a, k}
	for i := 0; i < len(s); i += 8 {
		out.add(word(s, i))
	}
	return out
}

// add mixes eight bytes in.
func (k *key) add(w uint64) {
	hi, lo := bits.Mul64(k.hi^w^mixA, k.lo^mixB)
	hi2, lo2 := bits.Mul64(k.lo^w^mixB, k.hi|1)
	k.hi, k.lo = hi^lo2, lo^hi2
}

// word is up to eight bytes of s from i on, the missing ones zero.
func word(s string, i int) uint64 {
	if i+8 <= len(s) {
		s = s[i : i+8]
		return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	}
	var w uint64
	for j := len(s) - 1; j >= i; j-- {
		w = w<<8 | uint64(s[j])
	}
	return w
}

const ones = 0x0101010101010101

// lower turns the capitals among eight ASCII bytes into small letters: a byte
// from 'A' on carries into its top bit in the first sum, one beyond 'Z' in the
// second.
func lower(w uint64) uint64 {
	fromA, beyondZ := w+(0x80-'A')*ones, w+(0x7f-'Z')*ones
	return w | (fromA^beyondZ)&(0x80*ones)>>2
}

// portKey is the key of a Distributed Switch's port. Port keys are unique only
// within a switch, whose UUID logs and API write differently: "50 2c ... -b5"
// and "502c...".
func (h *hasher) portKey(sw, port string) (key, bool) {
	hi, lo, n := hexDigits(sw, 32)
	if n != 32 || port == "" {
		return key{}, false
	}
	p := h.folded(port, kindPort)
	return key{p.hi ^ hi, p.lo ^ bits.RotateLeft64(lo, 17), kindPort}, true
}

// hostPortKey is the key of a Distributed Switch's port where only the host is
// known that has the switch.
func (h *hasher) hostPortKey(host, port string) (key, bool) {
	at, p := h.folded(host, kindHostPort), h.folded(port, kindHostPort)
	return key{p.hi ^ at.hi, p.lo ^ bits.RotateLeft64(at.lo, 17), kindHostPort}, host != "" && port != ""
}

// uuidKey is the key of a UUID in any of its spellings.
func uuidKey(s string) (key, bool) {
	hi, lo, n := hexDigits(s, 32)
	return key{hi, lo, kindUUID}, n == 32 && hi|lo != 0
}

// macKey is the key of a MAC address with any separators.
func macKey(s string) (key, bool) {
	_, lo, n := hexDigits(s, 12)
	return key{0, lo, kindMAC}, n == 12 && lo != 0
}

// vifKey is the key of the last eight hex digits of a VIF id.
func vifKey(s string) (key, bool) {
	_, lo, n := hexDigits(s, 8)
	return key{0, lo, kindVIF}, n == 8
}

// What a byte is to hexDigits, if not a digit's value.
const (
	between = 0xfe // stands between digits
	noDigit = 0xff
)

// digits is what each byte is to hexDigits.
var digits = func() (t [256]byte) {
	for c := range t {
		t[c] = noDigit
	}
	for i := range byte(16) {
		t["0123456789abcdef"[i]], t["0123456789ABCDEF"[i]] = i, i
	}
	t['-'], t[':'], t[' '] = between, between, between
	return t
}()

// hexDigits reads up to want hex digits of s as one number, over '-', ':' and
// ' '. n is how many there were; 0 if there is anything else in s, or more
// than want.
func hexDigits(s string, want int) (hi, lo uint64, n int) {
	for i := range len(s) {
		d := digits[s[i]]
		if d == between {
			continue
		}
		if n++; d == noDigit || n > want {
			return 0, 0, 0
		}
		hi, lo = hi<<4|lo>>60, lo<<4|uint64(d)
	}
	return hi, lo, n
}
