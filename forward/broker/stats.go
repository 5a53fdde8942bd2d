package broker

import (
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
)

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
