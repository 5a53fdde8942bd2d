package app

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/behavior"
	"github.com/vegress/vegress/analytics/names"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/syslog/server"
	"github.com/vegress/vegress/vsphere/inventory"
)

// account is where all input records are, in one look:
//
//	Received = Forwarded + Joined + Deduplicated + Dropped + InFlight
//
// The numbers of what left are read before the numbers of what came, so that
// InFlight, their difference, is never below zero.
type account struct {
	Received     int64            `json:"received"`
	Forwarded    int64            `json:"forwarded"`
	Joined       int64            `json:"joined"`
	Deduplicated int64            `json:"deduplicated"`
	Dropped      map[string]int64 `json:"dropped"`
	InFlight     int64            `json:"in_flight"`
}

func (a *App) account() account {
	out, flows := a.publisher.Stats(), a.flows.stats()
	r := account{
		Forwarded: out.Forwarded,
		Dropped: map[string]int64{
			"refused": out.Dropped.Refused, "closed": out.Dropped.Closed,
			"no_template": flows.Dropped.NoTemplate, "malformed": flows.Dropped.Malformed,
		},
		Deduplicated: flows.Deduplicated,
	}
	r.Joined = a.collector.ledger.joined.Load()
	r.Received = a.collector.ledger.received.Load() + flows.Received
	r.InFlight = r.Received - r.Forwarded - r.Joined - r.Deduplicated
	for _, n := range r.Dropped {
		r.InFlight -= n
	}
	return r
}

// metrics turns the rooms' Stats into Prometheus metrics, at each scrape.
type metrics struct{ app *App }

// Describe sends nothing: which metrics there are depends on the configuration.
func (metrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m metrics) Collect(to chan<- prometheus.Metric) {
	s := scrape{to}
	m.account(s)
	m.listeners(s)
	m.decoding(s)
	m.flows(s)
	m.telemetry(s)
	m.inventory(s)
	m.analysis(s)
	m.hosts(s)
	m.publishing(s)
	m.store(s)
	m.uplink(s)
}

// scrape writes one round of metrics.
type scrape struct{ to chan<- prometheus.Metric }

func (s scrape) counter(name, help string, value float64, labels ...string) {
	s.metric(prometheus.CounterValue, name, help, value, labels)
}

func (s scrape) gauge(name, help string, value float64, labels ...string) {
	s.metric(prometheus.GaugeValue, name, help, value, labels)
}

// metric sends one value; labels are names and values in turn.
func (s scrape) metric(kind prometheus.ValueType, name, help string, value float64, labels []string) {
	var names, values []string
	for pair := range slices.Chunk(labels, 2) {
		names, values = append(names, pair[0]), append(values, pair[1])
	}
	desc := prometheus.NewDesc("vegress_"+name, help, names, nil)
	s.to <- prometheus.MustNewConstMetric(desc, kind, value, values...)
}

func (m metrics) account(s scrape) {
	a := m.app.account()
	s.counter("received_records_total", "Input records received.", float64(a.Received))
	s.counter("forwarded_records_total", "Input records in events that JetStream acknowledged.", float64(a.Forwarded))
	s.counter("joined_records_total", "Input records that became part of another record's event.", float64(a.Joined))
	s.counter("deduplicated_records_total", "Input records that came by a second way.", float64(a.Deduplicated))
	for reason, n := range a.Dropped {
		s.counter("dropped_records_total", "Input records lost, by reason.", float64(n), "reason", reason)
	}
	s.gauge("in_flight_records", "Input records received and not acknowledged yet.", float64(a.InFlight))
}

