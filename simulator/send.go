package simulator

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sort"
	"time"
)

// Counts is what a sender knows about what it sent.
type Counts struct {
	Records int64 `json:"records"` // lines that the kernel took
	Bytes   int64 `json:"bytes"`   // with framing
	Errors  int64 `json:"errors"`  // failed writes and dials
	// Resent lines were sent a second time, whole, because a connection broke
	// within them. They count once in Records.
	Resent int64 `json:"resent"`
	// InDoubt bounds the lines among Records that may have been lost: they were
	// in the socket buffers of a connection that broke.
	InDoubt    int64 `json:"in_doubt"`
	Reconnects int64 `json:"reconnects"`
}

// Add adds o to c.
func (c *Counts) Add(o Counts) {
	c.Records += o.Records
	c.Bytes += o.Bytes
	c.Errors += o.Errors
	c.Resent += o.Resent
	c.InDoubt += o.InDoubt
	c.Reconnects += o.Reconnects
}

// target is an address to send to: "udp://", "tcp://" or "tls://host:port".
type target struct{ network, address string }

func parseTarget(s string) (target, error) {
	u, err := url.Parse(s)
	if err != nil {
		return target{}, fmt.Errorf("parse target: %w", err)
	}
	switch u.Scheme {
	case "udp", "tcp", "tls":
	default:
		return target{}, fmt.Errorf("target %q: the scheme is not udp, tcp or tls", s)
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return target{}, fmt.Errorf("target %q: %w", s, err)
	}
	return target{u.Scheme, u.Host}, nil
}

// Times and sizes of a link.
const (
	dialWait    = 5 * time.Second
	redialFirst = 50 * time.Millisecond
	redialMost  = 2 * time.Second
	lingerWait  = 5 * time.Second
	// inFlight is more than the kernel holds of a connection that broke: the
	// sender's and the receiver's socket buffer.
	inFlight = 8 << 20
)

// link is a way to one target. Over TCP and TLS it dials again when the
// connection breaks, and sends the line that was cut once more. It is not safe
// for concurrent use.
type link struct {
	to       target
	tls      *tls.Config
	patience time.Duration   // how long to try to connect again
	quit     <-chan struct{} // closed: no longer; nil: as long as that

	conn    net.Conn
	stop    func() bool // of the watch on ctx
	since   int64       // lines on this connection
	written int64       // bytes on it
	ever    bool
	counts  Counts
}

// open connects, unless it is.
func (l *link) open(ctx context.Context) error {
	if l.conn != nil {
		return nil
	}
	deadline := time.Now().Add(l.patience)
	for wait := redialFirst; ; wait = min(2*wait, redialMost) {
		conn, err := l.dial(ctx)
		if err == nil {
			l.adopt(ctx, conn)
			return nil
		}
		l.counts.Errors++
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().Add(wait).After(deadline) {
			return fmt.Errorf("connect to %s://%s: %w", l.to.network, l.to.address, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.quit:
			return fmt.Errorf("connect to %s://%s: %w", l.to.network, l.to.address, err)
		case <-time.After(wait):
		}
	}
}

func (l *link) dial(ctx context.Context) (net.Conn, error) {
	d := &net.Dialer{Timeout: dialWait}
	if l.to.network == "tls" {
		ctx, cancel := context.WithTimeout(ctx, dialWait)
		defer cancel()
		return (&tls.Dialer{NetDialer: d, Config: l.tls}).DialContext(ctx, "tcp", l.to.address)
	}
	return d.DialContext(ctx, l.to.network, l.to.address)
}

func (l *link) adopt(ctx context.Context, conn net.Conn) {
	l.conn, l.since, l.written = conn, 0, 0
	// A write that blocks ends with ctx.
	l.stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	if l.ever {
		l.counts.Reconnects++
	}
	l.ever = true
}

// send writes buf, whose lines end at ends, one datagram or frame each. It
// returns an error when ctx ends, or when there is no connection for the
// link's patience; what was not taken then is not in the counts.
func (l *link) send(ctx context.Context, buf []byte, ends []int) error {
	if l.to.network == "udp" {
		return l.sendDatagrams(ctx, buf, ends)
	}
	for begin := 0; len(ends) > 0; {
		if err := l.open(ctx); err != nil {
			return err
		}
		n, err := l.conn.Write(buf[begin:])
		reached := begin + n
		taken := sort.SearchInts(ends, reached+1)
		if taken > 0 {
			l.took(taken, ends[taken-1]-begin)
			begin, ends = ends[taken-1], ends[taken:]
		}
		if err == nil {
			continue
		}
		l.broke()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if reached > begin {
			l.counts.Resent++
		}
	}
	return nil
}

// sendDatagrams leaves out each line's LF. A datagram that the kernel refuses,
// for nobody listens, is an error and gone.
func (l *link) sendDatagrams(ctx context.Context, buf []byte, ends []int) error {
	if err := l.open(ctx); err != nil {
		return err
	}
	begin := 0
	for _, end := range ends {
		line := buf[begin:end]
		if k := len(line); k > 0 && line[k-1] == '\n' {
			line = line[:k-1]
		}
		if _, err := l.conn.Write(line); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			l.counts.Errors++
		} else {
			l.took(1, len(line))
		}
		begin = end
	}
	return nil
}

func (l *link) took(lines, bytes int) {
	l.since += int64(lines)
	l.written += int64(bytes)
	l.counts.Records += int64(lines)
	l.counts.Bytes += int64(bytes)
}

// broke closes a connection that failed. What the kernel still had of it may
// be lost.
func (l *link) broke() {
	l.counts.Errors++
	doubt := l.since
	if l.written > inFlight {
		doubt = min(doubt, l.since*inFlight/l.written+1)
	}
	l.counts.InDoubt += doubt
	l.drop()
}

func (l *link) drop() {
	l.stop()
	_ = l.conn.Close()
	l.conn = nil
}

// close ends the link: it tells the receiver that nothing more comes, and
// waits until that has read everything. A receiver that does not close leaves
// what it was sent in doubt.
func (l *link) close(ctx context.Context) {
	if l.conn == nil {
		return
	}
	half, ok := l.conn.(interface{ CloseWrite() error })
	if !ok || ctx.Err() != nil || half.CloseWrite() != nil {
		l.drop()
		return
	}
	_ = l.conn.SetReadDeadline(time.Now().Add(lingerWait))
	// A TLS receiver may leave out its close_notify: that is ErrUnexpectedEOF.
	if _, err := io.Copy(io.Discard, l.conn); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		l.broke()
		return
	}
	l.drop()
}

// links connects each sender to the target that fits it.
type links struct {
	targets []target
	tls     *tls.Config
}

func newLinks(targets []string, config *tls.Config) (*links, error) {
	if len(targets) == 0 {
		return nil, errors.New("no target to send to")
	}
	ls := &links{tls: config}
	for _, s := range targets {
		t, err := parseTarget(s)
		if err != nil {
			return nil, err
		}
		ls.targets = append(ls.targets, t)
	}
	return ls, nil
}

// to is a link to the target of that network, or to the first.
func (ls *links) to(network string, patience time.Duration) *link {
	to := ls.targets[0]
	for _, t := range ls.targets {
		if t.network == network {
			to = t
			break
		}
	}
	return &link{to: to, tls: ls.tls, patience: cmp.Or(patience, 30*time.Second)}
}
