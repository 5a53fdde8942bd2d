package server

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Sizes of UDP.
const (
	receiveBuffer = 8 << 20 // asked of the kernel for each socket
	maxDatagram   = 65535
)

// packetSocket is a UDP socket.
type packetSocket struct {
	conn   *net.UDPConn
	reader *datagrams
	address
	lost  atomic.Uint64 // drops of the kernel, as of the socket's closing
	known atomic.Bool
}

func bindUDP(a address, log *slog.Logger) (*packetSocket, error) {
	local, err := net.ResolveUDPAddr("udp", a.host)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", local)
	if err != nil {
		return nil, err
	}
	granted, err := growReceiveBuffer(conn, receiveBuffer)
	if err != nil || granted < receiveBuffer {
		log.Warn("the kernel grants a smaller UDP receive buffer than asked for: bursts may be lost; raise net.core.rmem_max, or grant CAP_NET_ADMIN",
			"listener", a.spec, "asked", receiveBuffer, "granted", granted, "sysctl", "net.core.rmem_max=8388608")
	}
	reader, err := newDatagrams(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &packetSocket{conn: conn, reader: reader, address: a}, nil
}

// drops is how many datagrams the kernel dropped for a full buffer.
func (p *packetSocket) drops() (uint64, bool) {
	if n, ok := kernelDrops(p.conn); ok {
		return n, true
	}
	return p.lost.Load(), p.known.Load()
}

func (p *packetSocket) close() {
	if n, ok := kernelDrops(p.conn); ok {
		p.lost.Store(n)
		p.known.Store(true)
	}
	_ = p.conn.Close()
}

// receive serves a UDP socket until the server has stopped.
func (s *Server) receive(p *packetSocket) {
	r := &receiver{
		server: s, socket: p,
		session: s.handler.Open(Source{Transport: "udp", Local: p.spec, Conn: s.conns.Add(1)}),
	}
	for r.read() {
	}
	r.session.Close()
	p.close()
}

// receiver is one UDP socket at work.
type receiver struct {
	server  *Server
	socket  *packetSocket
	lines   [MaxBatch]Line
	out     Batch
	session Session
	called  time.Time
	wait    time.Duration
	due     time.Time
}

// read does one read of a batch and hands it on; false: it was the last.
func (r *receiver) read() bool {
	now := time.Now()
	if r.server.drained(now) {
		return false
	}
	r.setDeadline(now)
	n, err := r.socket.reader.read()
	now = time.Now()
	switch {
	case err == nil:
		r.pass(now, n)
		return true
	case errors.Is(err, os.ErrDeadlineExceeded):
		return r.quiet(now)
	case errors.Is(err, net.ErrClosed):
		return false
	}
	r.server.count.readErrors.Add(1)
	r.server.notices.note(now, failedRead, "listener", r.socket.spec, "error", err)
	return true
}

func (r *receiver) setDeadline(now time.Time) {
	var next time.Time
	if r.wait > 0 {
		next = r.called.Add(r.wait)
	}
	if next.Equal(r.due) && r.server.stopping.Load() == nil {
		return
	}
	r.due = next
	_ = r.socket.conn.SetReadDeadline(r.server.deadline(now, next))
	if r.server.stopping.Load() != nil { // since the line above
		_ = r.socket.conn.SetReadDeadline(now.Add(drainQuiet))
	}
}

// quiet acts on a read that brought nothing in time; false: the server stops.
func (r *receiver) quiet(now time.Time) bool {
	if r.server.stopping.Load() != nil {
		return false
	}
	r.wait, r.called = r.session.Idle(now), now
	return true
}

// pass hands on the n datagrams of a read, as one batch with one string.
func (r *receiver) pass(now time.Time, n int) {
	p := r.server.policy.Load()
	longest := int(p.limits.Message)
	if r.server.whole {
		longest = maxDatagram
	}
	r.server.count.datagrams.Add(uint64(n))
	var texts [MaxBatch][]byte
	used, total := 0, 0
	for i := range n {
		text, peer := r.socket.reader.at(i)
		if !r.server.whole {
			text = bytes.TrimRight(text, "\r\n\x00")
		}
		if !r.admit(peer, p, now) || len(text) == 0 {
			continue
		}
		r.lines[used] = Line{Peer: peer, Truncated: len(text) > longest}
		texts[used] = text[:min(len(text), longest)]
		total += len(texts[used])
		used++
	}
	if used == 0 {
		return
	}
	var b strings.Builder
	b.Grow(total)
	for _, text := range texts[:used] {
		b.Write(text)
	}
	all := b.String()
	for i, text := range texts[:used] {
		r.lines[i].Text, all = all[:len(text)], all[len(text):]
	}
	r.out = Batch{Received: now, Lines: r.lines[:used]}
	r.wait = r.server.hand(r.session, &r.out)
	r.called = now
	clear(r.lines[:used])
}

// admit tells whether the sender of a datagram may send.
func (r *receiver) admit(peer netip.AddrPort, p *policy, now time.Time) bool {
	if p.allows(peer.Addr()) {
		return true
	}
	r.server.count.refused[refusedDatagram].Add(1)
	r.server.notices.note(now, refusedDatagram, "listener", r.socket.spec, "peer", peer)
	return false
}