func (m metrics) listeners(s scrape) {
	st := m.app.listenerStats()
	s.counter("received_bytes_total", "Bytes of the records received.", float64(st.Bytes))
	s.counter("datagrams_total", "UDP datagrams received.", float64(st.Datagrams))
	s.counter("truncated_records_total", "Records cut at limits.message.", float64(st.Truncated))
	s.gauge("connections", "TCP and TLS connections open.", float64(st.Open))
	s.counter("connections_total", "TCP and TLS connections accepted.", float64(st.Accepted))
	s.counter("connections_idle_closed_total", "Connections closed because they were silent.", float64(st.Idle))
	const refused = "Connections and datagrams refused, by reason."
	s.counter("refused_total", refused, float64(st.Refused.Source), "reason", "source")
	s.counter("refused_total", refused, float64(st.Refused.Connections), "reason", "connections")
	s.counter("refused_total", refused, float64(st.Refused.PerSource), "reason", "connections_per_source")
	s.counter("refused_total", refused, float64(st.Refused.Plain), "reason", "plain")
	s.counter("refused_total", refused, float64(st.Refused.TLS), "reason", "tls")
	s.counter("refused_total", refused, float64(st.Refused.Datagrams), "reason", "datagram_source")
	s.counter("tls_handshake_errors_total", "TLS handshakes that failed.", float64(st.HandshakeErrors))
	s.counter("read_errors_total", "Read errors of sockets.", float64(st.ReadErrors))
	if st.KernelDropsKnown {
		s.counter("udp_kernel_drops_total", "Datagrams that the kernel dropped because the receive buffer was full.", float64(st.KernelDrops))
	}
}

// listenerStats are those of all listeners, for syslog and for flows.
func (a *App) listenerStats() server.Stats {
	st := a.server.Stats()
	if a.exports == nil {
		return st
	}
	flows := a.exports.Stats()
	st.Bytes += flows.Bytes
	st.Datagrams += flows.Datagrams
	st.ReadErrors += flows.ReadErrors
	st.Refused.Datagrams += flows.Refused.Datagrams
	st.KernelDrops += flows.KernelDrops
	st.KernelDropsKnown = st.KernelDropsKnown || flows.KernelDropsKnown
	return st
}

// flows are the metrics of exported flows, where they are received. None has a
// label for the exporter: the network chooses who that is.
func (m metrics) flows(s scrape) {
	if m.app.exports == nil {
		return
	}
	st := m.app.flows.stats()
	s.counter("ipfix_messages_total", "Datagrams of exporters.", float64(st.Messages))
	s.counter("ipfix_flows_total", "Data records that are flows, second reports included.", float64(st.Flows))
	s.counter("ipfix_duplicates_total", "Second reports of a flow.", float64(st.Deduplicated))
	s.counter("ipfix_other_records_total", "Data records that are no flows.", float64(st.Other))
	for reason, n := range st.Malformed {
		s.counter("ipfix_malformed_total", "Messages and sets that make no sense, by reason.", float64(n), "reason", reason)
	}
	s.gauge("ipfix_exporters", "Exporters known, with their observation domains.", float64(st.Exporters))
	s.gauge("ipfix_templates", "Templates known.", float64(st.Templates))
	s.counter("ipfix_templates_forgotten_total", "Templates given up for newer ones.", float64(st.Forgotten))
	s.counter("ipfix_templates_refused_total", "Templates that no record can have.", float64(st.Refused))
	s.gauge("ipfix_held_sets", "Data sets that wait for their template.", float64(st.Held))
	s.gauge("ipfix_held_bytes", "Memory of the data sets that wait.", float64(st.HeldBytes))
	for reason, n := range st.Undecoded {
		s.counter("ipfix_undecoded_sets_total", "Data sets given up without their template, by reason.", float64(n), "reason", reason)
	}
	s.counter("ipfix_lost_records_total", "Records that did not come, by the sequence numbers of IPFIX.", float64(st.LostRecords))
	s.counter("ipfix_lost_messages_total", "Messages that did not come, by the sequence numbers of NetFlow.", float64(st.LostMessages))
	s.counter("ipfix_late_messages_total", "Messages that came after later ones.", float64(st.Late))
	s.counter("ipfix_restarts_total", "Sequences that began anew.", float64(st.Restarts))
	s.counter("ipfix_kernel_drops_total", "Datagrams of exporters that the kernel dropped.", float64(m.app.exports.Stats().KernelDrops))
}

