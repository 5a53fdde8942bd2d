package forward_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/broker"
)

// A full disk: nothing more is acknowledged, it is told, and once there is
// room the server comes back by itself and every event is stored once.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=160m"); err != nil {
		t.Skipf("cannot mount a small file system here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	b, err := broker.Start(broker.Options{StoreDir: filepath.Join(disk, "nats"), CheckEvery: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	nc, err := forward.Connect(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	o := forward.Options{AckTimeout: 200 * time.Millisecond}
	room, err := b.Room()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := forward.Ensure(t.Context(), nc, o, room); err != nil {
		t.Fatal(err)
	}
	if err := b.SyncStore(); err != nil {
		t.Fatal(err)
	}
	pub, k := publisher(t, nc, o)
	r := &rig{server: &server{t: t}, nc: nc, pub: pub, Packer: k}
	r.add(0, 100)
	r.flush()

	ballast := filepath.Join(disk, "ballast")
	if err := fill(ballast); err != nil {
		t.Fatal(err)
	}
	const n = 20_000
	added := make(chan struct{})
	go func() {
		defer close(added)
		r.add(100, n)
		r.Packer.Flush()
	}()
	poll(t, "the disk to be told full", func() bool { return b.Health() != nil && pub.Health() != nil })
	if err := b.Health(); !strings.Contains(err.Error(), "MiB free") {
		t.Errorf("Health: %v", err)
	}
	if s := pub.Stats(); s.InFlight == 0 || s.Dropped != (forward.Dropped{}) {
		t.Errorf("on a full disk: %+v", s)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	<-added
	r.flush()
	checkOnce(t, events(t, nc, forward.EventsStream), n)
	if s := pub.Stats(); s.Forwarded != n || b.Stats().Restarts == 0 {
		t.Errorf("got %+v, %+v", s, b.Stats())
	}
}

// fill writes until the disk is full.
func fill(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	for block := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(block)
	}
	return f.Close()
}
