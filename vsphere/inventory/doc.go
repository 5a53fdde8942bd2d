// Package inventory knows which virtual machine or host is behind an address,
// a name or a virtual NIC. It keeps a live copy of one or many vCenters, fed
// by the PropertyCollector's incremental updates and by polling tags, and
// fills the Context of an event's endpoints from it.
//
// Reading (Enrich) takes no lock and does no I/O: the index is a hash table
// of chains that are never changed, only replaced, behind atomic pointers.
// Writing is serialized. When a vCenter is away, what was known stays, and
// each answer carries its age and state. What ended (a deleted VM, an address
// that moved) is kept for some hours with its times, because logs arrive late
// and are resolved against their own time.
//
// An answer is a VM only when nothing else fits. When several VMs fit, and
// the host that wrote the log and the power state do not tell them apart, the
// answer is the list of them.
package inventory
