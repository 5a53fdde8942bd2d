package network

import (
	"strconv"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// EVE decodes the event log of Suricata (docs.suricata.io, "Eve JSON Format"),
// a JSON object a record: flow and netflow are Network events with bytes and
// times, tls (and quic) a Network event that names its destination, dns a DNS
// event in each of its three formats, http an HTTP event; alert, fileinfo and
// all others are Base Events with both endpoints. All members are in Fields,
// those of an object inside behind its name and a dot ("tls.sni"). LogName is
// "suricata." and the type of the event.
type EVE struct {
	ev    event.Event
	flat  flattener
	types map[string]string // event_type -> LogName
}

// NewEVE makes a decoder.
func NewEVE() *EVE { return &EVE{flat: newFlattener(nil), types: map[string]string{}} }

var _ endpoint.Decoder = (*EVE)(nil)

// Decode implements endpoint.Decoder.
func (d *EVE) Decode(r endpoint.Record, tell func(*event.Event)) error {
	begin(&d.ev, &r)
	if err := d.fill(r.Text); err != nil {
		return err
	}
	if text(&d.ev, eveType) == "" {
		if e, ok := unwrap(&d.ev); ok {
			if err := d.fill(e.line); err != nil {
				return err
			}
		}
	}
	d.complete()
	tell(&d.ev)
	return nil
}

// fill reads a record, which may have the prefix for syslog in front.
func (d *EVE) fill(record string) error {
	object, err := endpoint.Object(strings.TrimPrefix(strings.TrimSpace(record), "@cee:"))
	if err == nil {
		d.flat.fill(&d.ev, object)
	}
	return err
}

// Rest implements endpoint.Decoder: nothing waits.
func (d *EVE) Rest(time.Time, func(*event.Event)) {}

func (d *EVE) complete() {
	ev := &d.ev
	kind := text(ev, eveType)
	ev.LogName = d.logName(kind)
	setSensor(ev, eveSensor)
	ev.Time = instant(firstText(ev, eveTime, zeekTimeShipped))
	ev.Src = event.Endpoint{IP: address(text(ev, eveSrcIP)), Port: port(text(ev, eveSrcPort))}
	ev.Dst = event.Endpoint{IP: address(text(ev, eveDstIP)), Port: port(text(ev, eveDstPort))}
	ev.Protocol = protocol(text(ev, eveProto))
	if isICMP(ev.Protocol) {
		ev.Src.Port, ev.Dst.Port = 0, 0
	}
	ev.Direction = direction(ev.Src.IP, ev.Dst.IP)
	switch kind {
	case "flow":
		eveFlow(ev)
	case "netflow":
		eveNetflow(ev)
	case "tls":
		eveTLS(ev, eveSNI)
	case "quic":
		eveTLS(ev, eveQUICSNI)
	case "dns":
		eveDNS(ev)
	case "http":
		eveHTTP(ev)
	case "alert":
		eveAlert(ev)
	case "fileinfo":
		ev.File.Path = text(ev, eveFile)
	}
}

func (d *EVE) logName(kind string) string {
	if kind == "" || len(kind) > maxLog {
		return "suricata"
	}
	name, ok := d.types[kind]
	if !ok {
		name = "suricata." + kind
		if len(d.types) < maxLogs {
			d.types[name[len("suricata."):]] = name
		}
	}
	return name
}

// Fields of EVE that vegress reads.
var (
	eveType    = event.Intern("event_type")
	eveTime    = event.Intern("timestamp")
	eveSensor  = event.Intern("host")
	eveSrcIP   = event.Intern("src_ip")
	eveSrcPort = event.Intern("src_port")
	eveDstIP   = event.Intern("dest_ip")
	eveDstPort = event.Intern("dest_port")
	eveProto   = event.Intern("proto")

	eveStart      = event.Intern("flow.start")
	eveEnd        = event.Intern("flow.end")
	eveBytesOut   = event.Intern("flow.bytes_toserver")
	eveBytesIn    = event.Intern("flow.bytes_toclient")
	evePacketsOut = event.Intern("flow.pkts_toserver")
	evePacketsIn  = event.Intern("flow.pkts_toclient")
	eveAction     = event.Intern("flow.action")
	eveFlags      = event.Intern("tcp.tcp_flags")
	eveFlagsIn    = event.Intern("tcp.tcp_flags_tc")

	eveNetflowStart   = event.Intern("netflow.start")
	eveNetflowEnd     = event.Intern("netflow.end")
	eveNetflowBytes   = event.Intern("netflow.bytes")
	eveNetflowPackets = event.Intern("netflow.pkts")

	eveSNI     = event.Intern("tls.sni")
	eveQUICSNI = event.Intern("quic.sni")

	eveDNSType    = event.Intern("dns.type")
	eveDNSName    = event.Intern("dns.rrname")
	eveDNSKind    = event.Intern("dns.rrtype")
	eveDNSCode    = event.Intern("dns.rcode")
	eveDNSData    = event.Intern("dns.rdata")
	eveQueryName  = event.Intern("dns.queries.rrname")
	eveQueryKind  = event.Intern("dns.queries.rrtype")
	eveQueryOld   = event.Intern("dns.query.rrname")
	eveKindOld    = event.Intern("dns.query.rrtype")
	eveAnswerName = event.Intern("dns.answers.rrname")
	eveAnswers    = event.Intern("dns.answers.rdata")
	eveGroupedA   = event.Intern("dns.grouped.A")
	eveGrouped6   = event.Intern("dns.grouped.AAAA")

	eveHost    = event.Intern("http.hostname")
	eveURL     = event.Intern("http.url")
	eveAgent   = event.Intern("http.http_user_agent")
	eveMethod  = event.Intern("http.http_method")
	eveVersion = event.Intern("http.protocol")
	eveStatus  = event.Intern("http.status")

	eveSignature = event.Intern("alert.signature")
	eveSeverity  = event.Intern("alert.severity")
	eveFile      = event.Intern("fileinfo.filename")
)

// eveFlow is a flow, both ways, that ended.
func eveFlow(ev *event.Event) {
	ev.Class, ev.Activity = event.NetworkActivity, event.NetworkTraffic
	out, okOut := countOf(ev, eveBytesOut)
	in, okIn := countOf(ev, eveBytesIn)
	packetsOut, _ := countOf(ev, evePacketsOut)
	packetsIn, okPackets := countOf(ev, evePacketsIn)
	ev.Traffic = event.Traffic{BytesOut: out, BytesIn: in, PacketsOut: packetsOut, PacketsIn: packetsIn, Known: okOut || okIn}
	span(ev, instant(text(ev, eveStart)), instant(text(ev, eveEnd)))
	ev.TCPFlags = hexByte(text(ev, eveFlags))
	answer := hexByte(text(ev, eveFlagsIn))
	switch {
	case text(ev, eveAction) == "drop":
		ev.Activity, ev.Status = event.NetworkRefuse, event.StatusFailure
	case ev.Protocol != protoTCP:
	case okPackets && packetsIn == 0:
		ev.Activity, ev.Status = event.NetworkFail, event.StatusFailure
	case answer&flagSYN != 0:
		ev.Status = event.StatusSuccess
	case answer&flagRST != 0 && ev.TCPFlags&flagSYN != 0 && ev.TCPFlags&flagPSH == 0:
		ev.Activity, ev.Status = event.NetworkRefuse, event.StatusFailure
	}
}

// Flags of TCP.
const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagPSH = 0x08
	flagACK = 0x10
)

