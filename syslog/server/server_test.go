package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vegress/vegress/syslog/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector is a Handler that keeps what it gets.
type collector struct {
	mu      sync.Mutex
	lines   []server.Line
	sources []server.Source
	closed  int
	idle    int
	wait    time.Duration // what Lines and Idle answer
	block   chan struct{} // Lines waits for it
}

func (c *collector) Open(src server.Source) server.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sources = append(c.sources, src)
	return c
}

func (c *collector) Lines(b *server.Batch) time.Duration {
	if c.block != nil {
		<-c.block
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(b.Lines) == 0 || len(b.Lines) > server.MaxBatch || b.Received.IsZero() {
		panic(fmt.Sprintf("batch of %d at %s", len(b.Lines), b.Received))
	}
	c.lines = append(c.lines, b.Lines...)
	return c.wait
}

func (c *collector) Idle(time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle++
	return 0
}

func (c *collector) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed++
}

func (c *collector) texts() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, l := range c.lines {
		all = append(all, l.Text)
	}
	return all
}

func (c *collector) count() (lines, closed, idle int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lines), c.closed, c.idle
}

// eventually waits until is is true, and says what was waited for when not.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// start runs a Server until the test ends; stop ends it before.
func start(t testing.TB, o server.Options, h server.Handler) (s *server.Server, stop func()) {
	t.Helper()
	s, err := server.New(o, h)
	if err != nil {
		t.Fatal(err)
	}
	return s, run(t, s)
}

