package server

import (
	"net/netip"
	"time"
)

// SetFirstRecord sets how long a connection may take to bring its first
// record, before Run.
func SetFirstRecord(s *Server, d time.Duration) { s.firstRecord = d }

// SourceOf is what the connections of an address are counted by.
func SourceOf(a netip.Addr) netip.Addr { return sourceOf(a) }
