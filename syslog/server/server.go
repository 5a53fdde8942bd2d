// Package server listens for syslog on UDP, TCP and TLS, splits what comes
// into records, and hands them on in batches. It keeps limits on every peer
// and counts what it refuses; it does not look inside records.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Server receives syslog. It is made by New, works in Run, and its other
// methods are safe for concurrent use.
type Server struct {
	handler Handler
	log     *slog.Logger
	notices notices
	count   counters
	gate    gate
	policy  atomic.Pointer[policy]
	conns   atomic.Uint64 // ids given

	firstRecord time.Duration // as the constant, apart from tests
	whole       bool          // Options.Datagrams

	streams []*streamListener
	packets []*packetSocket

	wg       sync.WaitGroup
	stopping atomic.Pointer[time.Time] // when draining must end; nil: not stopping
	closing  sync.Once
}

// policy is what Reload can change; it is replaced as a whole.
type policy struct {
	limits  Limits
	allowed []netip.Prefix
	tls     *tls.Config // nil: none
}

// allows says whether addr may send.
func (p *policy) allows(addr netip.Addr) bool {
	if len(p.allowed) == 0 {
		return true
	}
	addr = addr.WithZone("")
	return slices.ContainsFunc(p.allowed, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// New checks o, reads the certificate and binds all sockets. On an error
// nothing stays bound. The caller runs the Server or closes it.
func New(o Options, h Handler) (*Server, error) {
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{handler: h, log: log.With("component", strings.TrimPrefix(o.key(), "listen.")), whole: o.Datagrams}
	s.notices.log = s.log
	s.gate.open, s.gate.bySource = make(map[*visit]struct{}), make(map[netip.Addr]int)
	s.firstRecord = firstRecord
	p, err := newPolicy(o)
	if err != nil {
		return nil, err
	}
	s.policy.Store(p)
	if err := s.bindAll(o); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func newPolicy(o Options) (*policy, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	allowed, err := parseSources(o.AllowedSources)
	if err != nil {
		return nil, err
	}
	config, err := o.TLS.load()
	if err != nil {
		return nil, err
	}
	return &policy{limits: o.Limits.withDefaults(), allowed: allowed, tls: config}, nil
}

func (s *Server) bindAll(o Options) error {
	for _, spec := range o.Listen {
		a, err := o.parseSpec(spec)
		if err != nil {
			return err
		}
		if err := s.bind(a, o.key()); err != nil {
			if !slices.Contains(o.Optional, spec) {
				return err
			}
			s.log.Warn("not listening", "listener", spec, "error", err)
		}
	}
	if len(o.Listen) > 0 && len(s.streams)+len(s.packets) == 0 {
		return fmt.Errorf("%s: none of the listeners could be bound", o.key())
	}
	return nil
}

func (s *Server) bind(a address, key string) error {
	if a.scheme == "udp" {
		p, err := bindUDP(a, s.log)
		if err != nil {
			return bindError(a, key, err)
		}
		s.packets = append(s.packets, p)
		return nil
	}
	l, err := net.Listen("tcp", a.host)
	if err != nil {
		return bindError(a, key, err)
	}
	s.streams = append(s.streams, &streamListener{l, a})
	return nil
}

// bindError says what to do about a socket that cannot be bound.
func bindError(a address, key string, err error) error {
	hint := "is the address one of this machine's?"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "another program has this port: stop it, or choose another port in " + key
	case errors.Is(err, fs.ErrPermission):
		hint = "ports below 1024 need CAP_NET_BIND_SERVICE: grant it, or choose another port in " + key
	}
	return fmt.Errorf("listen on %s: %w (%s)", a.spec, err, hint)
}

// Addrs are the bound addresses, in the order of Options.Listen, without the
// optional ones that could not be bound.
func (s *Server) Addrs() []net.Addr {
	var addrs []net.Addr
	for _, l := range s.streams {
		addrs = append(addrs, l.Addr())
	}
	for _, p := range s.packets {
		addrs = append(addrs, p.conn.LocalAddr())
	}
	return addrs
}

// Reload reads the certificate files again and takes over limits and allowed
// sources, for connections and datagrams from now on. Listen stays as it was
// at New. On an error nothing changes.
func (s *Server) Reload(o Options) error {
	p, err := newPolicy(o)
	if err != nil {
		return fmt.Errorf("reload syslog listeners: %w", err)
	}
	if p.tls == nil && slices.ContainsFunc(s.streams, func(l *streamListener) bool { return l.scheme == "tls" }) {
		return errors.New("reload syslog listeners: a tls:// listener is open and needs listen.tls")
	}
	s.policy.Store(p)
	return nil
}

// Bounds of a soft stop: a socket is drained until it brought nothing for
// drainQuiet, and not longer than drainMax.
const (
	drainQuiet = 50 * time.Millisecond
	drainMax   = time.Second
)

// Run serves until ctx is done, then stops softly: nobody is let in any more,
// what was received is read and handed on, sessions are closed. It returns
// nil then. It waits for sessions, so whatever they hand on to must still be
// taking. Run is for one call.
func (s *Server) Run(ctx context.Context) error {
	defer s.Close()
	for _, l := range s.streams {
		s.wg.Go(func() { s.accept(ctx, l) })
	}
	for _, p := range s.packets {
		s.wg.Go(func() { s.receive(p) })
	}
	<-ctx.Done()
	s.stop(time.Now())
	s.wg.Wait()
	return nil
}

func (s *Server) stop(now time.Time) {
	until := now.Add(drainMax)
	s.stopping.Store(&until)
	for _, l := range s.streams {
		_ = l.Close()
	}
	soon := now.Add(drainQuiet)
	for _, p := range s.packets {
		_ = p.conn.SetReadDeadline(soon)
	}
	s.gate.each(func(c net.Conn) { _ = c.SetReadDeadline(soon) })
}

// Close closes the sockets of a Server that is not run. It may be called
// again.
func (s *Server) Close() {
	s.closing.Do(func() {
		for _, l := range s.streams {
			_ = l.Close()
		}
		for _, p := range s.packets {
			p.close()
		}
	})
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	c := &s.count
	st := Stats{
		Records: c.records.Load(), Bytes: c.bytes.Load(), Datagrams: c.datagrams.Load(), Truncated: c.truncated.Load(),
		Open: s.gate.count(), Accepted: c.accepted.Load(), Idle: c.idle.Load(),
		Refused: Refused{
			Source:      c.refused[refusedSource].Load(),
			Connections: c.refused[refusedConnections].Load(),
			PerSource:   c.refused[refusedPerSource].Load(),
			Plain:       c.refused[refusedPlain].Load(),
			TLS:         c.refused[refusedTLS].Load(),
			Datagrams:   c.refused[refusedDatagram].Load(),
		},
		HandshakeErrors: c.handshakeErrors.Load(), ReadErrors: c.readErrors.Load(),
	}
	for _, p := range s.packets {
		n, ok := p.drops()
		st.KernelDrops += n
		st.KernelDropsKnown = st.KernelDropsKnown || ok
	}
	return st
}

// hand passes a batch on and counts it.
func (s *Server) hand(session Session, b *Batch) time.Duration {
	bytes, truncated := 0, 0
	for i := range b.Lines {
		bytes += len(b.Lines[i].Text)
		if b.Lines[i].Truncated {
			truncated++
		}
	}
	s.count.records.Add(uint64(len(b.Lines)))
	s.count.bytes.Add(uint64(bytes))
	s.count.truncated.Add(uint64(truncated))
	return session.Lines(b)
}

// deadline is when a blocked read has to wake up at the latest.
func (s *Server) deadline(now, next time.Time) time.Time {
	if s.stopping.Load() != nil {
		return now.Add(drainQuiet)
	}
	return next
}

// drained says that a stopping server has read long enough.
func (s *Server) drained(now time.Time) bool {
	until := s.stopping.Load()
	return until != nil && now.After(*until)
}
