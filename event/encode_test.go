package event_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/event/eventtest"
)

func ExampleEvent_AppendJSON() {
	ev := event.Event{
		Class: event.NetworkActivity, Activity: event.NetworkRefuse, Severity: event.SeverityInformational,
		Time: when, UID: "c1-7-42-0", LogName: "dfwpktlogs", Raw: "INET match DROP ...",
		Device: event.Device{Hostname: "esx01"},
		Src:    event.Endpoint{IP: netip.MustParseAddr("10.1.2.3"), Port: 51234},
		Dst:    event.Endpoint{IP: netip.MustParseAddr("203.0.113.10"), Port: 443},
	}
	ev.AddNumber(event.Intern("rule_id"), "1002")
	fmt.Printf("%s\n", bytes.ReplaceAll(ev.AppendJSON(nil), []byte(`,"`), []byte(",\n\"")))
	// Output:
	// {"class_uid":4001,
	// "category_uid":4,
	// "activity_id":5,
	// "type_uid":400105,
	// "severity_id":1,
	// "time":1795343400123,
	// "metadata":{"version":"1.8.0",
	// "product":{"name":"vegress",
	// "vendor_name":"vegress"},
	// "log_name":"dfwpktlogs",
	// "uid":"c1-7-42-0",
	// "reporter":{"hostname":"esx01"}},
	// "src_endpoint":{"ip":"10.1.2.3",
	// "port":51234},
	// "dst_endpoint":{"ip":"203.0.113.10",
	// "port":443},
	// "raw_data":"INET match DROP ...",
	// "unmapped":{"rule_id":1002}}
}

