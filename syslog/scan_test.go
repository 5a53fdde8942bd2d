package syslog_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/vegress/vegress/syslog"
)

// split frames stream, given in pieces of the sizes that next says.
func split(t testing.TB, stream []byte, limit int, next func(rest int) int) []syslog.Frame {
	t.Helper()
	s := syslog.NewScanner(limit)
	var all []syslog.Frame
	batch := make([]syslog.Frame, 0, 3)
	take := func(from func([]syslog.Frame) []syslog.Frame) {
		for {
			got := from(batch[:0])
			if len(got) == 0 {
				return
			}
			all = append(all, got...)
		}
	}
	for len(stream) > 0 {
		n := min(max(1, next(len(stream))), len(stream))
		part := bytes.NewReader(stream[:n])
		for part.Len() > 0 {
			if _, err := s.Fill(part); err != nil {
				t.Fatal(err)
			}
			take(s.Frames)
		}
		stream = stream[n:]
	}
	take(s.Rest)
	return all
}

func texts(frames []syslog.Frame) []string {
	var all []string
	for _, f := range frames {
		mark := ""
		if f.Truncated {
			mark = "!"
		}
		all = append(all, f.Text+mark)
	}
	return all
}

func TestScanner(t *testing.T) {
	long := strings.Repeat("x", 20)
	tests := []struct {
		name, stream string
		want         []string
	}{
		{"LF", "<1>a\n<2>b\n", []string{"<1>a", "<2>b"}},
		{"CR LF", "<1>a\r\n<2>b\r\n", []string{"<1>a", "<2>b"}},
		{"NUL", "<1>a\x00<2>b\x00", []string{"<1>a", "<2>b"}},
		{"NUL LF", "<1>a\x00\n<2>b", []string{"<1>a", "<2>b"}},
		{"octets", "4 <1>a5 <2>bb", []string{"<1>a", "<2>bb"}},
		{"octets with LF inside", "6 <1>a\nb4 <2>c", []string{"<1>a\nb", "<2>c"}},
		{"octets with LF at the end", "5 <1>a\n5 <2>b\n", []string{"<1>a", "<2>b"}},
		{"octets and LF between", "4 <1>a\n4 <2>b\n", []string{"<1>a", "<2>b"}},
		{"all in turn", "<1>a\n4 <2>b<3>c\x004 <4>d\r\n<5>e", []string{"<1>a", "<2>b", "<3>c", "<4>d", "<5>e"}},
		{"starts with a digit", "2031-03-04T05 x\n12 apples\n3\n", []string{"2031-03-04T05 x", "12 apples", "3"}},
		{"count without PRI", "12 <b>x\n", []string{"12 <b>x"}},
		{"count with a zero before", "04 <1>a\n", []string{"04 <1>a"}},
		{"count of eight digits", "12345678 <1>a\n", []string{"12345678 <1>a"}},
		{"blank lines", "\n\r\n\x00<1>a\n\n\n<2>b", []string{"<1>a", "<2>b"}},
		{"no end", "<1>a\n<2>b", []string{"<1>a", "<2>b"}},
		{"octets break off", "9 <1>a", []string{"<1>a!"}},
		{"count breaks off", "<1>a\n12 ", []string{"<1>a", "12 "}},
		{"as long as may be", long[:16] + "\n" + long[:16] + "\r\n", []string{long[:16], long[:16]}},
		{"one too long", long[:17] + "\n<1>a\n", []string{long[:16] + "!", "<1>a"}},
		{"too long, no end", long, []string{long[:16] + "!"}},
		{"octets, one too long", "17 <1>" + long[:14] + "<2>b\n", []string{"<1>" + long[:13] + "!", "<2>b"}},
		{"octets, far too long", "900 <1>" + strings.Repeat("y\n", 448) + "z<2>b\n", []string{"<1>y\ny\ny\ny\ny\ny\ny!", "<2>b"}},
		{"cut at a whole character", "<1>" + strings.Repeat("\u20ac", 6) + "\n", []string{"<1>" + strings.Repeat("\u20ac", 4) + "!"}},
		{"carriage returns alone", "a" + strings.Repeat("\r", 19) + "\nb\n", []string{"a" + strings.Repeat("\r", 15) + "!", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for size := 1; size <= len(tt.stream); size++ {
				got := texts(split(t, []byte(tt.stream), 16, func(int) int { return size }))
				if !slices.Equal(got, tt.want) {
					t.Fatalf("in pieces of %d: got %q, want %q", size, got, tt.want)
				}
			}
		})
	}
}

