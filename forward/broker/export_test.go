package broker

// SetMinFree sets the room that healing waits for.
func (s *Server) SetMinFree(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.minFree = n
}

// DisableJetStream does what nats-server does to itself on a store that it
// cannot use.
func (s *Server) DisableJetStream() { s.ns.ShutdownJetStream() }
