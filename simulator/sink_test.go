package simulator_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vegress/vegress/simulator"
)

// sink is a receiver that keeps every record.
type sink struct {
	addr       string
	listener   net.Listener
	breakAfter int64  // bytes; the connection that reaches it is reset, once
	onFirst    func() // called at the first record

	wg    sync.WaitGroup
	mu    sync.Mutex
	lines []string
	bytes int64
	once  sync.Once
}

func listenTCP(t *testing.T, config *tls.Config) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{addr: l.Addr().String(), listener: l}
	if config != nil {
		s.listener = tls.NewListener(l, config)
	}
	s.wg.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

func (s *sink) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() { s.read(conn) })
	}
}

func (s *sink) close() {
	_ = s.listener.Close()
	s.wg.Wait()
}

// wait is all lines, when every connection is over.
func (s *sink) wait(t *testing.T) []string {
	t.Helper()
	s.close()
	return s.lines
}

func (s *sink) read(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		line, n, err := frame(r)
		if err != nil {
			return
		}
		if s.keep(line, n) {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			return
		}
	}
}

func (s *sink) keep(line string, n int64) (reset bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
	s.bytes += n
	if s.onFirst != nil {
		s.once.Do(s.onFirst)
	}
	if s.breakAfter > 0 && s.bytes > s.breakAfter {
		s.breakAfter = 0
		return true
	}
	return false
}

// frame reads one record, octet-counted or with LF (RFC 6587).
func frame(r *bufio.Reader) (string, int64, error) {
	first, err := r.Peek(1)
	if err != nil {
		return "", 0, err
	}
	if first[0] < '0' || first[0] > '9' {
		line, err := r.ReadString('\n')
		return strings.TrimSuffix(line, "\n"), int64(len(line)), err
	}
	count, err := r.ReadString(' ')
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(count))
	if err != nil {
		return "", 0, err
	}
	buf := make([]byte, n)
	_, err = io.ReadFull(r, buf)
	return string(buf), int64(n + len(count)), err
}

// packets is a receiver of datagrams.
type packets struct {
	conn  *net.UDPConn
	addr  string
	lines chan string
}

func listenUDP(t *testing.T) *packets {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadBuffer(8 << 20)
	p := &packets{conn: conn, addr: conn.LocalAddr().String(), lines: make(chan string, 1<<20)}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 65536)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				close(p.lines)
				return
			}
			p.lines <- string(buf[:n])
		}
	})
	t.Cleanup(func() {
		_ = conn.Close()
		wg.Wait()
	})
	return p
}

// take is n datagrams, less those that the kernel dropped on a busy machine.
func (p *packets) take(t *testing.T, n int) []string {
	var out []string
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for len(out) < n {
		select {
		case line := <-p.lines:
			out = append(out, line)
		case <-tick.C:
			if len(out)+p.dropped(t) >= n {
				return out
			}
		case <-deadline:
			return out
		}
	}
	return out
}

// dropped is the kernel's count of what did not fit the socket's buffer: the
// last column of /proc/net/udp. Elsewhere than on Linux it is 0.
func (p *packets) dropped(t *testing.T) int {
	t.Helper()
	table, err := os.ReadFile("/proc/net/udp")
	if err != nil {
		return 0
	}
	port := fmt.Sprintf(":%04X", p.conn.LocalAddr().(*net.UDPAddr).Port)
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) < 13 || !strings.HasSuffix(f[1], port) {
			continue
		}
		n, err := strconv.Atoi(f[len(f)-1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 0
}

// discard reads and forgets.
func discard(b *testing.B, network string) string {
	b.Helper()
	var wg sync.WaitGroup
	b.Cleanup(wg.Wait)
	if network == "udp" {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		return conn.LocalAddr().String() // never read: the kernel drops
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{conn}, make([]byte, 1<<20))
				_ = conn.Close()
			})
		}
	})
	b.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

var header = regexp.MustCompile(`^<\d{1,3}>(?:1 )?(\S+) (\S+) `)

// timeOf reads a line's header as far as all formats agree.
func timeOf(line string) (time.Time, bool) {
	m := header.FindStringSubmatch(line)
	if m == nil {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, m[1])
	return at, err == nil
}

func senderOf(line string) string {
	m := header.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	return m[2]
}

// certificates are for a receiver that only the test trusts.
func certificates(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	cert := selfSigned(t)
	pool := x509.NewCertPool()
	pool.AddCert(cert.Leaf)
	return &tls.Config{Certificates: []tls.Certificate{cert}}, &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

func site(t *testing.T, o simulator.Options) *simulator.Site {
	t.Helper()
	s, err := simulator.NewSite(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