// at looks up a path such as "src_endpoint.ip" or "resources.0.name".
func at(t *testing.T, line []byte, path string) any {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			var i int
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// unknown is how the encoder says that the record does not say.
var unknown = map[string]any{"name": "unknown", "type_id": json.Number("0")}

var required = []struct {
	name string
	ev   event.Event
	path string
	want any
}{
	{"device in base event", event.Event{Device: event.Device{Hostname: "esx01"}}, "metadata.reporter.hostname", "esx01"},
	{"device in process activity", event.Event{
		Class: event.ProcessActivity, Device: event.Device{Hostname: "esx01"}, Process: event.Process{PID: 1},
	}, "device.hostname", "esx01"},
	{"process without device", event.Event{Class: event.ProcessActivity, Process: event.Process{PID: 1}}, "device", unknown},
	{"process without actor", event.Event{Class: event.ProcessActivity, Process: event.Process{PID: 1}}, "actor.user", unknown},
	{"process without id", event.Event{
		Class: event.ProcessActivity, UID: "c-1-2-0", Process: event.Process{CmdLine: "wget"},
	}, "process.uid", "c-1-2-0"},
	{"process without anything", event.Event{Class: event.ProcessActivity, UID: "c-1-2-0"}, "class_uid", json.Number("0")},
	{"parent without id", event.Event{Class: event.ProcessActivity, Process: event.Process{
		PID: 1, Parent: &event.Process{PID: 2, Parent: &event.Process{Name: "init"}},
	}}, "unmapped.process.parent_process.name", "init"},
	{"file by path", event.Event{Class: event.FileActivity, File: event.File{Path: `C:\temp\x.exe`}}, "file.name", "x.exe"},
	{"file of root", event.Event{Class: event.FileActivity, File: event.File{Path: "/"}}, "file.name", "/"},
	{"no file", event.Event{Class: event.FileActivity}, "class_uid", json.Number("0")},
	{"login without user", event.Event{Class: event.Authentication, LogName: "sshd"}, "user", unknown},
	{"login without service", event.Event{Class: event.Authentication, LogName: "sshd"}, "service.name", "sshd"},
	{"login without anything", event.Event{Class: event.Authentication}, "service.name", "unknown"},
	{"login with domain only", event.Event{
		Class: event.Authentication, User: event.User{Domain: "corp"},
	}, "unmapped.user.domain", "corp"},
	{"network without endpoint", event.Event{Class: event.NetworkActivity, Activity: event.NetworkOpen}, "type_uid", json.Number("99")},
	{"network with ports only", event.Event{
		Class: event.NetworkActivity, Dst: event.Endpoint{Port: 443},
	}, "unmapped.dst_endpoint.port", json.Number("443")},
	{"ssh with vm name only", event.Event{Class: event.SSHActivity, Src: event.Endpoint{VMName: "web"}}, "src_endpoint.name", "web"},
	{"http without anything", event.Event{Class: event.HTTPActivity}, "http_request", map[string]any{}},
	{"http with status only", event.Event{Class: event.HTTPActivity, HTTP: event.HTTP{Status: 404}}, "http_request", nil},
	{"odd method", event.Event{
		Class: event.HTTPActivity, HTTP: event.HTTP{Method: "PROPFIND"},
	}, "unmapped.http_request.http_method", "PROPFIND"},
	{"call without caller", event.Event{Class: event.APIActivity, Operation: "x", Device: event.Device{Hostname: "esx01"}}, "src_endpoint", unknown},
	{"call without actor", event.Event{Class: event.APIActivity, Operation: "x"}, "actor.user", unknown},
	{"call with session only", event.Event{Class: event.APIActivity, Operation: "x", Session: "52"}, "actor.session.uid", "52"},
	{"call without operation", event.Event{Class: event.APIActivity, Service: "vpxd"}, "unmapped.service.name", "vpxd"},
	{"answer without query", event.Event{
		Class: event.DNSActivity, Dst: event.Endpoint{Hostname: "ns"}, DNS: event.DNS{Type: "A"},
	}, "unmapped.query.type", "A"},
	{"class of a finding", event.Event{Class: event.DetectionFinding}, "class_uid", json.Number("0")},
	{"activity of another class", event.Event{Class: event.HTTPActivity, Activity: 12}, "type_uid", json.Number("400299")},
	{"user of a base event", event.Event{User: event.User{Name: "root"}}, "unmapped.user.name", "root"},
	{"bad mac", event.Event{
		Class: event.NetworkActivity, Src: event.Endpoint{Hostname: "h", MAC: "0050.56aa"},
	}, "unmapped.src_endpoint.mac", "0050.56aa"},
	{"long zone", event.Event{
		Device: event.Device{IP: netip.MustParseAddr("fe80:1111:2222:3333:4444:5555:6666:7777%vmk0")},
	}, "metadata.reporter.ip", "fe80:1111:2222:3333:4444:5555:6666:7777"},
	{"short zone", event.Event{Device: event.Device{IP: netip.MustParseAddr("fe80::1%vmk0")}}, "metadata.reporter.ip", "fe80::1%vmk0"},
	{"time not known", event.Event{}, "time", json.Number("0")},
	{"traffic of nothing", event.Event{
		Class: event.NetworkActivity, Src: event.Endpoint{Hostname: "h"}, Traffic: event.Traffic{Known: true, BytesIn: -1},
	}, "traffic", map[string]any{"bytes_in": json.Number("-1"), "bytes_out": json.Number("0")}},
	{"pieces", event.Event{Records: 3}, "unmapped.records", json.Number("3")},
}

// TestRequired: what a schema demands and the record does not say.
func TestRequired(t *testing.T) {
	schemas := eventtest.New(t)
	for _, tt := range required {
		t.Run(tt.name, func(t *testing.T) {
			line := tt.ev.AppendJSON(nil)
			if got := at(t, line, tt.path); fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("%s = %v, want %v\n%s", tt.path, got, tt.want, line)
			}
			if got, want := at(t, line, "class_uid"), fmt.Sprint(int(tt.ev.WireClass())); fmt.Sprint(got) != want {
				t.Errorf("class_uid = %v, WireClass %v", got, want)
			}
			checkEvent(t, schemas, &tt.ev)
		})
	}
}

