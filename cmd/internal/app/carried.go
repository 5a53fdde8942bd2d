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

// carriedBytes bounds what a session remembers of processes.
const carriedBytes = 8 << 20

// newCarried makes one whose events go to place, which keeps nothing of them.
func newCarried(l *ledger, maxSkew time.Duration, place func(*event.Event)) *carried {
	c := &carried{live: maxSkew > 0}
	c.decoding = newDecoding(l, maxSkew, endpoint.TableOptions{MaxBytes: carriedBytes}, func(_ *machine, ev *event.Event) {
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
	c.message, c.record = m, record
	c.decoding.decode(c.decoding.machine(of, host), endpoint.Record{Text: record, Host: host, Received: m.Received})
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