func TestScannerGrowsAndShrinks(t *testing.T) {
	s := syslog.NewScanner(0)
	line := "<1>" + strings.Repeat("z", 60<<10) + "\n"
	stream := strings.NewReader(strings.Repeat(line, 8))
	frames := make([]syslog.Frame, 0, 8)
	got := 0
	for {
		_, err := s.Fill(stream)
		if errors.Is(err, io.EOF) {
			break
		}
		for {
			frames = s.Frames(frames[:0])
			if len(frames) == 0 {
				break
			}
			got += len(frames)
		}
	}
	if got != 8 {
		t.Errorf("%d frames, want 8", got)
	}
	s.Trim()
	for range 100 {
		if _, err := s.Fill(strings.NewReader("<1>a\n")); err != nil {
			t.Fatal(err)
		}
		if frames = s.Frames(frames[:0]); len(frames) != 1 || frames[0].Text != "<1>a" {
			t.Fatalf("got %v", frames)
		}
	}
}

// One string for a batch, whatever is in it.
func TestScannerAllocations(t *testing.T) {
	s := syslog.NewScanner(0)
	stream := strings.Repeat("<1>a line of some length\n", 32)
	frames := make([]syslog.Frame, 0, 64)
	r := strings.NewReader(stream)
	n := testing.AllocsPerRun(100, func() {
		r.Reset(stream)
		if _, err := s.Fill(r); err != nil {
			t.Fatal(err)
		}
		frames = s.Frames(frames[:0])
	})
	if n != 1 || len(frames) != 32 {
		t.Errorf("%v allocations for %d frames", n, len(frames))
	}
}

func ExampleScanner() {
	s := syslog.NewScanner(0)
	stream := strings.NewReader("<14>one\n8 <14>two!<14>three\r\n")
	frames := make([]syslog.Frame, 0, 64)
	for {
		_, err := s.Fill(stream)
		for _, f := range s.Frames(frames) {
			fmt.Println(f.Text)
		}
		if err != nil {
			break
		}
	}
	// Output:
	// <14>one
	// <14>two!
	// <14>three
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte("<1>a\n4 <2>b<3>c\x00900 <1>y\n<5>e"), uint16(3), uint8(9))
	f.Add([]byte("17 <1>aaaaaaaaaaaaaaaaaaa\r\n\n12 x\n"), uint16(1), uint8(1))
	f.Add([]byte(strings.Repeat("\r", 40)+"\n"), uint16(7), uint8(16))
	f.Fuzz(func(t *testing.T, stream []byte, seed uint16, limit uint8) {
		bound := int(limit) + 1
		whole := split(t, stream, bound, func(rest int) int { return rest })
		state := uint32(seed)
		parts := split(t, stream, bound, func(int) int {
			state = state*1664525 + 1013904223
			return int(state>>24)%11 + 1
		})
		if !slices.Equal(texts(whole), texts(parts)) {
			t.Errorf("in one piece %q\nin several  %q", texts(whole), texts(parts))
		}
		sum := 0
		for _, fr := range whole {
			if sum += len(fr.Text); len(fr.Text) > bound || len(fr.Text) == 0 || !bytes.Contains(stream, []byte(fr.Text)) {
				t.Errorf("frame %q", fr.Text)
			}
		}
		if sum > len(stream) {
			t.Errorf("%d bytes of frames in %d of stream", sum, len(stream))
		}
	})
}

func BenchmarkScanner(b *testing.B) {
	line := shapes[0].raw
	for _, framing := range []struct{ name, frame string }{
		{"LF", line + "\n"}, {"octets", fmt.Sprintf("%d %s", len(line), line)},
	} {
		b.Run(framing.name, func(b *testing.B) {
			stream := strings.Repeat(framing.frame, 64*16)
			s, r := syslog.NewScanner(0), strings.NewReader(stream)
			frames := make([]syslog.Frame, 0, 64)
			b.ReportAllocs()
			lines := 0
			for b.Loop() {
				r.Reset(stream)
				for r.Len() > 0 {
					if _, err := s.Fill(r); err != nil {
						b.Fatal(err)
					}
					for {
						frames = s.Frames(frames[:0])
						lines += len(frames)
						if len(frames) == 0 {
							break
						}
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(lines), "ns/line")
		})
	}
}