func (m metrics) decoding(s scrape) {
	l := &m.app.collector.ledger
	for flaw := syslog.BadPRI; flaw <= syslog.Empty; flaw++ {
		s.counter("malformed_records_total", "Records with a flawed envelope, by flaw.", float64(l.flaws[flaw].Load()), "reason", flaw.String())
	}
	s.counter("partial_records_total", "Records whose other pieces did not come in time.", float64(l.partial.Load()))
	s.gauge("held_records", "Records that wait for their other pieces.", float64(l.held.Load()))
	s.counter("orphan_pieces_total", "Pieces without the record before them.", float64(l.orphans.Load()))
	s.counter("assembler_overflow_total", "Records that went on early because a bound was reached.", float64(l.overflow.Load()))
	st := m.app.collector.decoder.Stats()
	for program, n := range st.Recognized {
		s.counter("recognized_total", "Messages recognized, by program.", float64(n), "program", program)
	}
	for program, n := range st.Plain {
		s.counter("plain_total", "Messages of a known program forwarded as Base Event, by program.", float64(n), "program", program)
	}
	s.counter("unknown_total", "Messages of unknown programs.", float64(st.Unknown))
}

// states are the values of the state label of an inventory.
var states = []event.State{event.StateLive, event.StateStale, event.StateDead, event.StateNever}

func (m metrics) inventory(s scrape) {
	st := m.app.inventory.Stats()
	for i := range st.VCenters {
		vcenterMetrics(s, &st.VCenters[i])
	}
	for via, n := range st.Hits {
		s.counter("resolved_total", "Endpoints resolved to a VM, by the way.", float64(n), "via", via.String())
	}
	s.counter("resolved_hosts_total", "Endpoints resolved to a host.", float64(st.Hosts))
	s.counter("ambiguous_total", "Endpoints that several VMs fit.", float64(st.Ambiguous))
	s.counter("unresolved_total", "Endpoints that nothing is known of, external ones among them.", float64(st.Missed))
	s.counter("switch_port_contradictions_total", "Ports of a switch whose VM is not the one that has the address.", float64(st.Contradicted))
	s.counter("inventory_snapshot_errors_total", "Snapshots that could not be written.", float64(st.SnapshotErrors))
	s.gauge("inventory_keys", "Addresses, names and ids that VMs are found by.", float64(st.Keys))
	s.gauge("inventory_worlds", "World ids of VMs that log lines told.", float64(st.Worlds))
	s.counter("inventory_worlds_learned_total", "World ids of VMs learned from log lines.", float64(st.WorldsLearned))
	s.gauge("inventory_tombstones", "Ended claims kept for late logs.", float64(st.Tombstones))
	s.counter("inventory_tombstones_dropped_total", "Ended claims given up before their time.", float64(st.Buried))
	for vcenter, states := range m.app.logHostStates() {
		for state, n := range states {
			s.gauge("log_hosts", "Hosts by how their log host is set: set, unset, blocked, unread.", float64(n), "vcenter", vcenter, "state", state)
		}
	}
	s.counter("inventory_crowded_total", "Claims not kept because too many VMs have the same key.", float64(st.Crowded))
}

