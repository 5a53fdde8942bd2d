package server

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv6"
)

// Sizes of UDP.
const (
	receiveBuffer = 8 << 20 // asked of the kernel for each socket
	maxDatagram   = 65535
)

// packetSocket is a UDP socket.
type packetSocket struct {
	conn *net.UDPConn
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
	return &packetSocket{conn: conn, address: a}, nil
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
		batch:   ipv6.NewPacketConn(p.conn),
		session: s.handler.Open(Source{Transport: "udp", Local: p.spec, Conn: s.conns.Add(1)}),
	}
	memory := make([]byte, MaxBatch*maxDatagram) // touched only as far as datagrams are long
	for i := range r.messages {
		r.messages[i].Buffers = [][]byte{memory[i*maxDatagram : (i+1)*maxDatagram]}
	}
	for r.read() {
	}
	r.session.Close()
	p.close()
}

// receiver is one UDP socket at work.
type receiver struct {
	server   *Server
	socket   *packetSocket
	batch    *ipv6.PacketConn
	messages [MaxBatch]ipv6.Message
	lines    [MaxBatch]Line
	out      Batch
	session  Session
	called   time.Time
	wait     time.Duration
	due      time.Time
}

// read does one read of a batch and hands it on; false: it was the last.
func (r *receiver) read() bool {
	now := time.Now()
	if r.server.drained(now) {
		return false
	}
	r.setDeadline(now)
	n, err := r.batch.ReadBatch(r.messages[:], 0)
	now = time.Now()
	switch {
	case err == nil:
		r.pass(now, r.messages[:n])
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

// pass hands on the datagrams of a read, as one batch with one string.
func (r *receiver) pass(now time.Time, messages []ipv6.Message) {
	p := r.server.policy.Load()
	r.server.count.datagrams.Add(uint64(len(messages)))
	var spans [MaxBatch]int
	n, total := 0, 0
	for i := range messages {
		peer, ok := r.admit(&messages[i], p, now)
		text := content(&messages[i])
		if !ok || len(text) == 0 {
			continue
		}
		r.lines[n] = Line{Peer: peer, Truncated: len(text) > int(p.limits.Message)}
		text = text[:min(len(text), int(p.limits.Message))]
		messages[n].Buffers[0], messages[i].Buffers[0] = messages[i].Buffers[0], messages[n].Buffers[0]
		spans[n] = len(text)
		total += len(text)
		n++
	}
	if n == 0 {
		return
	}
	var b strings.Builder
	b.Grow(total)
	for i, length := range spans[:n] {
		b.Write(messages[i].Buffers[0][:length])
	}
	all := b.String()
	for i, length := range spans[:n] {
		r.lines[i].Text, all = all[:length], all[length:]
	}
	r.out = Batch{Received: now, Lines: r.lines[:n]}
	r.wait = r.server.hand(r.session, &r.out)
	r.called = now
	clear(r.lines[:n])
}

// admit tells a datagram's sender, and whether it may send.
func (r *receiver) admit(m *ipv6.Message, p *policy, now time.Time) (netip.AddrPort, bool) {
	from, ok := m.Addr.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}, len(p.allowed) == 0
	}
	ap := from.AddrPort()
	peer := netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	if p.allows(peer.Addr()) {
		return peer, true
	}
	r.server.count.refused[refusedDatagram].Add(1)
	r.server.notices.note(now, refusedDatagram, "listener", r.socket.spec, "peer", peer)
	return peer, false
}

// content is a datagram's record, without a line's end.
func content(m *ipv6.Message) []byte {
	text := m.Buffers[0][:m.N]
	for len(text) > 0 {
		switch text[len(text)-1] {
		case '\n', '\r', 0:
			text = text[:len(text)-1]
		default:
			return text
		}
	}
	return text
}
