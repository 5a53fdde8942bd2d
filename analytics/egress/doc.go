// Package egress is analytic AN1192 of MITRE ATT&CK DET0425: external HTTP(S)
// from a virtual machine, an ESXi host or vCenter without justification.
//
// For each outbound connection to the internet it asks who made it, which
// roles that machine has, and whether a configured justification allows it
// now. The verdict goes into ev.Justification; what is not justified becomes
// a finding, one for each machine and what it talked to. A machine that
// nothing identifies is "unknown" and never justified.
//
// A second analytic reports when the ESXi firewall's httpClient rule set is
// opened, which lets a host reach any web server.
//
// The package knows nothing of inventories, of name resolution and of log
// formats: what it judges on is in the event.
package egress