func hexByte(s string) uint8 {
	n, err := strconv.ParseUint(s, 16, 8)
	if err != nil {
		return 0
	}
	return uint8(n)
}

// eveNetflow is one way of a flow.
func eveNetflow(ev *event.Event) {
	ev.Class, ev.Activity = event.NetworkActivity, event.NetworkTraffic
	out, ok := countOf(ev, eveNetflowBytes)
	packets, _ := countOf(ev, eveNetflowPackets)
	ev.Traffic = event.Traffic{BytesOut: out, PacketsOut: packets, Known: ok}
	ev.TCPFlags = hexByte(text(ev, eveFlags))
	span(ev, instant(text(ev, eveNetflowStart)), instant(text(ev, eveNetflowEnd)))
}

// eveTLS is a handshake: a connection that was opened, to a name.
func eveTLS(ev *event.Event, name event.FieldID) {
	ev.Class, ev.Activity = event.NetworkActivity, event.NetworkOpen
	setServerName(ev, text(ev, name))
}

// eveDNS reads each of the formats: an answer is a record for each of its
// values (1), or one with a list of them (2), and with a list of questions (3).
func eveDNS(ev *event.Event) {
	ev.Class, ev.Activity = event.DNSActivity, event.DNSQuery
	ev.DNS.Query = firstText(ev, eveQueryName, eveQueryOld, eveDNSName, eveAnswerName)
	ev.DNS.Type = firstText(ev, eveQueryKind, eveKindOld, eveDNSKind)
	ev.DNS.RCode = text(ev, eveDNSCode)
	for _, id := range [...]event.FieldID{eveDNSData, eveAnswers, eveGroupedA, eveGrouped6} {
		addAnswers(ev, id)
	}
	switch text(ev, eveDNSType) {
	case "answer", "response":
		answered(ev)
		if ev.Src.Port == portDNS && ev.Dst.Port != portDNS { // the packet's, and not the flow's
			ev.Src, ev.Dst = ev.Dst, ev.Src
			ev.Direction = direction(ev.Src.IP, ev.Dst.IP)
		}
	}
}

const portDNS = 53

// eveHTTP is a request. Its bytes are the flow's.
func eveHTTP(ev *event.Event) {
	method := text(ev, eveMethod)
	setHTTP(ev, method, text(ev, eveStatus))
	ev.HTTP.Version = strings.TrimPrefix(text(ev, eveVersion), "HTTP/")
	ev.HTTP.UserAgent = text(ev, eveAgent)
	request(ev, method, text(ev, eveHost), text(ev, eveURL))
}

// eveAlert has the severity of its rule: 1 is the highest.
func eveAlert(ev *event.Event) {
	ev.Message = text(ev, eveSignature)
	switch text(ev, eveSeverity) {
	case "1":
		ev.Severity = event.SeverityHigh
	case "2":
		ev.Severity = event.SeverityMedium
	case "3":
		ev.Severity = event.SeverityLow
	}
}
