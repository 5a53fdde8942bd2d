// Package loghost reads where the hosts and the vCenter appliances of a vSphere
// estate send their syslog, and points them elsewhere: to the targets that they
// have, one more.
//
// Read takes a handful of calls for a vCenter with any number of hosts. What an
// account may not see is a note on the host or the vCenter, never the end of
// the rest. Only Pointer writes, with an account of its own; the service has
// none, and only a Watcher. The package knows nothing of what arrives.
package loghost
