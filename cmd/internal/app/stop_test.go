package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vegress/vegress/configs"
)

// senders dials the service's first listener n times.
func (s *service) senders(n int) []net.Conn {
	s.t.Helper()
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = s.sender()
		// The system would keep megabytes for a sender that waits.
		if err := conns[i].(*net.TCPConn).SetWriteBuffer(64 << 10); err != nil {
			s.t.Fatal(err)
		}
	}
	return conns
}

// TestStopDrains: a stop under load loses nothing of what was received.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	config := testConfig(t, "", nil)
	s := start(t, config)
	l := startLoad(t, 0, 1, s.senders(4)...)
	s.eventually("load", func() bool { return s.account().Forwarded > 2000 })
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	l.stop()
	a := s.account()
	if a.InFlight != 0 || a.Received != a.Forwarded {
		t.Errorf("after the stop: %+v", a)
	}
	if err := s.App.stop(); err != nil {
		t.Errorf("a second stop: %v", err)
	}
	s.server.Close()

	again := start(t, config)
	again.sendLast()
	stored := readTally(t, again.broker.ClientURL())
	if got := int64(len(stored.order)); got != a.Forwarded {
		t.Errorf("%d events are stored, %d were forwarded", got, a.Forwarded)
	}
	l.checkPrefix(t, stored)
}

// TestTerminate is TestStopDrains with a process: SIGTERM drains, exit code 0.
func TestTerminate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := spawn(t, dir, "")
	l := startLoad(t, 0, 1, dialHeld(t, p), dialHeld(t, p))
	eventually(t, "load", func() bool { return p.account().Forwarded > 2000 })
	acknowledged := p.account().Forwarded
	if code := p.terminate(); code != exitOK {
		t.Errorf("exit code %d: %s", code, p.log.String())
	}
	l.stop()
	p = spawn(t, dir, "")
	p.sendLast(t)
	stored := readTally(t, p.nats)
	if got := int64(len(stored.order)); got < acknowledged {
		t.Errorf("%d events are stored, %d were acknowledged", got, acknowledged)
	}
	l.checkPrefix(t, stored)
}

// TestBackPressure: while the store acknowledges nothing, senders wait, what
// is in flight stays within its bounds, and then everything is stored once.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	config := testConfig(t, "", nil)
	config.Forward.Streams.WindowMessages = 8 // it fills soon
	s := start(t, config)
	store := s.tapStore()
	l := startLoad(t, 0, 1, s.senders(3)...)
	s.eventually("load", func() bool { return s.account().Forwarded > 1000 })
	store.hold()
	quiet, looks := int64(0), 0
	s.eventually("senders that wait", func() bool {
		if now := l.total(); now != quiet {
			quiet, looks = now, 0
		}
		looks++
		return looks > 50 && s.account().Received < quiet
	})
	a := s.account()
	if a.InFlight == 0 || a.InFlight > mostInFlight(s) {
		t.Errorf("%d in flight before a store that does not answer, want 1 to %d", a.InFlight, mostInFlight(s))
	}
	store.release()
	s.eventually("senders that go on", func() bool { return l.total() > quiet+1000 })
	l.stop()
	if a = s.settled(l.total()); a.Received != l.total() || a.Forwarded != a.Received {
		t.Errorf("%d sent, and %+v", l.total(), a)
	}
	s.sendLast()
	l.check(t, readTally(t, s.broker.ClientURL()))
}

// TestStopWithoutAcknowledgements: a stop comes to its end although the store
// does not answer and every queue is full; what is lost is counted, and told.
func TestStopWithoutAcknowledgements(t *testing.T) {
	t.Parallel()
	a, err := New(t.Context(), Options{
		Config: testConfig(t, "", nil), Logger: slog.New(slog.DiscardHandler), StopWithin: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	s := &service{App: a, t: t}
	s.eventually("ready", func() bool { return a.health.ready.Load() })
	s.tapStore().hold()
	l := startLoad(t, 0, 1, s.senders(3)...)
	s.eventually("full queues", func() bool {
		for _, shard := range a.collector.shards {
			if len(shard.in) == cap(shard.in) {
				return true
			}
		}
		return false
	})
	cancel()
	err = <-ended
	l.stop()
	if err == nil || !strings.Contains(err.Error(), "not acknowledged") {
		t.Errorf("Run says %v", err)
	}
	if now := s.account(); now.InFlight != 0 || now.Dropped["closed"] == 0 {
		t.Errorf("after the stop: %+v", now)
	}
}

// runStalled is "vegress run --config FILE" with a store that never answers.
func runStalled(ctx context.Context, args []string, std Streams) int {
	err := func() error {
		config, err := configs.Load(args[len(args)-1], nil)
		if err != nil {
			return err
		}
		log, _, err := newLogger(std.Err, config.Log)
		if err != nil {
			return err
		}
		a, err := New(ctx, Options{Config: config, Logger: log})
		if err != nil {
			return err
		}
		store := &tap{Embedded: a.broker, open: make(chan struct{})} // held
		a.conn.Opts.InProcessServer = store
		if err := a.conn.ForceReconnect(); err != nil {
			return err
		}
		return a.Run(ctx)
	}()
	if err != nil {
		fmt.Fprintln(std.Err, err)
		return exitFailed
	}
	return exitOK
}

// TestSecondSignal: a second SIGTERM ends a drain at once.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	p := spawnAs(t, stalledStore, t.TempDir(), "")
	p.send(numbered("stuck", 0))
	eventually(t, "a record received", func() bool { return p.account().Received == 1 })
	signal := func(sig os.Signal) {
		if err := p.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGTERM)
	eventually(t, "the drain", func() bool {
		answer, err := http.Get("http://" + p.http + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		return strings.Contains(string(body), "not receiving")
	})
	began := time.Now()
	signal(syscall.SIGTERM)
	<-p.closed
	_ = p.cmd.Wait()
	if status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("ended after %s with %s:\n%s", time.Since(began), p.cmd.ProcessState, p.log.String())
	}
}
