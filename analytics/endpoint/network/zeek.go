package network

import (
	"strings"
	"time"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// Zeek decodes Zeek's logs (docs.zeek.org, "Zeek Log Formats and Inspection"),
// as tab-separated lines with their header and as JSON: conn is a Network event
// with the flow's bytes and times, dns a DNS event, http an HTTP event, ssl and
// quic a Network event that names its destination; every other log is a Base
// Event. All fields are in Fields under Zeek's own names ("id.orig_h"), and
// LogName is "zeek." and the log's name.
//
// Headers hold for the lines that follow. Lines that have none are read by the
// default columns of the logs above.
type Zeek struct {
	ev     event.Event
	flat   flattener
	source string            // the log that the source's name tells; may be empty
	logs   map[string]string // log -> LogName

	header  header
	layouts []*layout // that were seen, the newest last
}

// NewZeek makes a decoder. name is that of the file or source that the records
// are from, as far as it is known: it tells the log where the record does not
// ("conn.log", "conn.12:00:00-13:00:00.log").
func NewZeek(name string) *Zeek {
	return &Zeek{flat: newFlattener(zeekAlias), source: logOfName(name), logs: map[string]string{}, header: defaultHeader()}
}

var _ endpoint.Decoder = (*Zeek)(nil)

// zeekAlias is how shippers whose stores take a dot for an object write names.
var zeekAlias = map[string]string{
	"id_orig_h": "id.orig_h", "id_orig_p": "id.orig_p", "id_resp_h": "id.resp_h", "id_resp_p": "id.resp_p",
}

// Decode implements endpoint.Decoder. Lines of a header complete no event.
func (z *Zeek) Decode(r endpoint.Record, tell func(*event.Event)) error {
	begin(&z.ev, &r)
	line := strings.TrimSpace(r.Text)
	if strings.HasPrefix(line, "{") {
		return z.json(line, tell)
	}
	return z.line(strings.TrimRight(r.Text, "\r\n"), z.source, tell)
}

// Rest implements endpoint.Decoder: nothing waits.
func (z *Zeek) Rest(time.Time, func(*event.Event)) {}

func (z *Zeek) json(line string, tell func(*event.Event)) error {
	object, err := endpoint.Object(line)
	if err != nil {
		return err
	}
	z.flat.fill(&z.ev, object)
	if firstText(&z.ev, zeekTime, zeekUID) == "" {
		if e, ok := unwrap(&z.ev); ok {
			return z.wrapped(&e, tell)
		}
	}
	z.complete(z.logOf(), tell)
	return nil
}

// wrapped reads the line that a shipper put into an object.
func (z *Zeek) wrapped(e *envelope, tell func(*event.Event)) error {
	log := logOfName(e.file)
	if log == "" {
		log = z.source
	}
	if !strings.HasPrefix(e.line, "{") {
		return z.line(e.line, log, tell)
	}
	object, err := endpoint.Object(e.line)
	if err != nil {
		return err
	}
	z.flat.fill(&z.ev, object)
	if said := z.logOf(); said != "" {
		log = said
	}
	z.complete(log, tell)
	return nil
}

// logOf is the log of a record in JSON: as it says, else as the source's name
// does, else by the fields that it has.
func (z *Zeek) logOf() string {
	if log := firstText(&z.ev, zeekPath, zeekStream); log != "" {
		return log
	}
	if z.source != "" {
		return z.source
	}
	for _, s := range signatures {
		if _, ok := z.ev.Field(s.id); ok {
			return s.log
		}
	}
	return ""
}

// signatures are fields that one log has.
var signatures = [...]struct {
	id  event.FieldID
	log string
}{
	{event.Intern("conn_state"), "conn"},
	{event.Intern("trans_id"), "dns"},
	{event.Intern("trans_depth"), "http"},
	{event.Intern("ssl_history"), "ssl"},
	{event.Intern("cipher"), "ssl"},
	{event.Intern("resumed"), "ssl"},
}

// complete fills the typed members from Fields, and tells the event.
func (z *Zeek) complete(log string, tell func(*event.Event)) {
	ev := &z.ev
	ev.LogName = z.logName(log)
	setSensor(ev, zeekSystem, zeekSystemAt)
	ev.Time = instant(firstText(ev, zeekTime, zeekTimeWritten, zeekTimeShipped))
	ev.Src = event.Endpoint{IP: address(text(ev, zeekOrigHost)), Port: port(text(ev, zeekOrigPort))}
	ev.Dst = event.Endpoint{IP: address(text(ev, zeekRespHost)), Port: port(text(ev, zeekRespPort))}
	ev.Protocol = protocol(text(ev, zeekProto))
	ev.Direction = zeekDirection(ev)
	if isICMP(ev.Protocol) { // Zeek writes type and code as ports
		ev.Src.Port, ev.Dst.Port = 0, 0
		if strings.IndexByte(text(ev, zeekOrigHost), ':') >= 0 {
			ev.Protocol = protoICMPv6
		}
	}
	switch strings.TrimSuffix(log, "_red") { // Corelight's reduced logs
	case "conn":
		zeekConn(ev)
	case "dns":
		zeekDNS(ev)
	case "http":
		zeekHTTP(ev)
	case "ssl":
		zeekTLS(ev, protoTCP)
	case "quic":
		zeekTLS(ev, protoUDP)
	case "notice":
		ev.Message = text(ev, zeekMessage)
	}
	tell(ev)
}

func isICMP(p uint8) bool { return p == protoICMP || p == protoICMPv6 }

// maxLogs bounds the names of logs that are kept, each at most maxLog bytes.
const (
	maxLogs = 256
	maxLog  = 64
)

func (z *Zeek) logName(log string) string {
	if log == "" || len(log) > maxLog {
		return "zeek"
	}
	name, ok := z.logs[log]
	if !ok {
		name = "zeek." + log
		if len(z.logs) < maxLogs {
			z.logs[name[len("zeek."):]] = name
		}
	}
	return name
}

// Fields of Zeek that vegress reads.
var (
	zeekPath        = event.Intern("_path")
	zeekStream      = event.Intern("@stream")
	zeekSystem      = event.Intern("_system_name")
	zeekSystemAt    = event.Intern("@system")
	zeekTime        = event.Intern("ts")
	zeekUID         = event.Intern("uid")
	zeekTimeWritten = event.Intern("_write_ts")
	zeekTimeShipped = event.Intern("@timestamp")
	zeekOrigHost    = event.Intern("id.orig_h")
	zeekOrigPort    = event.Intern("id.orig_p")
	zeekRespHost    = event.Intern("id.resp_h")
	zeekRespPort    = event.Intern("id.resp_p")
	zeekProto       = event.Intern("proto")
	zeekLocalOrig   = event.Intern("local_orig")
	zeekLocalResp   = event.Intern("local_resp")
	zeekDuration    = event.Intern("duration")
	zeekState       = event.Intern("conn_state")
	zeekOrigBytes   = event.Intern("orig_bytes")
	zeekRespBytes   = event.Intern("resp_bytes")
	zeekOrigIPBytes = event.Intern("orig_ip_bytes")
	zeekRespIPBytes = event.Intern("resp_ip_bytes")
	zeekOrigPackets = event.Intern("orig_pkts")
	zeekRespPackets = event.Intern("resp_pkts")
	zeekQuery       = event.Intern("query")
	zeekType        = event.Intern("qtype_name")
	zeekCode        = event.Intern("rcode_name")
	zeekAnswers     = event.Intern("answers")
	zeekMethod      = event.Intern("method")
	zeekHost        = event.Intern("host")
	zeekURI         = event.Intern("uri")
	zeekVersion     = event.Intern("version")
	zeekAgent       = event.Intern("user_agent")
	zeekStatus      = event.Intern("status_code")
	zeekUser        = event.Intern("username")
	zeekServerName  = event.Intern("server_name")
	zeekEstablished = event.Intern("established")
	zeekMessage     = event.Intern("msg")
)

// zeekDirection goes by what Zeek knows of its site's networks, where it does.
func zeekDirection(ev *event.Event) event.Direction {
	orig, resp := text(ev, zeekLocalOrig), text(ev, zeekLocalResp)
	switch {
	case orig == "true" && resp == "true":
		return event.DirectionLateral
	case orig == "true" && resp == "false":
		return event.DirectionOutbound
	case orig == "false" && resp == "true":
		return event.DirectionInbound
	}
	return direction(ev.Src.IP, ev.Dst.IP)
}

// zeekConn is a connection that ended. One that was not answered, or turned
// away, is no traffic.
func zeekConn(ev *event.Event) {
	ev.Class, ev.Activity = event.NetworkActivity, event.NetworkTraffic
	if start := ev.Time; !start.IsZero() {
		span(ev, start, start.Add(interval(text(ev, zeekDuration))))
	}
	out, okOut := firstCount(ev, zeekOrigBytes, zeekOrigIPBytes)
	in, okIn := firstCount(ev, zeekRespBytes, zeekRespIPBytes)
	packetsOut, okPackets := countOf(ev, zeekOrigPackets)
	packetsIn, _ := countOf(ev, zeekRespPackets)
	ev.Traffic = event.Traffic{
		BytesOut: out, BytesIn: in, PacketsOut: packetsOut, PacketsIn: packetsIn,
		Known: okOut || okIn || okPackets,
	}
	switch text(ev, zeekState) {
	case "SF", "S1", "S2", "S3", "RSTO", "RSTR":
		ev.Status = event.StatusSuccess
	case "S0", "SH", "RSTOS0": // the answer to SYN was not seen
		zeekAttempt(ev, event.NetworkFail)
	case "REJ":
		zeekAttempt(ev, event.NetworkRefuse)
	}
}

// zeekAttempt makes ev a connection that did not come about. UDP needs no
// answer to carry data away.
func zeekAttempt(ev *event.Event, a event.Activity) {
	if ev.Protocol == protoTCP {
		ev.Activity, ev.Status = a, event.StatusFailure
	}
}

// firstCount gives the first of these that the record counts: Zeek leaves out
// payload that it could not follow, but not the packets' bytes.
func firstCount(ev *event.Event, ids ...event.FieldID) (int64, bool) {
	for _, id := range ids {
		if n, ok := countOf(ev, id); ok {
			return n, true
		}
	}
	return 0, false
}

// zeekDNS is a question with its answer, where one was seen.
func zeekDNS(ev *event.Event) {
	ev.Class, ev.Activity = event.DNSActivity, event.DNSQuery
	ev.DNS.Query, ev.DNS.Type, ev.DNS.RCode = text(ev, zeekQuery), text(ev, zeekType), text(ev, zeekCode)
	addAnswers(ev, zeekAnswers)
	if ev.DNS.RCode != "" || len(ev.DNS.Answers) > 0 {
		answered(ev)
	}
}

// answered makes a DNS event one of an answer.
func answered(ev *event.Event) {
	ev.Activity, ev.Status = event.DNSResponse, event.StatusSuccess
	if ev.DNS.RCode != "" && ev.DNS.RCode != "NOERROR" {
		ev.Status = event.StatusFailure
	}
}

// maxAnswers bounds the addresses of one answer.
const maxAnswers = 64

// addAnswers puts the addresses in the fields of that id into ev.
func addAnswers(ev *event.Event, id event.FieldID) {
	for _, f := range ev.Fields {
		if f.ID != id || len(ev.DNS.Answers) >= maxAnswers {
			continue
		}
		if a := address(f.Value); a.IsValid() {
			ev.DNS.Answers = append(ev.DNS.Answers, a)
		}
	}
}

// zeekHTTP is a request. Its bytes are the connection's, which conn tells of.
func zeekHTTP(ev *event.Event) {
	method := text(ev, zeekMethod)
	setHTTP(ev, method, text(ev, zeekStatus))
	ev.HTTP.Version, ev.HTTP.UserAgent = text(ev, zeekVersion), text(ev, zeekAgent)
	ev.User.Name = text(ev, zeekUser)
	request(ev, method, text(ev, zeekHost), text(ev, zeekURI))
}

// zeekTLS is a handshake: a connection that was opened, to a name.
func zeekTLS(ev *event.Event, transport uint8) {
	ev.Class, ev.Activity = event.NetworkActivity, event.NetworkOpen
	if ev.Protocol == 0 {
		ev.Protocol = transport
	}
	switch text(ev, zeekEstablished) {
	case "true":
		ev.Status = event.StatusSuccess
	case "false":
		ev.Status = event.StatusFailure
	}
	setServerName(ev, text(ev, zeekServerName))
}

// setServerName names the destination as a TLS handshake does.
func setServerName(ev *event.Event, name string) {
	if name = strings.TrimSuffix(name, "."); name != "" && !address(name).IsValid() {
		ev.Dst.Hostname, ev.Dst.NameVia = name, viaSNI
	}
}

// logOfName finds the name of a log in that of a file or source; empty: there
// is none that is known.
func logOfName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".log")
	base, _, _ := strings.Cut(name, ".")
	best := ""
	for _, log := range knownLogs {
		if len(log) > len(best) && (hasWord(base, log) || hasWord(name, log)) {
			best = log
		}
	}
	return best
}

