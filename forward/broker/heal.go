package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// warnEvery bounds how often a lasting trouble is logged.
const warnEvery = time.Minute

// Stats is the state of the embedded server.
type Stats struct {
	Free        int64 // bytes free on the disk of the store
	Used        int64 // bytes that streams take
	Connections int   // clients, those of this process included
	Restarts    int64 // times the server was started again after a write error
}

// Stats reads the server's state; zero after Stop.
func (s *Server) Stats() Stats {
	ns, err := s.current()
	if err != nil {
		return Stats{}
	}
	st := Stats{Free: s.free(), Used: storeUsed(ns), Connections: ns.NumClients()}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Restarts = s.restarts
	return st
}

func storeUsed(ns *server.Server) int64 {
	js, err := ns.Jsz(nil)
	if err != nil {
		return 0
	}
	return int64(js.Store)
}

// Room is what all streams together may take: half of what would be free if
// they were empty. Files that are in the store already count as free, or the
// streams would shrink at each start.
func (s *Server) Room() (int64, error) {
	free, _, err := freeBytes(s.opts.StoreDir)
	if err != nil {
		return 0, err
	}
	used, err := dirSize(s.opts.StoreDir)
	return (free + used) / 2, err
}

func dirSize(dir string) (int64, error) {
	var n int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreMissing(err)
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return ignoreMissing(err)
	})
	if err != nil {
		return 0, fmt.Errorf("size of the store directory: %w", err)
	}
	return n, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the server removes files as it goes
	}
	return err
}

// Health is nil when the server takes messages. A full disk is told by an
// error that names the directory and the room that is left.
func (s *Server) Health() error {
	ns, err := s.current()
	if err != nil {
		return err
	}
	h := ns.Healthz(&server.HealthzOptions{})
	if h.Status == "ok" {
		return nil
	}
	return fmt.Errorf("the embedded NATS server does not store messages: %s (%d MiB free at %q)", h.Error, s.free()>>20, s.opts.StoreDir)
}

// watch looks at the server until quit is closed, and heals it.
func (s *Server) watch(quit <-chan struct{}) {
	tick := time.NewTicker(s.opts.CheckEvery)
	defer tick.Stop()
	var w watcher
	for {
		select {
		case <-quit:
			return
		case now := <-tick.C:
			w.look(s, now)
		}
	}
}

// watcher is what watch remembers from one look to the next.
type watcher struct {
	warned time.Time
	next   time.Time     // no attempt to heal before
	wait   time.Duration // between attempts: what is broken for good is not worse for it
}

const longestHealing = 5 * time.Minute

func (w *watcher) look(s *Server, now time.Time) {
	err := s.Health()
	if err == nil {
		w.wait = 0
		if free := s.free(); free < s.minimum() {
			w.warn(s, now, "disk is nearly full", "free_bytes", free, "dir", s.opts.StoreDir)
		}
		return
	}
	w.warn(s, now, "server is unhealthy", "error", err)
	if now.Before(w.next) || s.free() < s.minimum() {
		return
	}
	s.heal(err)
	w.wait = min(max(2*w.wait, s.opts.CheckEvery), longestHealing)
	w.next = now.Add(w.wait)
}

func (w *watcher) warn(s *Server, now time.Time, msg string, args ...any) {
	if now.Sub(w.warned) >= warnEvery {
		w.warned = now
		s.log.Error(msg, args...)
	}
}

func (s *Server) free() int64 {
	free, _, _ := freeBytes(s.opts.StoreDir)
	return free
}

func (s *Server) minimum() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.minFree
}

// heal starts the server again. Nothing less opens a stream anew that could
// not be written to.
func (s *Server) heal(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ns == nil {
		return
	}
	old := s.ns
	shutdown(old)
	if err := s.run(); err != nil {
		s.log.Error("could not start the server again", "error", err)
		return // s.ns is the stopped one: unhealthy, so the next check tries again
	}
	s.restarts++
	s.log.Warn("server started again", "after", cause)
}
