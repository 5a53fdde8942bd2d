package ingest

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestLimited: however small the pieces are that come, each Read fills what it
// is given, and ends with the error that came, and not with another one.
func TestLimited(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		in   io.Reader
		left int64
		want error
	}{
		{"whole", strings.NewReader(strings.Repeat("x", 1000)), 1000, io.EOF},
		{"broken", io.MultiReader(strings.NewReader(strings.Repeat("x", 1000)), iotest.ErrReader(broken)), 1000, broken},
		{"a lying length", io.MultiReader(strings.NewReader(strings.Repeat("x", 1000)), iotest.ErrReader(io.ErrUnexpectedEOF)), 1000, io.ErrUnexpectedEOF},
		{"too long", strings.NewReader(strings.Repeat("x", 1000)), 999, errUnpacked},
	} {
		held := int64(0)
		l := &limited{in: iotest.OneByteReader(c.in), left: c.left, reserve: func(n int64) error { held += n; return nil }}
		p := make([]byte, 600)
		if n, err := l.Read(p); n != 600 || err != nil {
			t.Errorf("%s: %d, %v", c.name, n, err)
		}
		if n, err := l.Read(p); n != 400 || !errors.Is(err, c.want) {
			t.Errorf("%s: %d, %v, want %v", c.name, n, err, c.want)
		}
		if held != 1000 {
			t.Errorf("%s: %d bytes are reserved", c.name, held)
		}
	}
}
