package app

import (
	"time"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

// carried takes records of endpoints that come as the text of syslog messages
// to events, for one session. A nil one holds nothing.
type carried struct {
	decoding *decoding
	message  *syslog.Message // whose record is decoded; nil: none is
	record   string
	live     bool // messages are received now, and not read from a file
}

// Bounds of what a session remembers, in bytes: one of a single sender in its
// decoders, and each of processes, which are no more than half as much as its
// decoders may have.
const (
	sessionBytes = 2 << 20
	carriedBytes = 8 << 20
)

// newCarried makes one whose events go to place, which keeps nothing of them.
// maxBytes bounds its decoders.
func newCarried(l *ledger, maxSkew time.Duration, maxBytes int64, place func(*event.Event)) *carried {
	c := &carried{live: maxSkew > 0}
	c.decoding = newDecoding(l, maxSkew, maxBytes, endpoint.TableOptions{MaxBytes: min(carriedBytes, maxBytes/2)}, func(_ *machine, ev *event.Event) {
		c.dress(ev)
		place(ev)
	})
	return c
}

// decode takes a message and the record in it.
func (c *carried) decode(of *origin, record string, m *syslog.Message) {
	host := m.Host
	if host == "" && m.Peer.IsValid() {
		host = m.Peer.Addr().Unmap().String()
	}
	from := c.decoding.machine(of, host) // what others held is told here, and is not of this message
	c.message, c.record = m, record
	c.decoding.decode(from, endpoint.Record{Text: record, Host: host, Received: m.Received})
	c.message = nil
}

// dress puts what the message around a record says on its event.
func (c *carried) dress(ev *event.Event) {
	if c.message == nil {
		return
	}
	if ev.Raw == c.record { // it is of this message alone
		ev.Raw, ev.Records = c.message.Raw, c.message.Records
	}
	if c.live {
		ev.Receipt = vsphere.ReceiptOf(c.message)
	}
}

// beat lets go of what waited long enough, and says when to come again; 0:
// nothing waits.
func (c *carried) beat(now time.Time) time.Duration {
	if c == nil {
		return 0
	}
	return c.decoding.beat(now)
}

func (c *carried) flush() {
	if c != nil {
		c.decoding.flush()
	}
}
