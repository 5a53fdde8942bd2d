// Package hosts watches the way that logs take: which machine sends, how much
// and how whole, and which one does not any more. It makes the findings
// host.silent, host.loss and host.misdirected (MITRE ATT&CK T1562.006,
// Indicator Blocking), and keeps the state of each machine's log path.
//
// A Scout in each shard adds up what each machine sends; the Detector on the
// second floor holds that against the machine's own habit, which it learns by
// the hour of the day. What excuses a machine (maintenance, a reboot, an
// administrator who disconnected it) comes from the inventory, from vCenter's
// events and from the host's own lines.
//
// Time here is listening time: what passed while the service could take lines.
// The service says so by Pulses, and what passed between two of them counts
// only when it did. So no machine is called silent because vegress itself was
// stopped, suspended, overloaded or just started.
package hosts