func vcenterMetrics(s scrape, v *inventory.VCenterStats) {
	for _, state := range states {
		s.gauge("inventory_state", "1 for the present state of the inventory of a vCenter.", truth(v.State == state),
			"vcenter", v.Name, "state", state.String())
	}
	s.gauge("inventory_age_seconds", "Time since the vCenter last answered.", v.Age.Seconds(), "vcenter", v.Name)
	s.gauge("inventory_vms", "VMs known.", float64(v.VMs), "vcenter", v.Name)
	s.gauge("inventory_hosts", "Hosts known.", float64(v.Hosts), "vcenter", v.Name)
	s.gauge("inventory_missing_privileges", "Privileges that the account lacks.", float64(len(v.MissingPrivileges)), "vcenter", v.Name)
	s.counter("inventory_syncs_total", "Full reads completed.", float64(v.Syncs), "vcenter", v.Name)
	s.counter("inventory_updates_total", "Objects received.", float64(v.Updates), "vcenter", v.Name)
	s.counter("inventory_failures_total", "Connections that failed or broke.", float64(v.Failures), "vcenter", v.Name)
	s.counter("inventory_logins_refused_total", "Logins refused.", float64(v.LoginsRefused), "vcenter", v.Name)
	s.counter("inventory_tag_failures_total", "Polls of tags that failed.", float64(v.TagFailures), "vcenter", v.Name)
	s.gauge("inventory_missing_vms", "VMs kept though the last sync did not see them.", float64(v.Missing), "vcenter", v.Name)
	s.counter("inventory_dropped_total", "Addresses, adapters and attributes beyond the bounds.", float64(v.Dropped), "vcenter", v.Name)
	s.counter("inventory_sweeps_refused_total", "Sweeps refused because too much would have gone.", float64(v.SweepsRefused), "vcenter", v.Name)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (m metrics) analysis(s scrape) {
	found := map[string]analytics.AnalyticStats{}
	verdicts := map[string]int64{}
	for _, shard := range m.app.collector.shards {
		st := shard.analysis.egress.Stats()
		verdicts["justified"] += st.Justified
		verdicts["unjustified"] += st.Unjustified
		verdicts["unknown"] += st.Unknown
		addFindings(found, st.Findings)
		addFindings(found, shard.analysis.behavior.Stats().Findings)
		addFindings(found, shard.analysis.webuse.Stats().Findings)
		addFindings(found, shard.analysis.fusion.Stats().Findings)
	}
	addFindings(found, m.app.floor.api.Stats().Findings)
	addFindings(found, m.app.floor.risk.Stats().Findings)
	m.rules(s, found)
	for _, f := range m.app.hosts.Stats().Findings {
		found[f.Analytic] = f
	}
	for verdict, n := range verdicts {
		s.counter("verdicts_total", "External HTTP(S) connections judged, by verdict.", float64(n), "verdict", verdict)
	}
	for analytic, f := range found {
		const help = "Revisions of findings, by analytic and activity."
		s.counter("findings_total", help, float64(f.Opened), "analytic", analytic, "activity", "opened")
		s.counter("findings_total", help, float64(f.Updated), "analytic", analytic, "activity", "updated")
		s.counter("findings_total", help, float64(f.Closed), "analytic", analytic, "activity", "closed")
		s.counter("findings_evicted_total", "Findings closed early because too many were open.", float64(f.Evicted), "analytic", analytic)
		s.gauge("findings_open", "Findings open.", float64(f.Open), "analytic", analytic)
	}
	m.memory(s)
}

func addFindings(found map[string]analytics.AnalyticStats, more []analytics.AnalyticStats) {
	for _, f := range more {
		sum := found[f.Analytic]
		sum.Opened, sum.Updated, sum.Closed = sum.Opened+f.Opened, sum.Updated+f.Updated, sum.Closed+f.Closed
		sum.Evicted, sum.Open = sum.Evicted+f.Evicted, sum.Open+f.Open
		found[f.Analytic] = sum
	}
}

// apiUse is what was made of the events about the API.
func (m metrics) apiUse(s scrape) (forgotten int64) {
	var joined, unjoined int64
	for _, shard := range m.app.collector.shards {
		st := shard.analysis.api.Stats()
		joined, unjoined, forgotten = joined+st.Joined, unjoined+st.Unjoined, forgotten+st.Forgotten
	}
	st := m.app.floor.api.Stats()
	s.counter("api_events_joined_total", "Events of an API whose account, client or address another record told.", float64(joined))
	s.counter("api_operations_total", "Privileged API operations.", float64(st.Privileged))
	s.counter("api_operations_unjoined_total", "Privileged API operations by nobody who was seen to log in.", float64(unjoined))
	s.counter("api_operations_backup_total", "Snapshots that backup products removed.", float64(st.Backups))
	return forgotten + st.Forgotten
}

// behavior is what is known of how machines talk to the internet.
func (m metrics) behavior(s scrape, forgotten map[string]int64) {
	var sum behavior.Stats
	for _, shard := range m.app.collector.shards {
		st := shard.analysis.behavior.Stats()
		sum.Pairs, sum.Admitted, sum.Late = sum.Pairs+st.Pairs, sum.Admitted+st.Admitted, sum.Late+st.Late
		sum.Evaluated, sum.Beacons = sum.Evaluated+st.Evaluated, sum.Beacons+st.Beacons
		sum.Refused, sum.Flooded = sum.Refused+st.Refused, sum.Flooded+st.Flooded
		forgotten["pairs"] += st.Evicted
		forgotten["probation"] += st.Lost
		forgotten["sources"] += st.ForgottenSources
	}
	s.gauge("behavior_pairs", "Pairs of machine and destination that are followed.", float64(sum.Pairs))
	s.counter("behavior_pairs_admitted_total", "Pairs that were taken up.", float64(sum.Admitted))
	s.counter("behavior_pairs_refused_total", "Pairs that are not followed, by reason.", float64(sum.Refused), "reason", "full")
	s.counter("behavior_pairs_refused_total", "Pairs that are not followed, by reason.", float64(sum.Flooded), "reason", "flood")
	s.counter("behavior_late_events_total", "Connections that came too late to be placed among the beats of their pair.", float64(sum.Late))
	s.counter("behavior_evaluations_total", "Rhythms that were scored.", float64(sum.Evaluated))
	s.counter("behavior_beacons_total", "Rhythms that were scored as a beacon's.", float64(sum.Beacons))
}

// processes is what was seen of processes behind connections, and of the sums
// of findings.
func (m metrics) processes(s scrape, forgotten map[string]int64) {
	var weighed, joined, alone int64
	for _, shard := range m.app.collector.shards {
		weighed += shard.analysis.webuse.Stats().Weighed
		st := shard.analysis.fusion.Stats()
		joined, alone = joined+st.Joined, alone+st.Alone
		forgotten["halves"] += st.Dropped
		forgotten["destinations"] += st.Forgotten
	}
	s.counter("webuse_weighed_total", "Connections and queries of processes to web services that were weighed.", float64(weighed))
	s.counter("fusion_connections_total", "Connections of VMs with a sensor, by whether host and sensor both told of them.", float64(joined), "sides", "both")
	s.counter("fusion_connections_total", "Connections of VMs with a sensor, by whether host and sensor both told of them.", float64(alone), "sides", "host")
	st := m.app.floor.risk.Stats()
	s.counter("risk_findings_total", "Revisions of findings that were added to the risk of their entity.", float64(st.Counted))
	forgotten["risks"] = st.Forgotten
}

// memory is what the shards remember, and what fell out of it.
func (m metrics) memory(s scrape) {
	var depth int
	var known names.Stats
	forgotten := map[string]int64{}
	for _, shard := range m.app.collector.shards {
		depth += len(shard.in)
		n, e := shard.analysis.names.Stats(), shard.analysis.egress.Stats()
		known.Pairs, known.Shared = known.Pairs+n.Pairs, known.Shared+n.Shared
		known.Learned, known.Joined, known.Annotated = known.Learned+n.Learned, known.Joined+n.Joined, known.Annotated+n.Annotated
		forgotten["names"] += n.Forgotten
		forgotten["accounts"] += e.ForgottenAccounts
		forgotten["connections"] += e.ForgottenConnections
		forgotten["courses"] += e.ForgottenCourses
		forgotten["contacts"] += e.ForgottenContacts
	}
	work := m.app.collector.shards[0].analysis.evidence.Stats() // all shards know the same
	forgotten["evidence"] = work.Forgotten
	forgotten["api"] = m.apiUse(s)
	m.behavior(s, forgotten)
	m.processes(s, forgotten)
	s.counter("evidence_records_total", "Records in which vSphere told of work that goes on.", float64(work.Signs))
	s.gauge("queue_depth", "Batches that wait, by queue.", float64(depth), "queue", "shards")
	s.gauge("names", "Names known for addresses.", float64(known.Pairs), "of", "source")
	s.gauge("names", "Names known for addresses.", float64(known.Shared), "of", "all")
	for what, n := range map[string]int64{"learned": known.Learned, "joined": known.Joined, "used": known.Annotated} {
		s.counter("names_total", "Names that records taught, that answers gave who had asked, and that were put to addresses.", float64(n), "how", what)
	}
	for what, n := range forgotten {
		s.counter("forgotten_total", "What fell out of bounded memory.", float64(n), "what", what)
	}
}

// hosts is the state of all log paths.
func (m metrics) hosts(s scrape) {
	st := m.app.hosts.Stats()
	for state, n := range st.States {
		s.gauge("hosts", "Machines that send logs, or should, by the state of their log path.", float64(n), "state", string(state))
	}
	s.gauge("hosts_listening", "1 while the time that passes counts for silence; 0 while the service cannot take all lines.", truth(st.Listening))
	s.counter("hosts_untracked_total", "Reports of machines that are not watched because there are too many.", float64(st.Untracked))
}

func (m metrics) publishing(s scrape) {
	st := m.app.publisher.Stats()
	s.counter("packs_total", "Messages of packed events sent.", float64(st.Packs))
	s.counter("events_total", "Events in packs sent.", float64(st.Events))
	s.counter("event_bytes_total", "Bytes of events, before compression.", float64(st.Bytes))
	s.counter("sent_bytes_total", "Bytes of packs and findings as stored.", float64(st.SentBytes))
	s.counter("findings_stored_total", "Revisions of findings that JetStream acknowledged.", float64(st.Findings))
	s.counter("host_paths_stored_total", "States of hosts' log paths that JetStream acknowledged.", float64(st.HostPaths))
	s.counter("findings_dropped_total", "Revisions of findings lost.", float64(st.DroppedFindings))
	s.gauge("unacknowledged_messages", "Messages that wait for their acknowledgement.", float64(st.Unacknowledged))
	s.gauge("unacknowledged_oldest_seconds", "How long the oldest of them waits.", st.Oldest.Seconds())
	s.counter("redelivered_total", "Messages sent again.", float64(st.Redelivered))
	s.counter("duplicates_total", "Messages that JetStream knew already.", float64(st.Duplicates))
	s.counter("publish_stalls_total", "Times that a shard waited for acknowledgements.", float64(st.Stalls))
	s.counter("publish_troubles_total", "Refusals, lost connections and overdue acknowledgements.", float64(st.Troubles))
	s.latency("ack_latency_seconds", "From handing over to acknowledgement.", &st.Latency)
}

func (s scrape) latency(name, help string, h *forward.Histogram) {
	buckets := map[float64]uint64{}
	for _, b := range h.Buckets() {
		buckets[b.Bound.Seconds()] = b.Count
	}
	desc := prometheus.NewDesc("vegress_"+name, help, nil, nil)
	s.to <- prometheus.MustNewConstHistogram(desc, h.Count, h.Sum.Seconds(), buckets)
}

func (m metrics) store(s scrape) {
	st := m.app.broker.Stats()
	s.gauge("store_free_bytes", "Bytes free on the disk of the store.", float64(st.Free))
	s.gauge("store_used_bytes", "Bytes that streams take.", float64(st.Used))
	s.gauge("nats_connections", "NATS clients, this process included.", float64(st.Connections))
	s.counter("nats_restarts_total", "Restarts of the embedded server after a write error.", float64(st.Restarts))
	for _, ring := range m.app.ring.Stats() {
		s.gauge("stream_messages", "Messages in a stream.", float64(ring.Messages), "stream", ring.Stream)
		s.gauge("stream_bytes", "Bytes in a stream.", float64(ring.Bytes), "stream", ring.Stream)
		if !ring.Oldest.IsZero() {
			s.gauge("stream_oldest_seconds", "Age of the oldest message in a stream.", time.Since(ring.Oldest).Seconds(), "stream", ring.Stream)
		}
		s.counter("ring_lost_total", "Messages removed before a durable consumer acknowledged them.", float64(ring.Lost), "stream", ring.Stream)
	}
}

func (m metrics) uplink(s scrape) {
	if m.app.uplink == nil {
		return
	}
	st := m.app.uplink.Stats()
	s.gauge("uplink_connected", "1 while the far server is connected.", truth(st.Connected))
	s.counter("uplink_copied_total", "Messages acknowledged by the far server.", float64(st.Copied))
	s.counter("uplink_present_total", "Messages that the far server had already.", float64(st.Present))
	s.counter("uplink_resent_total", "Messages sent again.", float64(st.Resent))
	s.counter("uplink_lost_total", "Messages that the ring removed before they were copied.", float64(st.Lost))
	s.counter("uplink_foreign_total", "Messages left out because no vegress published them.", float64(st.Foreign))
	s.counter("uplink_denied_total", "Messages and requests that the far user has no right to.", float64(st.Denied))
	s.counter("uplink_refused_total", "Messages that the far server refused for good.", float64(st.Refused))
	s.gauge("uplink_waiting_messages", "Messages still to be copied.", float64(st.Waiting))
	s.gauge("uplink_oldest_seconds", "How long ago the oldest of them was stored here.", st.Oldest.Seconds())
}
