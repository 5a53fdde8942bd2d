// Package forward brings events and findings to NATS JetStream, and reads them
// back.
//
// A Publisher packs the events of each shard (Packer), sends packs and findings
// into the streams of the embedded server, and counts them as forwarded when
// JetStream has acknowledged them. An Uplink copies those streams to an
// external server. What is sent twice carries the same Nats-Msg-Id, and before
// anything is sent again the ids that are stored already are read: the
// server's window for duplicates may have passed long ago.
//
// The subjects are
//
//	vegress.events.<class>.<partition>.<collector>     packs of events, NDJSON
//	vegress.findings.<severity>.<analytic>.<uid>       one finding, JSON
//	vegress.hosts.<host>                               a host's log path
//	vegress.ingest.<source>.<host>                     telemetry that comes in
//
// with tokens as event.Slug makes them. The package decides nothing about
// events; the server itself is package broker.
package forward
