package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/vegress/vegress/syslog"
)

// streamListener takes connections.
type streamListener struct {
	net.Listener
	address
}

// acceptPause is how long accepting waits after an error of the system, such
// as no more file descriptors.
const acceptPause = 100 * time.Millisecond

// accept serves the connections of l until it is closed.
func (s *Server) accept(ctx context.Context, l *streamListener) {
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			s.admit(c, l)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			s.count.readErrors.Add(1)
			s.notices.note(time.Now(), failedAccept, "listener", l.spec, "error", err)
			pause := time.NewTimer(acceptPause)
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
			}
		}
	}
}

// admit starts a connection's goroutine, if the limits let it in.
func (s *Server) admit(c net.Conn, l *streamListener) {
	peer := peerOf(c)
	p := s.policy.Load()
	v, displaced, why := s.gate.enter(c, peer.Addr(), p)
	if v == nil {
		s.turnAway(c, why, l)
		return
	}
	if displaced != nil {
		s.turnAway(displaced, refusedConnections, l)
	}
	s.count.accepted.Add(1)
	s.wg.Go(func() {
		defer s.gate.leave(v)
		defer c.Close()
		s.converse(v, peer, l, p)
	})
}

// turnAway closes a connection that l has no place for.
func (s *Server) turnAway(c net.Conn, why reason, l *streamListener) {
	s.count.refused[why].Add(1)
	s.notices.note(time.Now(), why, "listener", l.spec, "peer", peerOf(c))
	_ = c.Close()
}

// converse serves one connection.
func (s *Server) converse(v *visit, peer netip.AddrPort, l *streamListener, p *policy) {
	first := time.Now().Add(s.firstRecord)
	conn, transport, err := s.secure(v.conn, p, l.scheme == "tls")
	if err != nil {
		s.notSecured(err, peer, l)
		return
	}
	source := Source{Transport: transport, Local: l.spec, Peer: peer, Conn: s.conns.Add(1)}
	now := time.Now()
	st := &stream{
		server: s, visit: v, first: first, conn: conn, peer: peer, idle: p.limits.Idle,
		scanner: syslog.NewScanner(int(p.limits.Message)),
		session: s.handler.Open(source),
		heard:   now, called: now,
	}
	st.run(source)
}

func (s *Server) notSecured(err error, peer netip.AddrPort, l *streamListener) {
	var handshake handshakeError
	switch {
	case errors.Is(err, net.ErrClosed): // it made room for another, and is counted
	case errors.Is(err, errPlain):
		s.count.refused[refusedPlain].Add(1)
		s.notices.note(time.Now(), refusedPlain, "listener", l.spec, "peer", peer)
	case errors.Is(err, errNoCertificate):
		s.count.refused[refusedTLS].Add(1)
		s.notices.note(time.Now(), refusedTLS, "listener", l.spec, "peer", peer)
	case errors.As(err, &handshake):
		s.count.handshakeErrors.Add(1)
		s.notices.note(time.Now(), failedHandshake, "listener", l.spec, "peer", peer, "error", handshake.error)
	case errors.Is(err, os.ErrDeadlineExceeded) && s.stopping.Load() == nil:
		s.count.idle.Add(1)
	}
}

// peerOf is the other end of c.
func peerOf(c net.Conn) netip.AddrPort {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// stream is one connection at work.
type stream struct {
	server  *Server
	visit   *visit
	first   time.Time // when the first record must be here; zero: it is
	conn    net.Conn
	peer    netip.AddrPort
	idle    time.Duration
	scanner *syslog.Scanner
	session Session

	frames [MaxBatch]syslog.Frame
	lines  [MaxBatch]Line
	batch  Batch

	heard  time.Time     // when the peer last sent something
	called time.Time     // when the session was last called
	wait   time.Duration // how long it wants to wait at most; 0: for ever
	due    time.Time     // the read deadline that is set
}

// firstRecord is how long a connection may take to bring its first record,
// a TLS handshake included: places are for those that have something to say.
const firstRecord = 30 * time.Second

// silence is after how long without a byte a connection gives its buffer
// back.
const silence = time.Minute

// run reads until the peer closes, falls silent or the server has stopped.
func (st *stream) run(source Source) {
	for st.read(source) {
	}
	st.pass(time.Now(), st.scanner.Rest)
	st.session.Close()
}

// read does one read and hands on what it brought; false: it was the last.
func (st *stream) read(source Source) bool {
	now := time.Now()
	if st.server.drained(now) {
		return false
	}
	st.setDeadline(now)
	n, err := st.scanner.Fill(st.conn)
	now = time.Now()
	if n > 0 {
		st.heard = now
		st.pass(now, st.scanner.Frames)
	}
	switch {
	case err == nil:
		return true
	case errors.Is(err, os.ErrDeadlineExceeded):
		return st.quiet(now)
	case !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed):
		st.server.count.readErrors.Add(1)
		st.server.notices.note(now, failedRead, "listener", source.Local, "peer", st.peer, "error", err)
	}
	return false
}

// setDeadline makes the next read return in time for what has to be done
// without data. A deadline that is only a little early is left in place.
func (st *stream) setDeadline(now time.Time) {
	next := st.heard.Add(min(st.idle, silence))
	if !next.After(now) {
		next = st.heard.Add(st.idle)
	}
	if !st.first.IsZero() && st.first.Before(next) {
		next = st.first
	}
	if st.wait > 0 {
		next = st.called.Add(st.wait)
	} else if st.near(now, next) {
		return
	}
	st.due = next
	_ = st.conn.SetReadDeadline(st.server.deadline(now, next))
	if st.server.stopping.Load() != nil { // since the line above
		_ = st.conn.SetReadDeadline(now.Add(drainQuiet))
	}
}

// near says that the deadline which is set is not much before next, and saves
// setting it anew.
func (st *stream) near(now, next time.Time) bool {
	early := next.Sub(st.due)
	return early >= 0 && early < min(st.idle, silence)/4 && st.due.After(now) && st.server.stopping.Load() == nil
}

// quiet acts on a read that brought nothing in time; false: the connection is
// over.
func (st *stream) quiet(now time.Time) bool {
	if st.server.stopping.Load() != nil {
		return false
	}
	if st.wait > 0 && now.Sub(st.called) >= st.wait {
		st.wait, st.called = st.session.Idle(now), now
	}
	silent := now.Sub(st.heard)
	if silent >= st.idle || !st.first.IsZero() && !now.Before(st.first) {
		st.server.count.idle.Add(1)
		return false
	}
	if silent >= silence {
		st.scanner.Trim()
	}
	return true
}

// pass hands on all frames that more gives, batch by batch.
func (st *stream) pass(now time.Time, more func([]syslog.Frame) []syslog.Frame) {
	for {
		frames := more(st.frames[:0])
		if len(frames) == 0 {
			return
		}
		if !st.first.IsZero() {
			st.first = time.Time{}
			st.server.gate.spoke(st.visit)
		}
		for i, f := range frames {
			st.lines[i] = Line{Text: f.Text, Peer: st.peer, Truncated: f.Truncated}
		}
		st.batch = Batch{Received: now, Lines: st.lines[:len(frames)]}
		st.wait = st.server.hand(st.session, &st.batch)
		st.called = now
		clear(st.frames[:len(frames)]) // or they keep the batch's memory
		clear(st.lines[:len(frames)])
	}
}