func TestFieldsOnWire(t *testing.T) {
	field := func(name string, kind event.Kind, value string) event.Field {
		return event.Field{ID: event.Intern(name), Kind: kind, Value: value}
	}
	tests := []struct {
		name   string
		fields []event.Field
		want   string
	}{
		{"none", nil, ``},
		{"kinds", []event.Field{
			field("s", event.KindString, "x"), field("n", event.KindNumber, "-1.5e3"),
			field("b", event.KindBool, "true"), field("z", event.KindNull, ""),
		}, `{"s":"x","n":-1.5e3,"b":true,"z":null}`},
		{"not what they say", []event.Field{
			field("a", event.KindNumber, "007"), field("b", event.KindNumber, ""), field("c", event.KindBool, "True"),
			field("d", event.KindNumber, "1."), field("e", event.KindNumber, "1e"), field("f", event.KindNumber, "0x1"),
		}, `{"a":"007","b":"","c":"True","d":"1.","e":"1e","f":"0x1"}`},
		{"several of one name", []event.Field{
			field("a", event.KindString, "1"), field("b", event.KindString, "x"), field("a", event.KindNumber, "2"),
			field("a", event.KindNull, ""),
		}, `{"a":["1",2,null],"b":"x"}`},
		{"own names", []event.Field{
			field("records", event.KindNumber, "7"), field("user", event.KindString, "joe"),
			field("query", event.KindString, "q"), field("query_2", event.KindString, "r"),
		}, `{"user":{"name":"root"},"records_2":7,"user_2":"joe","query":"q","query_2_2":"r"}`},
		{"not UTF-8", []event.Field{
			field("\xff", event.KindString, "1"), field("\xfe", event.KindString, "\xfe"),
		}, `{"` + "\uFFFD" + `":["1","` + "\uFFFD" + `"]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ev := event.Event{Fields: tt.fields}
			if tt.name == "own names" {
				ev.User.Name = "root"
			}
			line := ev.AppendJSON(nil)
			_, got, _ := strings.Cut(string(line), `,"unmapped":`)
			if got = strings.TrimSuffix(got, "}"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			back, err := event.Parse(line)
			if err != nil {
				t.Fatal(err)
			}
			if again := back.AppendJSON(nil); !bytes.Equal(again, line) {
				t.Errorf("read back:\n%s\n%s", line, again)
			}
		})
	}
}

// TestString holds the escaper against encoding/json, at every place of a
// special byte in an eight-byte word.
func TestString(t *testing.T) {
	special := []string{
		`"`, `\`, "\x00", "\x1f", "\n", "\r", "\t", "\x7f", " ", "!", "[", "]", "~", "é", "€", "𝄞", "\xff", "\x80",
		"\xe2\x82", "\xed\xa0\x80", "\uFFFD", "\u2028", "",
	}
	for n := range 20 {
		for m := range 20 {
			for _, s := range special {
				s = strings.Repeat("a", n) + s + strings.Repeat("b", m)
				ev := event.Event{Message: s}
				got, _ := at(t, ev.AppendJSON(nil), "message").(string)
				if want := string([]rune(s)); got != want {
					t.Fatalf("message %q became %q", s, got)
				}
			}
		}
	}
}

func TestRawData(t *testing.T) {
	tests := []struct{ name, raw, data, encoding string }{
		{"text", "a \"line\"\n\x01 \u2028", "a \"line\"\n\x01 \u2028", ""},
		{"zero byte", "a\x00", "YQA=", "base64"},
		{"not UTF-8", "caf\xe9", "Y2Fm6Q==", "base64"},
		{"replacement character", "\uFFFD", "\uFFFD", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ev := event.Event{Raw: tt.raw}
			line := ev.AppendJSON(nil)
			if got := at(t, line, "raw_data"); got != tt.data {
				t.Errorf("raw_data = %q, want %q", got, tt.data)
			}
			if got, _ := at(t, line, "unmapped.raw_encoding").(string); got != tt.encoding {
				t.Errorf("raw_encoding = %q, want %q", got, tt.encoding)
			}
			back, err := event.Parse(line)
			if err != nil || back.Raw != tt.raw {
				t.Errorf("Parse gives %q (%v), want %q", back.Raw, err, tt.raw)
			}
		})
	}
}

