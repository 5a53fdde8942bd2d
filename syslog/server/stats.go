package server

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Stats is what a Server counted since it was made.
type Stats struct {
	Records   uint64 // handed on, as records
	Bytes     uint64 // of these records
	Datagrams uint64 // received on UDP sockets, those of Refused.Datagrams included
	Truncated uint64 // records that were cut at the limit

	Open     int    // connections now
	Accepted uint64 // connections that were let in
	Idle     uint64 // connections closed for their silence, also before their first record
	Refused  Refused

	HandshakeErrors uint64 // TLS
	ReadErrors      uint64 // of sockets, apart from the peer's closing

	// KernelDrops counts datagrams that the kernel dropped because a UDP
	// socket's receive buffer was full. Known only on Linux.
	KernelDrops      uint64
	KernelDropsKnown bool
}

// Refused counts what was turned away.
type Refused struct {
	Source      uint64 // connections from addresses that are not allowed
	Connections uint64 // connections above the limit in all: new ones, or silent ones that made room
	PerSource   uint64 // connections above the limit of their address or IPv6 /64
	Plain       uint64 // connections without TLS where it is required
	TLS         uint64 // connections with TLS where there is no certificate
	Datagrams   uint64 // from addresses that are not allowed
}

// counters is Stats while it counts.
type counters struct {
	records, bytes, datagrams, truncated atomic.Uint64
	accepted, idle                       atomic.Uint64
	refused                              [reasons]atomic.Uint64
	handshakeErrors, readErrors          atomic.Uint64
}

// reason is why something is turned away or failed, for counting and for
// logging it no more than once a minute.
type reason int

const (
	refusedSource reason = iota
	refusedConnections
	refusedPerSource
	refusedPlain
	refusedTLS
	refusedDatagram
	failedHandshake
	failedRead
	failedAccept
	reasons
)

// String is the reason as the log has it.
func (r reason) String() string {
	return [...]string{
		"source is not in listen.allowed_sources",
		"limits.connections is reached",
		"limits.connections_per_source is reached",
		"no TLS on a listener that requires it",
		"TLS on a listener without a certificate: set listen.tls.cert_file and key_file",
		"datagram's source is not in listen.allowed_sources",
		"TLS handshake failed",
		"read failed",
		"accept failed",
	}[r]
}

// noticeEvery is how often one reason is logged at most.
const noticeEvery = time.Minute

// notices logs each reason once a minute, with how often it was since.
type notices struct {
	log    *slog.Logger
	mu     sync.Mutex
	last   [reasons]time.Time
	hidden [reasons]int
}

func (n *notices) note(now time.Time, r reason, attrs ...any) {
	n.mu.Lock()
	if !n.last[r].IsZero() && now.Sub(n.last[r]) < noticeEvery {
		n.hidden[r]++
		n.mu.Unlock()
		return
	}
	hidden := n.hidden[r]
	n.last[r], n.hidden[r] = now, 0
	n.mu.Unlock()
	n.log.Warn("turned away or failed", append([]any{"reason", r.String(), "more_since_last", hidden}, attrs...)...)
}
