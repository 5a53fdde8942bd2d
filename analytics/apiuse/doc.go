// Package apiuse watches who uses the API of vCenters and ESXi hosts. It has
// two halves. The Scout, one in each shard, joins what vpxd, hostd and the
// single sign-on log of one session: logins, calls (VpxLRO) and events, by
// session id, operation id and account, so that an event of an operation says
// who did it, from where, with what client. The Detector, above the shards,
// weighs what all Scouts told: API use from outside, a privileged operation by
// a new combination of account, client and address, programs run in guests,
// and operations in bulk.
//
// All API and login events of one machine are events of one entity, that
// machine, and so come to one shard: the join needs no other shard's memory,
// and is done before the event is forwarded. What one account does at several
// machines is not in one shard, and so is counted above.
//
// The package reads no log format and no clock but the events'.
package apiuse