func TestEnrichments(t *testing.T) {
	schemas := eventtest.New(t)
	vms := make([]*event.VM, 7)
	for i := range vms {
		vms[i] = &event.VM{Name: fmt.Sprint("vm", i), InstanceUUID: "u"}
	}
	ambiguous := event.Context{Candidates: vms, State: event.StateStale, Via: event.ViaIP}
	host := event.Context{Host: &event.Host{Name: "esx01", Roles: []string{"management"}}, State: event.StateLive}
	tests := []struct {
		name    string
		context event.Context
		want    string
	}{
		{"vm", firewallEvent().Src.Context, `[{"name":"src_endpoint.ip","value":"10.20.30.40","type":"vm","provider":"vcenter",` +
			`"data":{"name":"app-web-01","instance_uuid":"5012aaaa-1111-2222-3333-444455556666","host":"esx01.corp.local",` +
			`"roles":["backup"],"via":"vif","state":"live"}}]`},
		{"ambiguous", ambiguous, `[{"name":"src_endpoint.ip","value":"10.20.30.40","type":"vm","provider":"vcenter",` +
			`"data":{"candidates":["vm0","vm1","vm2","vm3","vm4"],"ambiguous":true,"via":"ip","state":"stale"}}]`},
		{"host", host, `[{"name":"src_endpoint.ip","value":"10.20.30.40","type":"host","provider":"vcenter",` +
			`"data":{"name":"esx01","roles":["management"],"state":"live"}}]`},
		{"nothing found", event.Context{State: event.StateNever}, ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ev := firewallEvent()
			ev.Src.Context = tt.context
			line := ev.AppendJSON(nil)
			_, got, _ := strings.Cut(string(line), `,"enrichments":`)
			if got = strings.TrimSuffix(got, "}"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			checkEvent(t, schemas, &ev)
		})
	}
}

// TestEventBytes holds what an event costs to store: 150 bytes of record, about
// 160 of names, addresses and ids, and the rest that OCSF and its names cost.
func TestEventBytes(t *testing.T) {
	ev := firewallEvent()
	if len(ev.Raw) != 150 {
		t.Fatalf("the record has %d bytes", len(ev.Raw))
	}
	line := ev.AppendJSON(nil)
	if got := len(line); got > 910 {
		t.Errorf("a firewall event with one enriched end has %d bytes, want at most 910:\n%s", got, line)
	}
	ev.Src.Context = event.Context{}
	if got := len(ev.AppendJSON(nil)); got > 660 {
		t.Errorf("a firewall event has %d bytes, want at most 660", got)
	}
}

func TestAppendJSONAllocs(t *testing.T) {
	ev := firewallEvent()
	flowFields(&ev)
	buf := ev.AppendJSON(nil)
	if n := testing.AllocsPerRun(100, func() { buf = ev.AppendJSON(buf[:0]) }); n != 0 {
		t.Errorf("AppendJSON allocates %v times, want none", n)
	}
}

func TestAppendJSONAppends(t *testing.T) {
	ev, f := firewallEvent(), finding()
	if got := ev.AppendJSON([]byte("before ")); !bytes.HasPrefix(got, []byte(`before {"class_uid":4001`)) {
		t.Errorf("got %.40s", got)
	}
	if got := f.AppendJSON([]byte("before ")); !bytes.HasPrefix(got, []byte(`before {"class_uid":2004`)) {
		t.Errorf("got %.40s", got)
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	plain, fields := firewallEvent(), firewallEvent()
	flowFields(&fields)
	base := event.Event{Class: event.BaseEvent, Time: when, UID: plain.UID, LogName: "hostd", Raw: plain.Raw, Device: plain.Device}
	for _, bb := range []struct {
		name string
		ev   event.Event
	}{{"firewall", plain}, {"fields", fields}, {"base", base}} {
		b.Run(bb.name, func(b *testing.B) {
			buf := bb.ev.AppendJSON(nil)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				buf = bb.ev.AppendJSON(buf[:0])
			}
		})
	}
}

func BenchmarkFindingAppendJSON(b *testing.B) {
	f := finding()
	buf := f.AppendJSON(nil)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = f.AppendJSON(buf[:0])
	}
}
