package broker

import "time"

// warnEvery bounds how often a lasting trouble is logged.
const warnEvery = time.Minute

// watch looks at the server until quit is closed, and heals it.
func (s *Server) watch(quit <-chan struct{}) {
	tick := time.NewTicker(s.opts.CheckEvery)
	defer tick.Stop()
	w := watcher{warned: map[string]time.Time{}}
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
	warned map[string]time.Time // by message
	sick   int                  // looks in a row that found it unhealthy
	next   time.Time            // no attempt to heal before
	wait   time.Duration        // between attempts: what is broken for good is not worse for it
}

const (
	longestHealing = 5 * time.Minute
	// certain is how many looks in a row must find the server unhealthy before
	// it is started again: a stream that is just being made is that, too.
	certain = 3
)

func (w *watcher) look(s *Server, now time.Time) {
	err := s.Health()
	if err == nil {
		w.wait, w.sick = 0, 0
		if free := s.free(); free < s.minimum() {
			w.warn(s, now, "disk is nearly full", "free_bytes", free, "dir", s.opts.StoreDir)
		}
		return
	}
	w.warn(s, now, "server is unhealthy", "error", err)
	if w.sick++; w.sick < certain || now.Before(w.next) || s.free() < s.minimum() {
		return
	}
	s.heal(err)
	w.wait = min(max(2*w.wait, s.opts.CheckEvery), longestHealing)
	w.next = now.Add(w.wait)
}

func (w *watcher) warn(s *Server, now time.Time, msg string, args ...any) {
	if now.Sub(w.warned[msg]) >= warnEvery {
		w.warned[msg] = now
		s.log.Error(msg, args...)
	}
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
