// Package simulator is a vSphere estate to test against: a vCenter (vcsim, over
// TLS, with inventory, tags and guest addresses) and what its hosts would send
// by syslog, honest and hostile, with the truth about it beside.
//
// A Site is the plan of an estate: plain data, the same for the same seed.
// Start brings a vCenter up that shows it; Attach makes a Site of a vcsim that
// somebody else runs. Site.Traffic writes one night of log lines, from 20:00 to
// 08:00, in the formats of ESXi 7, 8 and 9, vCenter, an NSX edge and a DNS
// resolver; Traffic.Play sends it over sockets in as many seconds as wanted,
// and Truth says what a collector should have found in it. Load writes the same
// mix of lines as fast as a socket takes them.
//
// The documentation ranges 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24
// (RFC 5737) and 2001:db8::/32 (RFC 3849) play the internet. The package reads
// no logs and decides nothing: it stands at the other end of the wire.
package simulator
