package app

import "strconv"

// telemetry is what comes in by NATS, HTTP and inside syslog. No label has a
// name that a sender chose: sources that are not known count as json.
func (m metrics) telemetry(s scrape) {
	for _, of := range m.app.collector.sources.list {
		s.counter("telemetry_records_total", "Records of telemetry decoded, by source.", float64(of.records.Load()), "source", of.name)
		s.counter("telemetry_undecoded_total", "Records forwarded as Base Event because they are no event of their source, by source.", float64(of.undecoded.Load()), "source", of.name)
	}
	st := m.app.reader.Stats()
	s.counter("ingest_messages_total", "Messages read from the stream of telemetry.", float64(st.Messages))
	s.counter("ingest_redelivered_total", "Messages that came again while they were under way, or done.", float64(st.Redelivered))
	s.counter("ingest_broken_messages_total", "Messages that could not be unpacked.", float64(st.Broken))
	s.counter("ingest_ack_errors_total", "Acknowledgements that could not be sent.", float64(st.AckErrors))
	s.gauge("ingest_waiting_messages", "Messages in the stream of telemetry that are not read yet, when the last was read.", float64(st.Waiting))
	s.gauge("ingest_open_messages", "Messages whose events are not all acknowledged.", float64(st.Open))
	s.gauge("ingest_open_bytes", "Size of those messages.", float64(st.OpenBytes))
	s.gauge("ingest_decoders", "Decoders at work, one for each source on each machine.", float64(m.app.telemetry.decoding.open.Load()))
	s.counter("ingest_decoders_evicted_total", "Decoders given up because there were too many.", float64(m.app.telemetry.decoding.evicted.Load()))
	if m.app.sending == nil {
		return
	}
	web := m.app.sending.Stats()
	s.counter("ingest_http_records_total", "Records that came by HTTP and were stored.", float64(web.Records))
	s.counter("ingest_http_bytes_total", "Bytes of them, unpacked.", float64(web.Bytes))
	s.gauge("ingest_http_held_bytes", "Memory of requests that are not answered yet.", float64(web.Held))
	for code, n := range web.Answers {
		s.counter("ingest_http_requests_total", "Requests answered, by status.", float64(n), "code", strconv.Itoa(code))
	}
}
