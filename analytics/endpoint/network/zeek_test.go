package network_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/analytics/endpoint/network"
	"github.com/vegress/vegress/event"
)

// tsv makes a line of words; a blank in a value is written _.
func tsv(line string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(line), "\t"), "_", " ")
}

const connFields = "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\ttunnel_parents"

const connTypes = "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tbool\tbool\tcount\tstring\tcount\tcount\tcount\tcount\tset[string]"

func connLine(state string) string {
	return tsv("1788000000.500000 CaB1 10.0.1.15 50123 203.0.113.40 443 tcp ssl 12.250000 1500 42000 " + state + " T F 0 ShADadFf 20 2548 41 44140 -")
}

const connWant = "zeek.conn network_activity/6 status=1 device=sensor1 dir=2 proto=6 src=10.0.1.15 sport=50123 dst=203.0.113.40 dport=443 out=1500/20 in=42000/41 time=2026-08-29T10:40:12.75 start=2026-08-29T10:40:00.5 end=2026-08-29T10:40:12.75"

var zeekHeader = []string{`#separator \x09`, "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", "#path\tconn", "#open\t2026-08-29-10-40-00", connFields, connTypes}

func TestZeekTSV(t *testing.T) {
	z := network.NewZeek("")
	if got := decode(t, z, zeekHeader...); len(got) != 0 {
		t.Errorf("a header became %d events", len(got))
	}
	events := decode(t, z, connLine("SF"), "#close\t2026-08-29-11-00-00")
	check(t, events, connWant)
	ev := &events[0]
	for name, want := range map[string][]string{
		"id.orig_h": {"10.0.1.15"}, "id.resp_p": {"443"}, "conn_state": {"SF"}, "local_orig": {"true"}, "history": {"ShADadFf"}, "tunnel_parents": nil,
	} {
		if got := fields(ev, name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if f, _ := ev.Field(event.Intern("id.orig_p")); f.Kind != event.KindNumber {
		t.Errorf("a port is of kind %v", f.Kind)
	}
	if ev.Raw != connLine("SF") {
		t.Errorf("raw is %q", ev.Raw)
	}
}

// A line says what its header's columns are, in any order and with any
// separators.
func TestZeekHeaderRules(t *testing.T) {
	z := network.NewZeek("")
	ev := one(t, z, `#separator \x7c`, "#set_separator|;", "#empty_field|EMPTY", "#unset_field|NIL", "#path|http",
		"#fields|host|uri|method|id.resp_h|id.orig_h|ts|tags|resp_mime_types|user_agent|status_code|cookie_vars",
		"#types|string|string|string|addr|addr|time|set[enum]|vector[string]|string|count|vector[string]",
		`www.example.com|/a\x7cb?q=\x0a|GET|203.0.113.40|10.0.1.15|1788000000.000001|EMPTY|text/html;a\x3bb;NIL|NIL|404|NIL`)
	check(t, []event.Event{ev}, "zeek.http http_activity/3 status=2 device=sensor1 dir=2 proto=6 src=10.0.1.15 dst=203.0.113.40 host=www.example.com method=GET url=http://www.example.com/a|b?q=\n code=404 time=2026-08-29T10:40:00.000001")
	if got := fields(&ev, "resp_mime_types"); !reflect.DeepEqual(got, []string{"text/html", "a;b", ""}) {
		t.Errorf("the list became %q", got)
	}
	if got := fields(&ev, "tags"); !reflect.DeepEqual(got, []string{""}) {
		t.Errorf("the empty set became %q", got)
	}
	if got := fields(&ev, "user_agent"); got != nil {
		t.Errorf("what is unset became %q", got)
	}
}

// Lines without a header are read by what Zeek writes by default.
func TestZeekWithoutHeader(t *testing.T) {
	dns := tsv("1788000001.000000 CaB2 10.0.1.15 40000 10.0.0.53 53 udp 4711 0.012000 www.example.com 1 C INTERNET 1 A 0 NOERROR F F T T 0 edge.example.net,203.0.113.40 60.000000,60.000000 F")
	dns = strings.Replace(dns, "C\tINTERNET", "C_INTERNET", 1)
	ssl := tsv("1788000002.000000 CaB3 10.0.1.15 50200 203.0.113.41 8443 TLSv13 TLS AES x25519 api.example.org F - h2 T CsiI abc,def (empty) T")
	ssl = strings.Replace(ssl, "TLS\tAES", "TLS_AES", 1)
	http := tsv("1788000003.000000 CaB4 10.0.1.15 50300 203.0.113.42 8080 1 POST files.example.com /up - 1.1 curl/8.5.0 - 120 2 200 OK - - (empty) - - - Fab - text/plain - - -")
	for _, tt := range []struct{ name, line, want string }{
		{"", connLine("SF"), connWant},
		{"/opt/zeek/logs/2026-08-29/conn.10:00:00-11:00:00.log", connLine("SF"), connWant},
		{"", dns, "zeek.dns dns_activity/2 status=1 device=sensor1 dir=3 proto=17 src=10.0.1.15 sport=40000 dst=10.0.0.53 dport=53 query=www.example.com type=A rcode=NOERROR answer=203.0.113.40 time=2026-08-29T10:40:01"},
		{"", ssl, "zeek.ssl network_activity/1 status=1 device=sensor1 dir=2 proto=6 src=10.0.1.15 sport=50200 dst=203.0.113.41 dport=8443 host=api.example.org via=sni time=2026-08-29T10:40:02"},
		{"", http, "zeek.http http_activity/6 status=1 device=sensor1 dir=2 proto=6 src=10.0.1.15 sport=50300 dst=203.0.113.42 dport=8080 host=files.example.com method=POST url=http://files.example.com:8080/up version=1.1 code=200 agent=curl/8.5.0 time=2026-08-29T10:40:03"},
		{"day2_ssl.log", ssl + "\tja3value\tja3svalue", "zeek.ssl network_activity/1 status=1 device=sensor1 dir=2 proto=6 src=10.0.1.15 sport=50200 dst=203.0.113.41 dport=8443 host=api.example.org via=sni time=2026-08-29T10:40:02"},
	} {
		check(t, decode(t, network.NewZeek(tt.name), tt.line), tt.want)
	}
	for _, line := range []string{"a\tb", "1\t2\t3", "no columns"} {
		if err := network.NewZeek("").Decode(endpoint.Record{Text: line}, func(*event.Event) { t.Errorf("%q became an event", line) }); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}

// The logs of one sensor may come mixed, each line after the last header.
func TestZeekMixedLogs(t *testing.T) {
	z := network.NewZeek("")
	records := append(append([]string{}, zeekHeader...),
		"#path\tweird", "#fields\tts\tuid\tname", "#types\ttime\tstring\tstring",
		connLine("SF"), "1788000000.0\tCw1\tbad_TCP_checksum", connLine("S1"))
	var logs []string
	for _, ev := range decode(t, z, records...) {
		logs = append(logs, ev.LogName)
	}
	if want := []string{"zeek.conn", "zeek.weird", "zeek.conn"}; !reflect.DeepEqual(logs, want) {
		t.Errorf("got %q, want %q", logs, want)
	}
}

func TestZeekConnStates(t *testing.T) {
	for state, want := range map[string]struct {
		activity event.Activity
		status   event.Status
	}{
		"SF": {event.NetworkTraffic, event.StatusSuccess}, "S1": {event.NetworkTraffic, event.StatusSuccess},
		"RSTO": {event.NetworkTraffic, event.StatusSuccess}, "RSTR": {event.NetworkTraffic, event.StatusSuccess},
		"S0": {event.NetworkFail, event.StatusFailure}, "REJ": {event.NetworkRefuse, event.StatusFailure},
		"OTH": {event.NetworkTraffic, event.StatusUnknown}, "SHR": {event.NetworkTraffic, event.StatusUnknown},
	} {
		ev := one(t, network.NewZeek("conn.log"), connLine(state))
		if ev.Activity != want.activity || ev.Status != want.status {
			t.Errorf("%s: activity %d status %d, want %v", state, ev.Activity, ev.Status, want)
		}
	}
	// Data goes out over UDP without an answer.
	udp := strings.Replace(connLine("S0"), "tcp", "udp", 1)
	if ev := one(t, network.NewZeek("conn.log"), udp); ev.Activity != event.NetworkTraffic {
		t.Errorf("UDP without an answer has activity %d", ev.Activity)
	}
}

// One record, in each of the spellings that Zeek and shippers have.
func TestZeekJSON(t *testing.T) {
	const rest = `"proto":"tcp","service":"ssl","duration":12.25,"orig_bytes":1500,"resp_bytes":42000,"conn_state":"SF","local_orig":true,"local_resp":false,"orig_pkts":20,"resp_pkts":41}`
	for name, tt := range map[string]struct{ source, record string }{
		"dotted":     {"", `{"_path":"conn","ts":1788000000.5,"id.orig_h":"10.0.1.15","id.orig_p":50123,"id.resp_h":"203.0.113.40","id.resp_p":443,` + rest},
		"underscore": {"", `{"@stream":"conn","ts":1788000000.5,"id_orig_h":"10.0.1.15","id_orig_p":50123,"id_resp_h":"203.0.113.40","id_resp_p":443,` + rest},
		"nested":     {"conn.log", `{"ts":"2026-08-29T10:40:00.500000Z","id":{"orig_h":"10.0.1.15","orig_p":50123,"resp_h":"203.0.113.40","resp_p":443},` + rest},
		"by fields":  {"", `{"ts":1788000000500,"id.orig_h":"10.0.1.15","id.orig_p":50123,"id.resp_h":"203.0.113.40","id.resp_p":443,` + rest},
	} {
		t.Run(name, func(t *testing.T) {
			ev := one(t, network.NewZeek(tt.source), tt.record)
			check(t, []event.Event{ev}, connWant)
			if got := fields(&ev, "id.orig_h"); !reflect.DeepEqual(got, []string{"10.0.1.15"}) {
				t.Errorf("id.orig_h: %q", got)
			}
		})
	}
}

// Shippers that do not read the line put it into an object.
func TestZeekInEnvelope(t *testing.T) {
	line := strings.ReplaceAll(connLine("SF"), "\t", `\t`)
	want := strings.Replace(connWant, "sensor1", "zeek7", 1)
	for _, record := range []string{
		`{"@timestamp":"2026-08-29T10:41:00Z","message":"` + line + `","log":{"file":{"path":"/opt/zeek/logs/current/conn.log"}},"host":{"name":"zeek7"}}`,
		`{"message":"` + line + `","file":"/opt/zeek/logs/current/conn.log","host":"zeek7","source_type":"file"}`,
		`{"log":"` + line + `\n","host":"zeek7"}`,
		`{"message":"{\"ts\":1788000000.5,\"_path\":\"conn\",\"id.orig_h\":\"10.0.1.15\",\"id.orig_p\":50123,\"id.resp_h\":\"203.0.113.40\",\"id.resp_p\":443,\"proto\":\"tcp\",\"duration\":12.25,\"orig_bytes\":1500,\"resp_bytes\":42000,\"conn_state\":\"SF\",\"orig_pkts\":20,\"resp_pkts\":41}","host":{"name":"zeek7"}}`,
	} {
		var events []event.Event
		if err := network.NewZeek("").Decode(endpoint.Record{Text: record}, func(ev *event.Event) { events = append(events, ev.Clone()) }); err != nil {
			t.Fatal(err)
		}
		check(t, events, want)
		if len(events) == 1 && events[0].Raw != record {
			t.Errorf("raw is not the record: %q", events[0].Raw)
		}
	}
}

func TestZeekOthers(t *testing.T) {
	z := network.NewZeek("")
	check(t, decode(t, z,
		`{"_path":"ssh","_system_name":"probe3","ts":1788000000,"id.orig_h":"10.0.1.15","id.orig_p":5,"id.resp_h":"203.0.113.40","id.resp_p":22,"auth_success":null,"client":"SSH-2.0-x"}`,
		`{"_path":"quic","ts":1788000000,"id.orig_h":"10.0.1.15","id.orig_p":5000,"id.resp_h":"203.0.113.40","id.resp_p":443,"version":"1","server_name":"cdn.example.com"}`,
		`{"_path":"dns","ts":1788000000,"id.orig_h":"2001:db8:1::5","id.orig_p":5353,"id.resp_h":"2001:db8::53","id.resp_p":53,"proto":"udp","query":"a.example.com","qtype_name":"AAAA"}`,
		`{"_path":"conn","ts":1788000000,"id.orig_h":"10.0.1.15","id.orig_p":8,"id.resp_h":"203.0.113.40","id.resp_p":0,"proto":"icmp","orig_ip_bytes":84,"resp_ip_bytes":84,"conn_state":"OTH"}`,
		`{"_path":"notice","ts":1788000000,"src":"10.0.1.15","note":"Scan::Port_Scan","msg":"10.0.1.15 scanned","actions":["Notice::ACTION_LOG"]}`,
		`{"_path":"http","ts":1788000000,"id.orig_h":"10.0.1.15","id.orig_p":50000,"id.resp_h":"10.0.0.3","id.resp_p":3128,"method":"CONNECT","host":"api.example.com:443","uri":"api.example.com:443"}`,
		`{"_path":"http","ts":1788000000,"id.orig_h":"10.0.1.15","id.orig_p":50000,"id.resp_h":"10.0.0.3","id.resp_p":3128,"method":"GET","host":"www.example.com","uri":"http://www.example.com/x"}`,
		`{"uid":"x"}`),
		"zeek.ssh base_event/0 device=probe3 dir=2 src=10.0.1.15 sport=5 dst=203.0.113.40 dport=22 time=2026-08-29T10:40:00",
		"zeek.quic network_activity/1 device=sensor1 dir=2 proto=17 src=10.0.1.15 sport=5000 dst=203.0.113.40 dport=443 host=cdn.example.com via=sni time=2026-08-29T10:40:00",
		"zeek.dns dns_activity/1 device=sensor1 proto=17 src=2001:db8:1::5 sport=5353 dst=2001:db8::53 dport=53 query=a.example.com type=AAAA time=2026-08-29T10:40:00",
		"zeek.conn network_activity/6 device=sensor1 dir=2 proto=1 src=10.0.1.15 dst=203.0.113.40 out=84/0 in=84/0 time=2026-08-29T10:40:00 start=2026-08-29T10:40:00 end=2026-08-29T10:40:00",
		"zeek.notice base_event/0 device=sensor1 message=10.0.1.15 scanned time=2026-08-29T10:40:00",
		"zeek.http http_activity/1 device=sensor1 dir=2 proto=6 src=10.0.1.15 sport=50000 dport=443 host=api.example.com method=CONNECT time=2026-08-29T10:40:00",
		"zeek.http http_activity/3 device=sensor1 dir=2 proto=6 src=10.0.1.15 sport=50000 dport=80 host=www.example.com method=GET url=http://www.example.com/x time=2026-08-29T10:40:00",
		"zeek base_event/0 device=sensor1",
	)
}

// Who reports is who the record says, else who the way in or the shipper says.
func TestZeekSensor(t *testing.T) {
	for _, tt := range []struct{ host, record, want string }{
		{"way", `{"_path":"conn","ts":1,"host":{"name":"shipper"}}`, "way"},
		{"", `{"_path":"conn","ts":1,"host":{"name":"shipper"}}`, "shipper"},
		{"way", `{"_path":"conn","ts":1,"_system_name":"probe"}`, "probe"},
	} {
		if err := network.NewZeek("").Decode(endpoint.Record{Text: tt.record, Host: tt.host}, func(ev *event.Event) {
			if ev.Device.Hostname != tt.want {
				t.Errorf("%s from %q is of %q, want %q", tt.record, tt.host, ev.Device.Hostname, tt.want)
			}
		}); err != nil {
			t.Error(err)
		}
	}
}
