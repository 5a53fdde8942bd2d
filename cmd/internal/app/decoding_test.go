package app

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
)

// TestRoundsGoForward: a message that was received earlier, and comes again
// later, does not close what came meanwhile.
func TestRoundsGoForward(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(1_700_000_000+int64(seconds), 0) }
	var rs rounds
	rs.take(at(60), 1)
	rs.take(at(0), 2)
	if _, closed := rs.close(at(30)); closed {
		t.Error("closed before its latest record")
	}
	if fed, closed := rs.close(at(61)); !closed || fed != 2 {
		t.Errorf("%d records, %v", fed, closed)
	}
}

// TestDecodersBytes: many machines with long records do not take more memory
// than decoders may, and what those that go held is told, as of its own sender.
func TestDecodersBytes(t *testing.T) {
	const most, all, long = 200 << 10, 1000, 10 << 10
	told := map[string]event.Receipt{}
	c := newCarried(&ledger{}, time.Hour, most, func(ev *event.Event) { told[ev.Device.Hostname] = ev.Receipt })
	of := newSources().named("auditd")
	for n := range all {
		m := &syslog.Message{Host: fmt.Sprint("host", n), Peer: netip.MustParseAddrPort("192.0.2.1:1"), Received: time.Now()}
		c.decode(of, fmt.Sprintf(`type=SYSCALL msg=audit(1.0:%d): exe=%q`, n, strings.Repeat("x", long)), m)
		if c.decoding.bytes > most+perDecoder+2*long {
			t.Fatalf("%d bytes of %d machines", c.decoding.bytes, len(c.decoding.machines))
		}
	}
	if n := len(c.decoding.machines); n > most/long || len(told) != all-n || c.decoding.evicted.Load() != int64(all-n) {
		t.Errorf("%d machines, %d told, %d evicted", n, len(told), c.decoding.evicted.Load())
	}
	for host, receipt := range told {
		if receipt != (event.Receipt{}) {
			t.Errorf("%s has the receipt of another: %+v", host, receipt)
		}
	}
	c.flush()
	if len(told) != all {
		t.Errorf("%d told in all", len(told))
	}
	for _, m := range c.decoding.machines {
		c.decoding.forget(m)
	}
	if c.decoding.bytes != 0 {
		t.Errorf("%d bytes of none", c.decoding.bytes)
	}
}
