// Package fusion joins the two halves of one connection: the hypervisor's
// record (which VM, how many bytes, no process) and the guest's (which process,
// whose, started by whom, no VM). Once both are resolved to the same VM they
// are the same entity, so all of it is state of one shard.
//
// Two records are of one connection when they name the same VM, protocol,
// destination address and port, the same source port where both have one, and
// lie within Options.Hold of each other. The source address is left out: a
// process in a container has another one than the packet on the wire. Where a
// side has no source port (auditd), the nearest in time within a few seconds
// counts, if there is just one.
//
// What has no justification on the hypervisor's side becomes the finding
// fusion.process_flow. Flows that no guest record goes with, of a VM whose
// sensor used to report them, become fusion.sensor_blind.
package fusion