func run(t testing.TB, s *server.Server) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func dial(t testing.TB, a net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial(a.Network(), a.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func send(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func TestTCPFramings(t *testing.T) {
	h := &collector{}
	s, stop := start(t, server.Options{Listen: []string{"tcp://127.0.0.1:0"}}, h)
	c := dial(t, s.Addrs()[0])
	send(t, c, "<14>a\n7 <14>b\nb<14>c\x00<14>d\r\n2031 e\n\n<14>no e")
	send(t, c, "nd")
	_ = c.Close()
	eventually(t, "the connection's end", func() bool { _, closed, _ := h.count(); return closed == 1 })
	if want := []string{"<14>a", "<14>b\nb", "<14>c", "<14>d", "2031 e", "<14>no end"}; !slices.Equal(h.texts(), want) {
		t.Errorf("got %q, want %q", h.texts(), want)
	}
	peer := h.lines[0].Peer
	if src := h.sources[0]; src.Transport != "tcp" || src.Local != "tcp://127.0.0.1:0" || src.Peer != peer || src.Conn == 0 || peer.String() != c.LocalAddr().String() {
		t.Errorf("source %+v, peer %s", src, peer)
	}
	stop()
	st := s.Stats()
	if st.Records != 6 || st.Bytes != 38 || st.Accepted != 1 || st.Open != 0 {
		t.Errorf("%+v", st)
	}
}

// TestUDPPeers: a datagram's sender is told for both families, and an IPv4
// address is one also on a socket of IPv6.
func TestUDPPeers(t *testing.T) {
	for _, tt := range []struct{ listen, from string }{
		{"udp://127.0.0.1:0", "127.0.0.1"},
		{"udp://[::1]:0", "::1"},
		{"udp://[::]:0", "127.0.0.1"},
	} {
		t.Run(tt.listen, func(t *testing.T) {
			h := &collector{}
			if probe, err := net.ListenPacket("udp", strings.TrimPrefix(tt.listen, "udp://")); err != nil {
				t.Skipf("not on this machine: %v", err)
			} else {
				probe.Close()
			}
			s, stop := start(t, server.Options{Listen: []string{tt.listen}}, h)
			_, port, _ := net.SplitHostPort(s.Addrs()[0].String())
			c, err := net.Dial("udp", net.JoinHostPort(tt.from, port))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write([]byte("<14>hello\n")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the line", func() bool { return len(h.texts()) == 1 })
			stop()
			if got, want := h.lines[0].Peer.String(), c.LocalAddr().String(); got != want || h.lines[0].Text != "<14>hello" {
				t.Errorf("got %q from %s, want it from %s", h.lines[0].Text, got, want)
			}
		})
	}
}

func TestUDP(t *testing.T) {
	for _, listen := range []string{"udp://127.0.0.1:0", "udp://[::1]:0"} {
		h := &collector{}
		s, err := server.New(server.Options{Listen: []string{listen}}, h)
		if err != nil && strings.Contains(listen, "::1") {
			t.Skipf("no IPv6 here: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		s, stop := start(t, server.Options{Listen: []string{listen}}, h)
		c := dial(t, s.Addrs()[0])
		big := strings.Repeat("x", 65507)
		if strings.Contains(listen, "127") && runtime.GOOS == "darwin" {
			big = big[:9000]
		}
		for _, text := range []string{"<14>a", "<14>b\nb\n", "<14>c\x00", "\n", big} {
			send(t, c, text)
		}
		eventually(t, "four datagrams", func() bool { n, _, _ := h.count(); return n == 4 })
		if want := []string{"<14>a", "<14>b\nb", "<14>c", big}; !slices.Equal(h.texts(), want) {
			t.Errorf("got %.300q", h.texts())
		}
		if got := h.lines[3]; got.Peer.String() != c.LocalAddr().String() || got.Truncated {
			t.Errorf("peer %s, truncated %t", got.Peer, got.Truncated)
		}
		if src := h.sources[0]; src.Transport != "udp" || src.Peer.IsValid() {
			t.Errorf("source %+v", src)
		}
		stop()
		if st := s.Stats(); st.Datagrams != 5 || st.Records != 4 || st.KernelDropsKnown != (runtime.GOOS == "linux") || st.KernelDrops != 0 {
			t.Errorf("%+v", st)
		}
		if _, closed, _ := h.count(); closed != 1 {
			t.Errorf("closed %d times", closed)
		}
	}
}

// A socket that nobody reads fills up; the kernel says how many it dropped.
func TestUDPKernelDrops(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the drop counter is Linux's")
	}
	h := &collector{block: make(chan struct{})}
	s, stop := start(t, server.Options{Listen: []string{"udp://127.0.0.1:0"}}, h)
	c := dial(t, s.Addrs()[0])
	text := strings.Repeat("x", 60000)
	sent := 0
	eventually(t, "a dropped datagram", func() bool {
		send(t, c, text)
		sent++
		return s.Stats().KernelDrops > 0
	})
	close(h.block)
	stop()
	st := s.Stats()
	if st.Datagrams+st.KernelDrops != uint64(sent) {
		t.Errorf("%d sent, %+v", sent, st)
	}
}

func TestUDPIdle(t *testing.T) {
	h := &collector{wait: 5 * time.Millisecond}
	s, _ := start(t, server.Options{Listen: []string{"udp://127.0.0.1:0", "tcp://127.0.0.1:0"}}, h)
	for i, a := range s.Addrs() {
		send(t, dial(t, a), "<14>a\n")
		eventually(t, "the session's wait", func() bool { _, _, idle := h.count(); return idle == i+1 })
	}
}

func TestTruncation(t *testing.T) {
	h := &collector{}
	s, _ := start(t, server.Options{Listen: []string{"tcp://127.0.0.1:0", "udp://127.0.0.1:0"}, Limits: server.Limits{Message: 480}}, h)
	for _, a := range s.Addrs() {
		send(t, dial(t, a), "<14>"+strings.Repeat("x", 600)+"\n")
	}
	eventually(t, "two records", func() bool { n, _, _ := h.count(); return n == 2 })
	for _, l := range h.lines {
		if len(l.Text) != 480 || !l.Truncated {
			t.Errorf("%d bytes, truncated %t", len(l.Text), l.Truncated)
		}
	}
	if n := s.Stats().Truncated; n != 2 {
		t.Errorf("%d counted", n)
	}
}

// closedByServer says whether reading c ends before data comes.
func closedByServer(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	_, err := c.Read(make([]byte, 1))
	return err != nil && !os.IsTimeout(err)
}

func TestLimits(t *testing.T) {
	var log bytes.Buffer
	o := server.Options{
		Listen: []string{"tcp://127.0.0.1:0"},
		Limits: server.Limits{Connections: 3, ConnectionsPerSource: 2},
		Logger: slog.New(slog.NewTextHandler(&syncWriter{w: &log}, nil)),
	}
	h := &collector{}
	s, stop := start(t, o, h)
	first, second := dial(t, s.Addrs()[0]), dial(t, s.Addrs()[0])
	send(t, first, "<14>a\n")
	send(t, second, "<14>b\n")
	eventually(t, "two records", func() bool { n, _, _ := h.count(); return n == 2 })
	for range 3 {
		if !closedByServer(dial(t, s.Addrs()[0])) {
			t.Error("a third connection of one source is let in")
		}
	}
	if st := s.Stats(); st.Refused.PerSource != 3 || st.Accepted != 2 || st.Open != 2 {
		t.Errorf("%+v", st)
	}
	_ = first.Close()
	eventually(t, "its place", func() bool { return s.Stats().Open == 1 })
	o.Limits.Connections = 1
	if err := s.Reload(o); err != nil {
		t.Fatal(err)
	}
	if !closedByServer(dial(t, s.Addrs()[0])) || s.Stats().Refused.Connections != 1 {
		t.Errorf("the limit in all is not kept: %+v", s.Stats())
	}
	o.AllowedSources = []string{"192.0.2.0/24", "2001:db8::7"}
	if err := s.Reload(o); err != nil {
		t.Fatal(err)
	}
	if !closedByServer(dial(t, s.Addrs()[0])) || s.Stats().Refused.Source != 1 {
		t.Errorf("a source that is not allowed is let in: %+v", s.Stats())
	}
	stop()
	if n := strings.Count(log.String(), "connections_per_source"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
}

// At the limit in all, who never sent a record makes room, the longest silent
// first, and nobody else does.
func TestSilentMakesRoom(t *testing.T) {
	h := &collector{}
	s, _ := start(t, server.Options{Listen: []string{"tcp://127.0.0.1:0"}, Limits: server.Limits{Connections: 3}}, h)
	let := func() net.Conn {
		t.Helper()
		was := s.Stats().Accepted
		c := dial(t, s.Addrs()[0])
		eventually(t, "a connection is let in", func() bool { return s.Stats().Accepted == was+1 })
		return c
	}
	speak := func(c net.Conn) {
		t.Helper()
		was := s.Stats().Records
		send(t, c, "<14>a\n")
		eventually(t, "a record", func() bool { return s.Stats().Records == was+1 })
	}
	speaker, first, second := let(), let(), let()
	speak(speaker)
	send(t, first, "<14>no end") // bytes, but no record
	third := let()
	if !closedByServer(first) {
		t.Error("the longest silent is still open")
	}
	speak(third)
	fourth := let()
	if !closedByServer(second) {
		t.Error("the second silent is still open")
	}
	speak(fourth)
	if !closedByServer(dial(t, s.Addrs()[0])) {
		t.Error("a connection takes the place of one that spoke")
	}
	for _, c := range []net.Conn{speaker, third, fourth} {
		speak(c)
	}
	if st := s.Stats(); st.Open != 3 || st.Accepted != 5 || st.Refused.Connections != 3 || st.ReadErrors != 0 || st.Idle != 0 {
		t.Errorf("%+v", st)
	}
}

// A connection that brings no record in time is closed, whatever else it
// sends; one that brought a record is not.
func TestFirstRecord(t *testing.T) {
	_, files := authority(t)
	s, err := server.New(server.Options{Listen: []string{"tcp://127.0.0.1:0"}, TLS: files}, &collector{})
	if err != nil {
		t.Fatal(err)
	}
	server.SetFirstRecord(s, 100*time.Millisecond)
	run(t, s)
	var speaker net.Conn
	eventually(t, "a record in time", func() bool {
		closed := s.Stats().Idle
		speaker = dial(t, s.Addrs()[0])
		_, err := io.WriteString(speaker, "<14>a\n")
		eventually(t, "an answer", func() bool { return s.Stats().Records > 0 || s.Stats().Idle > closed })
		return err == nil && s.Stats().Records > 0
	})
	before := s.Stats().Idle
	silent, slow := dial(t, s.Addrs()[0]), dial(t, s.Addrs()[0])
	send(t, slow, "<14>no end")
	if !closedByServer(silent) || !closedByServer(slow) {
		t.Error("a connection without a record is still open")
	}
	eventually(t, "their places", func() bool { return s.Stats().Open == 1 })
	if n := s.Stats().Idle - before; n != 2 {
		t.Errorf("%d counted as idle, want 2", n)
	}
	was := s.Stats().Records
	send(t, speaker, "<14>b\n")
	eventually(t, "another record", func() bool { return s.Stats().Records == was+1 })
}

func TestSourceOf(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7":               "192.0.2.7",
		"2001:db8:1:2:3:4:5:6":    "2001:db8:1:2::",
		"2001:db8:1:2:ffff::":     "2001:db8:1:2::",
		"2001:db8:1:3::1":         "2001:db8:1:3::",
		"fe80::250:56ff:fe00:7%2": "fe80::",
	} {
		if got := server.SourceOf(netip.MustParseAddr(addr)); got != netip.MustParseAddr(want) {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
}

// syncWriter serializes writes of several goroutines.
type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *syncWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(b)
}

func TestUDPAllowedSources(t *testing.T) {
	h := &collector{}
	o := server.Options{Listen: []string{"udp://127.0.0.1:0"}, AllowedSources: []string{"192.0.2.0/24"}}
	s, _ := start(t, o, h)
	c := dial(t, s.Addrs()[0])
	send(t, c, "<14>no")
	eventually(t, "its refusal", func() bool { return s.Stats().Refused.Datagrams == 1 })
	o.AllowedSources = []string{"127.0.0.1"}
	if err := s.Reload(o); err != nil {
		t.Fatal(err)
	}
	send(t, c, "<14>yes")
	eventually(t, "a datagram", func() bool { n, _, _ := h.count(); return n == 1 })
	if h.texts()[0] != "<14>yes" {
		t.Errorf("got %q", h.texts())
	}
}

// A client that stalls within a frame is closed, and the piece handed on.
func TestSlowClient(t *testing.T) {
	h := &collector{}
	s, _ := start(t, server.Options{Listen: []string{"tcp://127.0.0.1:0"}, Limits: server.Limits{Idle: 500 * time.Millisecond}}, h)
	c := dial(t, s.Addrs()[0])
	send(t, c, "20 <14>half")
	if !closedByServer(c) {
		t.Error("it is not closed")
	}
	eventually(t, "the piece", func() bool { n, closed, _ := h.count(); return n == 1 && closed == 1 })
	if l := h.lines[0]; l.Text != "<14>half" || !l.Truncated {
		t.Errorf("got %+v", l)
	}
	if st := s.Stats(); st.Idle != 1 {
		t.Errorf("%+v", st)
	}
}

// A session that blocks makes the sender's write block.
func TestBackPressure(t *testing.T) {
	h := &collector{block: make(chan struct{})}
	s, _ := start(t, server.Options{Listen: []string{"tcp://127.0.0.1:0"}}, h)
	c := dial(t, s.Addrs()[0])
	line := strings.Repeat("x", 1023) + "\n"
	sent, total := 0, 0
	for {
		_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		n, err := io.WriteString(c, line)
		total += n
		if err != nil {
			break
		}
		if sent++; sent > 1<<20 {
			t.Fatal("1 GiB was taken by a session that blocks")
		}
	}
	close(h.block)
	_ = c.SetWriteDeadline(time.Time{})
	send(t, c, "\n")
	_ = c.Close()
	eventually(t, "all that was sent", func() bool { _, closed, _ := h.count(); return closed == 1 })
	if n, _, _ := h.count(); n != (total+1023)/1024 {
		t.Errorf("%d records of %d bytes", n, total)
	}
}

// What was received before the stop is handed on, on every transport.
func TestStopDrains(t *testing.T) {
	h := &collector{block: make(chan struct{})}
	s, stop := start(t, server.Options{Listen: []string{"tcp://127.0.0.1:0", "udp://127.0.0.1:0"}}, h)
	a := s.Addrs()
	const each = 500
	streams := []net.Conn{dial(t, a[0]), dial(t, a[0]), dial(t, a[0])}
	eventually(t, "three connections", func() bool { return s.Stats().Open == len(streams) })
	packets := dial(t, a[1])
	for i := range each {
		for _, c := range streams {
			send(t, c, fmt.Sprintf("<14>%d\n", i))
		}
		send(t, packets, fmt.Sprintf("<14>%d", i))
	}
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	close(h.block)
	<-stopped
	if n, closed, _ := h.count(); n != 4*each || closed != 4 {
		t.Errorf("%d of %d records, %d of 4 sessions closed", n, 4*each, closed)
	}
	if c, err := net.Dial("tcp", a[0].String()); err == nil {
		_ = c.Close()
		t.Error("still listening")
	}
}

// A sender that never ends does not keep the server.
func TestStopUnderLoad(t *testing.T) {
	h := &collector{}
	s, stop := start(t, server.Options{Listen: []string{"tcp://127.0.0.1:0"}}, h)
	c := dial(t, s.Addrs()[0])
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if _, err := io.WriteString(c, "<14>on and on\n"); err != nil {
				return
			}
		}
	})
	eventually(t, "load", func() bool { n, _, _ := h.count(); return n > 100 })
	stop()
	wg.Wait()
	n, closed, _ := h.count()
	if st := s.Stats(); st.Records != uint64(n) || closed != 1 {
		t.Errorf("%d handed on, %d closed, %+v", n, closed, st)
	}
}

func TestStopWithSilentClients(t *testing.T) {
	_, files := authority(t)
	h := &collector{}
	s, stop := start(t, server.Options{Listen: []string{"tcp://127.0.0.1:0"}, TLS: files}, h)
	dial(t, s.Addrs()[0])               // says nothing
	hello := dial(t, s.Addrs()[0])      // begins a handshake
	send(t, hello, "\x16\x03\x01")      //
	send(t, dial(t, s.Addrs()[0]), "<") // begins a line
	eventually(t, "connections", func() bool { n, _, _ := h.count(); return s.Stats().Open == 3 && n == 0 })
	stop()
}

func TestTLSBesidePlain(t *testing.T) {
	pool, files := authority(t)
	files.ClientCAFile = ""
	h := &collector{}
	s, _ := start(t, server.Options{Listen: []string{"tcp://127.0.0.1:0", "tls://127.0.0.1:0"}, TLS: files}, h)
	a := s.Addrs()
	for i, address := range a {
		c, err := tls.Dial("tcp", address.String(), &tls.Config{RootCAs: pool, ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		send(t, c, "9 <14>crypt9 <14>again")
		_ = c.Close()
		eventually(t, "two records over TLS", func() bool { n, _, _ := h.count(); return n == 2*(i+1) })
	}
	send(t, dial(t, a[0]), "<14>plain\n")
	eventually(t, "a plain record", func() bool { n, _, _ := h.count(); return n == 5 })
	plain := dial(t, a[1])
	send(t, plain, "<14>plain\n")
	if !closedByServer(plain) {
		t.Error("plain is taken on tls://")
	}
	old, err := tls.Dial("tcp", a[0].String(), &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}) //nolint:gosec // to be refused
	if err == nil {
		_ = old.Close()
		t.Error("TLS 1.1 is taken")
	}
	eventually(t, "its count", func() bool { return s.Stats().HandshakeErrors == 1 })
	if st := s.Stats(); st.Refused.Plain != 1 || st.Records != 5 {
		t.Errorf("%+v", st)
	}
	var transports []string
	for _, src := range h.sources {
		transports = append(transports, src.Transport)
	}
	if want := []string{"tls", "tls", "tcp"}; !slices.Equal(transports, want) {
		t.Errorf("got %q, want %q", transports, want)
	}
}

func TestMutualTLS(t *testing.T) {
	pool, files := authority(t)
	h := &collector{}
	s, _ := start(t, server.Options{Listen: []string{"tls://127.0.0.1:0"}, TLS: files}, h)
	client := &tls.Config{RootCAs: pool, ServerName: "localhost"}
	if c, err := tls.Dial("tcp", s.Addrs()[0].String(), client); err == nil { // TLS 1.3 tells at the first read
		if !closedByServer(c) {
			t.Error("a client without certificate is let in")
		}
		_ = c.Close()
	}
	cert, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	client.Certificates = []tls.Certificate{cert}
	c, err := tls.Dial("tcp", s.Addrs()[0].String(), client)
	if err != nil {
		t.Fatal(err)
	}
	send(t, c, "<14>known\n")
	eventually(t, "a record", func() bool { n, _, _ := h.count(); return n == 1 })
	_ = c.Close()
	if st := s.Stats(); st.HandshakeErrors != 1 {
		t.Errorf("%+v", st)
	}
}

func TestReloadCertificate(t *testing.T) {
	_, files := authority(t)
	files.ClientCAFile = ""
	h := &collector{}
	o := server.Options{Listen: []string{"tls://127.0.0.1:0"}, TLS: files}
	s, _ := start(t, o, h)
	serial := func() string {
		c, err := tls.Dial("tcp", s.Addrs()[0].String(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // only the serial is of interest
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	_, other := authority(t)
	copyFile(t, other.CertFile, files.CertFile)
	if err := s.Reload(o); err == nil || !strings.Contains(err.Error(), files.CertFile) {
		t.Errorf("a certificate of another key: %v", err)
	}
	if serial() != before {
		t.Error("a bad reload changed something")
	}
	copyFile(t, other.KeyFile, files.KeyFile)
	if err := s.Reload(o); err != nil {
		t.Fatal(err)
	}
	if serial() == before {
		t.Error("the old certificate is still in use")
	}
	o.TLS = server.TLS{}
	o.Listen = nil
	if err := s.Reload(o); err == nil {
		t.Error("TLS is taken from a tls:// listener")
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestNewErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	used := "tcp://" + taken.Addr().String()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, files := authority(t)
	noCA := files
	noCA.ClientCAFile = empty
	tests := []struct {
		name string
		o    server.Options
		want []string
	}{
		{"port in use", server.Options{Listen: []string{used}}, []string{used, "address already in use", "another program"}},
		{"all optional", server.Options{Listen: []string{used}, Optional: []string{used}}, []string{"none of the listeners"}},
		{"scheme", server.Options{Listen: []string{"http://:1"}}, []string{"listen.syslog", "http://:1", "udp://"}},
		{"port", server.Options{Listen: []string{"tcp://:99999"}}, []string{"tcp://:99999", "65535"}},
		{"no port", server.Options{Listen: []string{"tcp://host"}}, []string{"tcp://host", "port"}},
		{"tls without certificate", server.Options{Listen: []string{"tls://:0"}}, []string{"tls://:0", "listen.tls.cert_file"}},
		{"no key", server.Options{TLS: server.TLS{CertFile: "a.pem"}}, []string{"listen.tls", "a.pem", "both"}},
		{"CA alone", server.Options{TLS: server.TLS{ClientCAFile: "a.pem"}}, []string{"client_ca_file", "a.pem"}},
		{"no such file", server.Options{TLS: server.TLS{CertFile: "/nowhere/a.pem", KeyFile: "/nowhere/b.pem"}}, []string{"/nowhere/a.pem", "no such file"}},
		{"no certificate in it", server.Options{TLS: server.TLS{CertFile: empty, KeyFile: empty}}, []string{empty, "PEM"}},
		{"no CA in it", server.Options{TLS: noCA}, []string{"client_ca_file", empty, "no certificate"}},
		{"source", server.Options{AllowedSources: []string{"10.0.0.0/33"}}, []string{"listen.allowed_sources", "10.0.0.0/33"}},
		{"message", server.Options{Limits: server.Limits{Message: 100}}, []string{"limits.message", "100", "480"}},
		{"connections", server.Options{Limits: server.Limits{Connections: -1}}, []string{"limits.connections", "-1"}},
		{"idle", server.Options{Limits: server.Limits{Idle: -time.Second}}, []string{"limits.idle", "-1s"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := server.New(tt.o, &collector{})
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
		})
	}
}

func TestOptionalListener(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	used := "tcp://" + taken.Addr().String()
	var log bytes.Buffer
	s, err := server.New(server.Options{
		Listen: []string{used, "tcp://127.0.0.1:0"}, Optional: []string{used},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}, &collector{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if len(s.Addrs()) != 1 || !strings.Contains(log.String(), "not listening") || !strings.Contains(log.String(), used) {
		t.Errorf("%v, log %q", s.Addrs(), log.String())
	}
}

// authority makes a CA that signs itself and serves as server and client
// certificate, and its files.
func authority(t testing.TB) (*x509.CertPool, server.TLS) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := server.TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), ClientCAFile: filepath.Join(dir, "ca.pem")}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, content := range map[string][]byte{
		files.CertFile: certPEM, files.ClientCAFile: certPEM,
		files.KeyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return pool, files
}

// TestTLSWithoutCertificate: a handshake is no record, and the sender is told
// by a closed connection.
func TestTLSWithoutCertificate(t *testing.T) {
	h := &collector{}
	s, _ := start(t, server.Options{Listen: []string{"tcp://127.0.0.1:0"}}, h)
	c := dial(t, s.Addrs()[0])
	send(t, c, "\x16\x03\x01\x00\x05hello\n")
	if !closedByServer(c) {
		t.Error("a handshake is taken for records")
	}
	if st := s.Stats(); st.Refused.TLS != 1 || st.Records != 0 {
		t.Errorf("%+v", st)
	}
}
