package app

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vegress/vegress/event"
)

const (
	zeekLine  = `{"_path":"conn","ts":1588316544.441272,"uid":"CKhqWU37Nzb7AMvChi","id.orig_h":"10.0.1.5","id.orig_p":64801,"id.resp_h":"203.0.113.7","id.resp_p":443,"proto":"tcp","orig_bytes":100,"resp_bytes":2000}`
	zeekTable = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n" +
		"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tquery\n#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\n" +
		"1588316544.5\tC1\t10.0.1.5\t5353\t10.0.0.2\t53\tudp\tpastebin.com\n"
	eveLine     = `{"timestamp":"2026-03-04T02:00:00.000000+0000","flow_id":1,"event_type":"tls","src_ip":"10.0.1.5","src_port":50000,"dest_ip":"203.0.113.7","dest_port":443,"proto":"TCP","tls":{"sni":"api.telegram.org"}}`
	osqueryLine = `{"name":"pack/x/socket_events","hostIdentifier":"mac01","calendarTime":"Sun Jan 17 14:43:22 2021 UTC","unixTime":1610894602,"columns":{"action":"connect","pid":"26075","remote_address":"203.0.113.7","remote_port":"443","path":"/usr/bin/curl"},"action":"added"}`
	sysmonXML   = `<Event><System><Provider Name="Linux-Sysmon" Guid="{ff032593-a8d3-4f13-b0d6-01fc615a0f97}"/><EventID>3</EventID><Channel>Linux-Sysmon/Operational</Channel><Computer>web01</Computer><TimeCreated SystemTime="2026-03-04T02:00:00.000000000Z"/></System><EventData><Data Name="Image">/usr/bin/curl</Data><Data Name="ProcessId">77</Data><Data Name="Protocol">tcp</Data><Data Name="SourceIp">10.0.1.5</Data><Data Name="SourcePort">50000</Data><Data Name="DestinationIp">203.0.113.7</Data><Data Name="DestinationPort">443</Data></EventData></Event>`
	auditLines  = "type=SYSCALL msg=audit(1492037289.295:58): arch=c000003e syscall=42 success=yes exit=0 a0=6 items=0 ppid=1 pid=1172 auid=0 uid=0 comm=\"curl\" exe=\"/usr/bin/curl\" key=(null)\n" +
		"type=SOCKADDR msg=audit(1492037289.295:58): saddr=020001BBCB0071070000000000000000"
)

// TestReplayOfTelemetry: what a file holds is seen from its first record, or
// named; every record becomes an event of its source, in the input's order, the
// same in every replay.
func TestReplayOfTelemetry(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		log              []string // LogNames of the events
		class            event.Class
		summary          string
	}{
		{"zeek", "x.json", zeekLine + "\n" + zeekLine, []string{"zeek.conn", "zeek.conn"}, event.NetworkActivity, "zeek: 2 records, 0 of"},
		{"zeek", "dns.log", zeekTable, []string{"zeek.dns"}, event.DNSActivity, "8 records, 1 events (7 records joined)"},
		{"eve", "eve.json", "[" + eveLine + ",\n" + eveLine + "]", nil, event.NetworkActivity, "eve: 2 records, 0 of"},
		{"osquery", "osquery.log", osqueryLine, nil, event.NetworkActivity, "osquery: 1 records, 0 of"},
		{"auditd", "audit.log", auditLines, nil, event.NetworkActivity, "2 records, 1 events (1 records joined)"},
		{"sysmon-linux", "sysmon.xml", sysmonXML, nil, event.NetworkActivity, "sysmon-linux: 1 records, 0 of"},
		{"json", "other.json", "{\n  \"what\": \"pretty\"\n}\nno JSON", []string{"json", "json"}, event.BaseEvent, "json: 2 records, 1 of"},
	} {
		t.Run(c.name+" "+c.file, func(t *testing.T) {
			file := write(t, c.file, c.text)
			var first string
			for _, args := range [][]string{{"replay", file}, {"replay", "--source", c.name, file}} {
				procs := runtime.GOMAXPROCS(1 + len(args))
				got := command(t, args...)
				runtime.GOMAXPROCS(procs)
				if got.code != exitOK || !strings.Contains(got.err, c.summary) {
					t.Fatalf("exit code %d: %s", got.code, got.err)
				}
				if first == "" {
					first = got.out
				}
				if got.out != first {
					t.Errorf("%v gives other bytes", args)
				}
				var logs []string
				readReplay(t, got.out, func(ev *event.Event) {
					logs = append(logs, ev.LogName)
					if ev.Class != c.class {
						t.Errorf("%+v", ev)
					}
				})
				if c.log != nil && !slices.Equal(logs, c.log) || len(logs) == 0 {
					t.Errorf("%q", logs)
				}
			}
		})
	}
}

