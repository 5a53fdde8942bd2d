package server

import (
	"net/netip"
	"time"
)

// Source is where a Batch came from.
type Source struct {
	Transport string         // "udp", "tcp" or "tls"
	Local     string         // the listener: "udp://:514"
	Peer      netip.AddrPort // of the connection; zero for a UDP socket, whose lines bring their own
	Conn      uint64         // unique for each connection or UDP socket of this process
}

// Line is one record as it was framed, without its frame.
type Line struct {
	Text      string // part of the batch's memory
	Peer      netip.AddrPort
	Truncated bool // longer than the limit, and cut there
}

// Batch is what one read brought: 1 to MaxBatch records. Lines belongs to the
// server again after Session.Lines returns; the text of the lines is never
// written again and lives as long as anything refers to it.
type Batch struct {
	Received time.Time
	Lines    []Line
}

// MaxBatch bounds the records in a Batch.
const MaxBatch = 64

// Handler takes what listeners receive. Open is called once for each
// connection and for each UDP socket, from the goroutine that then calls the
// Session; it must be safe for concurrent use.
type Handler interface {
	Open(src Source) Session
}

// Session is one connection's, or one UDP socket's, way into the pipeline.
// Its methods are called from one goroutine at a time. Lines may block: that
// is how back-pressure reaches the sender.
//
// Both Lines and Idle return how long the session wants to wait at most for
// its next call, because it holds pieces of a record; 0 means that it holds
// nothing. The server calls Idle when that time passed without a Batch.
type Session interface {
	Lines(b *Batch) (wait time.Duration)
	Idle(now time.Time) (wait time.Duration)
	// Close is called once, after the last Lines: what is held goes on now.
	Close()
}
