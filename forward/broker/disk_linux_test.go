package broker_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/forward/broker"
)

// smallDisk is a file system of 8 MiB; the test skips where none may be made.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("cannot mount a small file system here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFullDiskHeals(t *testing.T) {
	disk := smallDisk(t)
	s := start(t, broker.Options{StoreDir: filepath.Join(disk, "nats"), CheckEvery: 20 * time.Millisecond})
	s.SetMinFree(2 << 20)
	js := stream(t, internal(t, s), "S", "s.>")
	if _, err := js.Publish(t.Context(), "s.first", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 7<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	poll(t, "the disk is full", func() bool {
		if err := js.Conn().Publish("s.more", make([]byte, 64<<10)); err != nil {
			return false
		}
		err := s.Health() // a busy server is unhealthy for a moment, too: that is no full disk
		return err != nil && strings.Contains(err.Error(), syscall.ENOSPC.Error())
	})
	if got := s.Stats().Restarts; got != 0 {
		t.Errorf("started again %d times on a full disk", got)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	poll(t, "healing", func() bool { return s.Stats().Restarts > 0 && s.Health() == nil })
	poll(t, "publishing again", func() bool {
		_, err := js.Publish(t.Context(), "s.last", nil)
		return err == nil
	})
	st, err := js.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	var m *jetstream.RawStreamMsg
	if m, err = st.GetLastMsgForSubject(t.Context(), "s.first"); err != nil || string(m.Data) != "kept" {
		t.Errorf("got %v, %v", m, err)
	}
}
