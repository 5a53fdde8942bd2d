package app

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFullDisk: a disk that fills up under load is told by /healthz, metrics
// and the log. Once there is room the service stores again, by itself, and
// nothing that a sender was let send is lost or doubled.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=160m"); err != nil {
		t.Skipf("cannot mount a small file system here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	log := &lockedBuffer{}
	s := startWith(t, Options{
		Config: testConfig(t, "", map[string]any{"data_dir": filepath.Join(disk, "data")}),
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	l := startLoad(t, 10*time.Millisecond, 10, s.senders(2)...)
	s.eventually("load", func() bool { return s.account().Forwarded > 1000 })

	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	s.eventually("/healthz to tell it", func() bool {
		code, body := healthz(t, s)
		return code == http.StatusServiceUnavailable && strings.Contains(body, "MiB free at") && strings.Contains(body, disk)
	})
	s.eventually("metrics to tell it", func() bool {
		m := scrapeMetrics(t, s)
		return m["vegress_unacknowledged_oldest_seconds"] >= 2 && m["vegress_store_free_bytes"] < 64<<20
	})
	s.eventually("the log to tell it", func() bool { return strings.Contains(log.String(), "server is unhealthy") })
	if n := strings.Count(log.String(), "component=forward"); n > 5 {
		t.Errorf("the log of the publisher has %d lines:\n%s", n, log)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.eventually("healing", func() bool { code, _ := healthz(t, s); return code == http.StatusOK })
	l.stop()
	if a := s.settled(l.total()); a.Received != l.total() || a.Forwarded != a.Received {
		t.Errorf("%d sent, and %+v", l.total(), a)
	}
	if m := scrapeMetrics(t, s); m["vegress_unacknowledged_oldest_seconds"] != 0 || m["vegress_nats_restarts_total"] == 0 {
		t.Errorf("after it: %v", m)
	}
	s.sendLast()
	l.check(t, readTally(t, s.broker.ClientURL()))
}

// fill writes to a new file until its disk is full.
func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(block)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func healthz(t *testing.T, s *service) (code int, body string) {
	t.Helper()
	answer := get(t, s, "/healthz")
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}
