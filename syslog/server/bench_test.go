//go:build unix

package server_test

import (
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vegress/vegress/syslog/server"
)

// discard is a Handler that counts.
type discard struct{ lines, closed atomic.Int64 }

func (d *discard) Open(server.Source) server.Session { return d }
func (d *discard) Lines(b *server.Batch) time.Duration {
	d.lines.Add(int64(len(b.Lines)))
	return 0
}
func (d *discard) Idle(time.Time) time.Duration { return 0 }
func (d *discard) Close()                       { d.closed.Add(1) }

const benchLine = "<166>2031-03-04T05:06:07.089Z hv07.corp.example Hostd: info hostd[2099153] [Originator@6876 sub=Vimsvc.TaskManager opID=5f1c2d3e-77-4a user=vpxuser:CORP\\svc] Task Completed : haTask-77-vim.VirtualMachine.reconfigure-40411 Status success; seq=1234567\n"

// cpu is the time that this process has used, sender included.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTCP is a line's way from a socket to a handler that does nothing;
// the sender, in the same process, writes 64 KiB at a time.
func BenchmarkTCP(b *testing.B) {
	for _, senders := range []int{1, 8} {
		b.Run(map[int]string{1: "1", 8: "8"}[senders], func(b *testing.B) {
			h := &discard{}
			s, stop := start(b, server.Options{Listen: []string{"tcp://127.0.0.1:0"}}, h)
			block := []byte(strings.Repeat(benchLine, 256))
			var conns []net.Conn
			for range senders {
				conns = append(conns, dial(b, s.Addrs()[0]))
			}
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			before, sent := cpu(b), int64(0)
			for b.Loop() {
				if _, err := conns[sent%int64(senders)].Write(block); err != nil {
					b.Fatal(err)
				}
				sent++
			}
			for _, c := range conns {
				_ = c.Close()
			}
			eventually(b, "the connections' end", func() bool { return h.closed.Load() == int64(senders) })
			lines := float64(h.lines.Load())
			if h.lines.Load() != sent*256 {
				b.Errorf("%d of %d lines", h.lines.Load(), sent*256)
			}
			b.ReportMetric(float64(cpu(b)-before)/lines, "cpu-ns/line")
			b.ReportMetric(lines/b.Elapsed().Seconds(), "lines/s")
			stop()
		})
	}
}

// BenchmarkUDP is a datagram's way, one line each. Lost ones are the socket
// buffer's.
func BenchmarkUDP(b *testing.B) {
	h := &discard{}
	s, stop := start(b, server.Options{Listen: []string{"udp://127.0.0.1:0"}}, h)
	c := dial(b, s.Addrs()[0])
	line := []byte(benchLine)
	b.ReportAllocs()
	before, sent := cpu(b), int64(0)
	for b.Loop() {
		if _, err := c.Write(line); err != nil {
			b.Fatal(err)
		}
		sent++
	}
	stop()
	lines := float64(h.lines.Load())
	b.ReportMetric(float64(cpu(b)-before)/float64(sent), "cpu-ns/line")
	b.ReportMetric(float64(sent)-lines, "lost")
}