// hasWord says that name is word, or begins or ends with it and a separator.
func hasWord(name, word string) bool {
	const separators = "_-.:"
	before, ends := strings.CutSuffix(name, word)
	after, begins := strings.CutPrefix(name, word)
	return ends && (before == "" || strings.IndexByte(separators, before[len(before)-1]) >= 0) ||
		begins && strings.IndexByte(separators, after[0]) >= 0
}

// knownLogs are logs of Zeek's own (docs.zeek.org, "Log Files").
var knownLogs = [...]string{
	"analyzer", "capture_loss", "cluster", "conn", "dce_rpc", "dhcp", "dnp3", "dns", "dpd", "files", "ftp", "http",
	"intel", "irc", "kerberos", "known_certs", "known_hosts", "known_services", "ldap", "ldap_search", "modbus", "mqtt_connect",
	"mqtt_publish", "mqtt_subscribe", "mysql", "notice", "notice_alarm", "ntlm", "ntp", "ocsp", "packet_filter", "pe", "postgresql",
	"quic", "radius", "rdp", "redis", "reporter", "rfb", "signatures", "sip", "smb_cmd", "smb_files", "smb_mapping", "smtp",
	"snmp", "socks", "software", "ssh", "ssl", "stats", "syslog", "telemetry", "traceroute", "tunnel", "weird", "websocket", "x509",
}
