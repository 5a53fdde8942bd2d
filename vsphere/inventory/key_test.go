package inventory

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Names are equal for the index exactly when they are equal in lower case.
func FuzzFolded(f *testing.F) {
	for _, s := range [][2]string{{"VM-01", "vm-01"}, {"ÄB", "äb"}, {"a", "a\x00"}, {"@[`{", "@[`{"}, {"aaaaaaaaB", "AAAAAAAAb"}} {
		f.Add(s[0], s[1])
	}
	h := newHasher()
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 200 || len(b) > 200 || !utf8.ValidString(a+b) {
			return
		}
		lowerA, lowerB := strings.ToLower(a), strings.ToLower(b)
		same := lowerA == lowerB
		ascii := isASCII(a) == isASCII(b) // "K" (Kelvin) and "k": not a case that vCenter knows
		if got := h.folded(a, kindName) == h.folded(b, kindName); got != same && ascii {
			t.Errorf("%q and %q: got same key %v, want %v", a, b, got, same)
		}
		if h.folded(a, kindName) == h.folded(a, kindGuest) {
			t.Errorf("%q: the kind does not count", a)
		}
	})
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

// Reading digits stops at nothing, and reads what a plain reader reads.
func FuzzHexDigits(f *testing.F) {
	for _, s := range []string{"00:50:56:ab:cd:ef", "50 2c aa bb cc dd ee ff-00 11 22 33 44 55 66 77", "xyz", "", "1a2b3c4D"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		hi, lo, n := hexDigits(s, 32)
		plain := strings.ToLower(strings.NewReplacer(":", "", "-", "", " ", "").Replace(s))
		bad := len(plain) > 32 || strings.Trim(plain, "0123456789abcdef") != ""
		if bad {
			if hi|lo != 0 || n != 0 {
				t.Errorf("%q: got %x %x %d, want nothing", s, hi, lo, n)
			}
			return
		}
		if n != len(plain) {
			t.Errorf("%q: got %d digits, want %d", s, n, len(plain))
		}
		padded := strings.Repeat("0", 32-len(plain)) + plain
		hi2, lo2, _ := hexDigits(padded, 32)
		if hi != hi2 || lo != lo2 {
			t.Errorf("%q: got %x %x, want %x %x", s, hi, lo, hi2, lo2)
		}
	})
}

// The index holds what is put in, through growing, and nothing that is taken
// out.
func TestIndexGrows(t *testing.T) {
	x := newIndex()
	s := &source{}
	const n = 5 * minBuckets
	vms := make([]*vmState, n)
	k := func(i int) key { return key{0, uint64(i), kindMAC} }
	for i := range vms {
		vms[i] = &vmState{src: s, obj: &vmObject{}}
		x.put(k(i), vms[i], always)
	}
	for i := range vms {
		if e := x.find(k(i)); e == nil || e.only.vm != vms[i] {
			t.Fatalf("key %d: got %+v", i, e)
		}
	}
	for i := range vms {
		if i%2 == 0 {
			x.end(k(i), vms[i].obj, 7)
			x.drop(k(i), vms[i].obj, 7)
		}
	}
	for i := range vms {
		if e := x.find(k(i)); (e == nil) != (i%2 == 0) {
			t.Fatalf("key %d: got %+v", i, e)
		}
	}
	if x.entries != n/2 || x.find(k(n)) != nil {
		t.Errorf("got %d entries, want %d", x.entries, n/2)
	}
}
