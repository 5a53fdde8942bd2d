package capture_test

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/vegress/vegress/capture"
)

var at = time.Date(2026, 8, 29, 10, 40, 0, 123456000, time.UTC)

type writer interface {
	WritePacket(gopacket.CaptureInfo, []byte) error
}

// file is a capture of three packets, the second of which is cut.
func file(tb testing.TB, ng bool) []byte {
	tb.Helper()
	var out bytes.Buffer
	var w writer
	var err error
	var n *pcapgo.NgWriter
	if ng {
		n, err = pcapgo.NewNgWriter(&out, layers.LinkTypeRaw)
		w = n
	} else {
		p := pcapgo.NewWriter(&out)
		err = p.WriteFileHeader(65535, layers.LinkTypeRaw)
		w = p
	}
	if err != nil {
		tb.Fatal(err)
	}
	for i, data := range []string{"one", "two", "three"} {
		info := gopacket.CaptureInfo{Timestamp: at.Add(time.Duration(i) * time.Second), CaptureLength: len(data), Length: len(data) + i%2*1000}
		if err := w.WritePacket(info, []byte(data)); err != nil {
			tb.Fatal(err)
		}
	}
	if ng {
		if err := n.Flush(); err != nil {
			tb.Fatal(err)
		}
	}
	return out.Bytes()
}

func TestReader(t *testing.T) {
	for _, ng := range []bool{false, true} {
		data := file(t, ng)
		if !capture.Is(data[:4]) {
			t.Fatal("a capture is not known")
		}
		r, err := capture.NewReader(bufio.NewReader(bytes.NewReader(data)))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"one", "two", "three"} {
			p, err := r.Next()
			if err != nil || string(p.Data) != want || p.Length != len(want)+i%2*1000 || !p.Time.Equal(at.Add(time.Duration(i)*time.Second)) {
				t.Errorf("packet %d: %q of %d bytes at %v, %v", i, p.Data, p.Length, p.Time, err)
			}
			if ip, ok := p.IP(); !ok || string(ip) != want {
				t.Errorf("the IP packet of a raw link is %q", ip)
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("behind the last packet: %v", err)
		}
	}
	if _, err := capture.NewReader(bufio.NewReader(strings.NewReader("#Fields"))); err == nil {
		t.Error("any file is taken for a capture")
	}
}

func FuzzReader(f *testing.F) {
	f.Add(file(f, false))
	f.Add(file(f, true))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := capture.NewReader(bufio.NewReader(bytes.NewReader(data)))
		for read := 0; err == nil; {
			var p capture.Packet
			p, err = r.Next()
			if read += len(p.Data); err == nil && (read > len(data) || p.Length < 0) {
				t.Fatalf("%d bytes of packets in a file of %d; a packet of %d", read, len(data), p.Length)
			}
			p.IP()
		}
	})
}