// TestReplayMixed: files of several sources and of lines, one after the other,
// keep their order.
func TestReplayMixed(t *testing.T) {
	lines := write(t, "esx.log", "<14>2026-03-04T02:00:00.000Z esx01 vobd: first\n")
	more := write(t, "more.log", "<14>2026-03-04T02:00:01.000Z esx01 vobd: third\n")
	got := command(t, "replay", lines, write(t, "conn.log", zeekLine), more)
	var order []string
	readReplay(t, got.out, func(ev *event.Event) { order = append(order, ev.LogName) })
	if got.code != exitOK || !slices.Equal(order, []string{"vobd", "zeek.conn", "vobd"}) {
		t.Errorf("exit code %d: %q %s", got.code, order, got.err)
	}
}

// carriers are syslog lines that carry a record of a source, with the class of
// its event and the source's log.
var carriers = []struct {
	line  string
	class event.Class
}{
	{"<14>1 2026-03-04T02:00:00Z ids01 suricata 77 - - " + eveLine, event.NetworkActivity},
	{"<14>Mar  4 02:00:00 ids01 suricata[77]: @cee: " + eveLine, event.NetworkActivity},
	{"<14>1 2026-03-04T02:00:00Z web01 sysmon 77 - - " + sysmonXML, event.NetworkActivity},
	{"<14>1 2026-03-04T02:00:00Z sensor zeek - - - " + zeekLine, event.NetworkActivity},
	{"<14>1 2026-03-04T02:00:00Z mac01 osqueryd 1 - - " + osqueryLine, event.NetworkActivity},
	{"<14>Mar  4 02:00:00 web01 audispd: " + strings.ReplaceAll(auditLines, "\n", "\n<14>Mar  4 02:00:00 web01 audispd: "), event.NetworkActivity},
	{"<14>1 2026-03-04T02:00:00Z web01 suricata 1 - - {no JSON", event.BaseEvent},
	{"<14>1 2026-03-04T02:00:00Z web01 app 1 - - {\"no\":\"source\"}", event.BaseEvent},
}

// TestCarriedBySyslog: a message that carries a record of a known source is an
// event of that source, with its whole line, live and replayed.
func TestCarriedBySyslog(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	records := 0
	for _, c := range carriers {
		fmt.Fprintln(&text, c.line)
		records += 1 + strings.Count(c.line, "\n")
	}
	check := func(t *testing.T, got []*event.Event) {
		t.Helper()
		if len(got) != len(carriers) {
			t.Fatalf("%d events, want %d", len(got), len(carriers))
		}
		seen := map[string]event.Class{}
		for _, ev := range got {
			seen[ev.Raw] = ev.Class
		}
		for _, c := range carriers {
			raw := c.line
			if strings.Contains(raw, "\n") {
				raw = auditLines // joined by the source, not by syslog
			}
			if class, ok := seen[raw]; !ok || class != c.class {
				t.Errorf("%q: %v, %v", raw, class, ok)
			}
		}
	}
	t.Run("replay", func(t *testing.T) {
		got := command(t, "replay", "--source", "syslog", write(t, "x.log", text.String()))
		var all []*event.Event
		readReplay(t, got.out, func(ev *event.Event) { all = append(all, new(ev.Clone())) })
		check(t, all)
	})
	t.Run("live", func(t *testing.T) {
		s := start(t, testConfig(t, "", nil))
		fmt.Fprint(s.sender(), text.String())
		a := s.settled(int64(records))
		if a.Forwarded != int64(len(carriers)) || a.Joined != 1 {
			t.Errorf("%+v", a)
		}
		s.sendLast()
		var all []*event.Event
		readBack(t, s.broker.ClientURL(), func(ev *event.Event) { all = append(all, new(ev.Clone())) })
		check(t, all)
	})
}
