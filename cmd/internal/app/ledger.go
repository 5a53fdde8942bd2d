package app

import (
	"sync/atomic"

	"github.com/vegress/vegress/syslog"
)

// ledger counts input records on their way from the sockets to the publisher,
// which keeps the rest of the account (forwarded, refused). In input records,
// at any time:
//
//	received = forwarded + joined + deduplicated + dropped + in flight
type ledger struct {
	received  atomic.Int64
	joined    atomic.Int64 // became a part of another record's event
	flaws     [syslog.Empty + 1]atomic.Int64
	truncated atomic.Int64
	partial   atomic.Int64

	// Of all Assemblers together.
	held     atomic.Int64 // records that wait for their other pieces
	orphans  atomic.Int64 // pieces without the record before them
	overflow atomic.Int64 // records that went on early because a bound was reached
}

// pieces adds what an Assembler counted since the last time.
func (l *ledger) pieces(was, now syslog.AssemblerStats) {
	if was == now {
		return
	}
	l.held.Add(int64(now.Held - was.Held))
	l.orphans.Add(int64(now.Orphans - was.Orphans))
	l.overflow.Add(int64(now.Overflow - was.Overflow))
}

// message counts what a whole message is made of, and what is wrong with it.
func (l *ledger) message(m *syslog.Message) {
	if m.Records > 1 {
		l.joined.Add(int64(m.Records - 1))
	}
	if m.Malformed != syslog.WellFormed {
		l.flaws[m.Malformed].Add(1)
	}
	if m.Truncated {
		l.truncated.Add(1)
	}
	if m.Partial {
		l.partial.Add(1)
	}
}

// flawCounts gives the malformed records by reason.
func (l *ledger) flawCounts() map[string]int64 {
	counts := map[string]int64{}
	for flaw := range l.flaws {
		if n := l.flaws[flaw].Load(); n > 0 {
			counts[syslog.Malformed(flaw).String()] = n
		}
	}
	return counts
}
