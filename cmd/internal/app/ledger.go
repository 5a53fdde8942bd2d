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

// flawNames are the reasons of the malformed counter, by syslog.Malformed.
var flawNames = [syslog.Empty + 1]string{
	syslog.BadPRI:      "bad_pri",
	syslog.BadTime:     "bad_time",
	syslog.BadHeader:   "bad_header",
	syslog.BadEncoding: "bad_encoding",
	syslog.Empty:       "empty",
}

// flawCounts gives the malformed records by reason.
func (l *ledger) flawCounts() map[string]int64 {
	counts := map[string]int64{}
	for flaw, name := range flawNames {
		if n := l.flaws[flaw].Load(); name != "" && n > 0 {
			counts[name] = n
		}
	}
	return counts
}
