package ipfix

import "sync/atomic"

// Malformed says what is wrong with a message, or a part of one.
type Malformed uint8

// What can be wrong. ShortHeader and the two after it concern whole messages,
// BadSetLength the rest of one, the others a set.
const (
	ShortHeader Malformed = 1 + iota
	UnknownVersion
	BadLength
	BadSetLength
	UnknownSet
	BadTemplate
	RecordTooLong
	malformedEnd
)

// String is the reason as metrics have it.
func (m Malformed) String() string {
	return [malformedEnd]string{"", "short_header", "unknown_version", "bad_length", "bad_set_length", "unknown_set", "bad_template", "record_too_long"}[m]
}

// undecoded is why a set was given up without ever having been decoded.
type undecoded uint8

const (
	undecodedExpired   undecoded = iota // no template came in time
	undecodedFull                       // too much waits
	undecodedForgotten                  // the exporter was forgotten for others
	undecodedClosed                     // the Decoder closed
	undecodedEnd
)

// String is the reason as metrics have it.
func (u undecoded) String() string {
	return [undecodedEnd]string{"expired", "full", "forgotten", "closed"}[u]
}

// Stats is what a Decoder counted since it was made. In data records, held
// sets left aside, Received are those given to take, Deduplicated and Dropped.
type Stats struct {
	Messages int64 // datagrams
	Flows    int64 // data records that are flows, second reports included
	Received int64 // Flows, and what was dropped
	// Deduplicated are second reports of a flow.
	Deduplicated int64
	Dropped      Dropped
	Other        int64 // data records that are no flows: options, statistics

	Malformed map[string]int64 // messages and sets, by reason

	Exporters int64 // known now, each with its observation domain
	Templates int64 // known now
	// Forgotten and Refused are templates given up for newer ones, and such
	// that no record can have.
	Forgotten, Refused int64

	Held      int64            // sets that wait for their template now
	HeldBytes int64            // in them
	Undecoded map[string]int64 // sets given up, by reason

	// Lost is what the exporters' sequence numbers say did not arrive, or came
	// too late to be in its place: data records of IPFIX, messages of NetFlow.
	LostRecords, LostMessages int64
	Late                      int64 // messages that came after a later one
	Restarts                  int64 // sequences that began anew
}

// Dropped counts data records that became no event. A set that could not be
// decoded is one: nobody knows how many were in it.
type Dropped struct {
	NoTemplate int64
	Malformed  int64
}

// counters is Stats while it counts.
type counters struct {
	messages, flows, deduplicated, other atomic.Int64
	dropped                              struct{ noTemplate, malformed atomic.Int64 }
	malformed                            [malformedEnd]atomic.Int64
	exporters, templates                 atomic.Int64
	forgotten, refused                   atomic.Int64
	held, heldBytes                      atomic.Int64
	undecoded                            [undecodedEnd]atomic.Int64
	lostRecords, lostMessages            atomic.Int64
	late, restarts                       atomic.Int64
}

// Stats returns the counters. What left the Decoder is read before what came
// in, so that an account made of it never owes anything.
func (d *Decoder) Stats() Stats {
	c := &d.count
	st := Stats{
		Deduplicated: c.deduplicated.Load(),
		Dropped:      Dropped{NoTemplate: c.dropped.noTemplate.Load(), Malformed: c.dropped.malformed.Load()},
		Malformed:    make(map[string]int64), Undecoded: make(map[string]int64),
		Other: c.other.Load(), Exporters: c.exporters.Load(), Templates: c.templates.Load(),
		Forgotten: c.forgotten.Load(), Refused: c.refused.Load(),
		Held: c.held.Load(), HeldBytes: c.heldBytes.Load(),
		LostRecords: c.lostRecords.Load(), LostMessages: c.lostMessages.Load(),
		Late: c.late.Load(), Restarts: c.restarts.Load(),
	}
	for m := ShortHeader; m < malformedEnd; m++ {
		st.Malformed[m.String()] = c.malformed[m].Load()
	}
	for u := range undecodedEnd {
		st.Undecoded[u.String()] = c.undecoded[u].Load()
	}
	st.Flows, st.Messages = c.flows.Load(), c.messages.Load()
	st.Received = st.Flows + st.Dropped.NoTemplate + st.Dropped.Malformed
	return st
}

// Add adds o to s.
func (s *Stats) Add(o Stats) {
	s.Messages += o.Messages
	s.Flows += o.Flows
	s.Received += o.Received
	s.Deduplicated += o.Deduplicated
	s.Dropped.NoTemplate += o.Dropped.NoTemplate
	s.Dropped.Malformed += o.Dropped.Malformed
	s.Other += o.Other
	s.Malformed, s.Undecoded = addAll(s.Malformed, o.Malformed), addAll(s.Undecoded, o.Undecoded)
	s.Exporters += o.Exporters
	s.Templates += o.Templates
	s.Forgotten += o.Forgotten
	s.Refused += o.Refused
	s.Held += o.Held
	s.HeldBytes += o.HeldBytes
	s.LostRecords += o.LostRecords
	s.LostMessages += o.LostMessages
	s.Late += o.Late
	s.Restarts += o.Restarts
}

func addAll(to, more map[string]int64) map[string]int64 {
	if to == nil {
		to = make(map[string]int64, len(more))
	}
	for key, n := range more {
		to[key] += n
	}
	return to
}
