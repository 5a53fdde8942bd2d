package esxi_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere/esxi"
)

func TestFirewallFlow(t *testing.T) {
	tests := []struct {
		name, text string
		src, dst   string
		direction  event.Direction
		activity   event.Activity
		srcVIF     string
		dstVIF     string
		out, in    int64
	}{
		{"match out", "5a3c11d0 INET match PASS mainrs/1031 OUT 60 TCP 192.0.2.5/32808->203.0.113.7/443 S", "192.0.2.5:32808", "203.0.113.7:443", event.DirectionOutbound, event.NetworkOpen, "5a3c11d0", "", 0, 0},
		{"match in", "5a3c11d0 INET match DROP 1031 IN 60 TCP 203.0.113.7/32808->192.0.2.5/443 S", "203.0.113.7:32808", "192.0.2.5:443", event.DirectionInbound, event.NetworkRefuse, "", "5a3c11d0", 0, 0},
		{"term", "5a3c11d0 INET TERM PASS 1031 OUT TCP FIN 192.0.2.5/1->203.0.113.7/443 9/8 1461/4677 tag", "192.0.2.5:1", "203.0.113.7:443", event.DirectionOutbound, event.NetworkClose, "5a3c11d0", "", 1461, 4677},
		{"term without action", "44021 INET TERM domain-c1/1001 IN TCP RST 10.1.2.3/33491->10.4.5.6/10001 22/14 7684/1070", "10.1.2.3:33491", "10.4.5.6:10001", event.DirectionInbound, event.NetworkClose, "", "", 7684, 1070},
		{"ipv6", "INET6 match PASS 1 OUT 88 UDP 2001:db8:0:0:0:0:0:5/53->ff02:0:0:0:0:0:0:fb/5353", "[2001:db8::5]:53", "[ff02::fb]:5353", event.DirectionOutbound, event.NetworkOpen, "", "", 0, 0},
		{"fragment", "INET fragment DROP 1 OUT 88 UDP 192.0.2.5->192.0.2.6", "192.0.2.5:0", "192.0.2.6:0", event.DirectionOutbound, event.NetworkRefuse, "", "", 0, 0},
	}
	firewall := esxi.Recognizers()["dfwpktlogs"]
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var ev event.Event
			if !firewall.Recognize(&syslog.Message{App: "dfwpktlogs", Text: tt.text}, &ev) {
				t.Fatal("not recognized")
			}
			if got := netip.AddrPortFrom(ev.Src.IP, ev.Src.Port).String(); got != tt.src {
				t.Errorf("src: got %s, want %s", got, tt.src)
			}
			if got := netip.AddrPortFrom(ev.Dst.IP, ev.Dst.Port).String(); got != tt.dst {
				t.Errorf("dst: got %s, want %s", got, tt.dst)
			}
			if ev.Direction != tt.direction || ev.Activity != tt.activity {
				t.Errorf("direction, activity: got %d %d, want %d %d", ev.Direction, ev.Activity, tt.direction, tt.activity)
			}
			if ev.Src.VIF != tt.srcVIF || ev.Dst.VIF != tt.dstVIF {
				t.Errorf("VIF: got %q %q, want %q %q", ev.Src.VIF, ev.Dst.VIF, tt.srcVIF, tt.dstVIF)
			}
			if ev.Traffic.BytesOut != tt.out || ev.Traffic.BytesIn != tt.in {
				t.Errorf("bytes: got %d %d, want %d %d", ev.Traffic.BytesOut, ev.Traffic.BytesIn, tt.out, tt.in)
			}
		})
	}
}

func TestFirewallRefuses(t *testing.T) {
	firewall := esxi.Recognizers()["dfwpktlogs"]
	for _, text := range []string{
		"", "INET", "INET match", "INET match PASS 1 SIDE 60 TCP 192.0.2.5/1->192.0.2.6/2",
		"INET match PASS 1 OUT 60 TCP 192.0.2.5/99999->192.0.2.6/2",
		"INET match PASS 1 OUT 60 TCP nowhere->192.0.2.6/2",
		"PASS, 1, IN, 48, TCP, 192.0.2.5, 1, nowhere, 7,  S",
	} {
		var ev event.Event
		if firewall.Recognize(&syslog.Message{Text: text}, &ev) {
			t.Errorf("%q was recognized", text)
		}
		if ev.Class != event.BaseEvent || len(ev.Fields) != 0 || !ev.Src.IsZero() {
			t.Errorf("%q was refused, but left something in the event", text)
		}
	}
}

// lines of one program each, for allocation budgets and benchmarks.
var lines = map[string]struct{ program, text string }{
	"dfw match":  {"dfwpktlogs", "5a3c11d0 INET match PASS mainrs/1031 OUT 60 TCP 192.0.2.5/32808->203.0.113.7/443 S egress"},
	"dfw term":   {"dfwpktlogs", "5a3c11d0 INET TERM PASS mainrs/1031 OUT TCP FIN 192.0.2.5/32808->203.0.113.7/443 12/10 2048/90210 egress"},
	"hostd task": {"hostd", "info hostd[2099153] [Originator@6876 sub=Vimsvc.TaskManager opID=ab-3 user=root] Task Completed : haTask-4-vim.VirtualMachine.powerOn-1079 Status success"},
	"hostd conn": {"hostd", "warning hostd[2099153] [Originator@6876 sub=IO.Connection] Failed to connect; <io_obj p:0x0000, h:8, <TCP '192.0.2.11 : 60738'>, <TCP '203.0.113.9 : 443'>>, e: 113(No route to host), duration: 3004msec"},
	"hostd else": {"hostd", "verbose hostd[79A7B80] [Originator@6876 sub=PropertyProvider opID=ed87cdc2 user=vpxuser] RecordOp ASSIGN: info, haTask--vim.InternalStatsCollector.queryLatestVmStats-122136888. Applied change to temp map."},
	"vpxa lro":   {"vpxa", "info vpxa[2099155] [Originator@6876 sub=vpxLro opID=HB-1] [VpxLRO] -- BEGIN lro-48 -- vpxa -- vpxapi.VpxaService.getChanges -- 52bb5d24-2497(52aa)"},
	"vmkernel":   {"vmkernel", `cpu12:2097677)ScsiDeviceIO: 4633: Cmd(0x45d9) 0x1a, CmdSN 0x5 from world 0 to dev "naa.6" failed H:0x0 D:0x2 P:0x0`},
	"vobd":       {"vobd", " [netCorrelator] 73154456us: [esx.audit.net.firewall.config.changed] Firewall configuration has changed. Operation 'add' for rule set webAccess succeeded."},
	"sshd":       {"sshd", "Accepted keyboard-interactive/pam for root from 192.0.2.40 port 51234 ssh2"},
	"envoy":      {"envoy", "info envoy[2099570] [Originator@6876 sub=Default] 2026-11-22T06:00:00.100Z POST /sdk HTTP/1.1 200 via_upstream - 560 1770 9 8 0 192.0.2.40:40008 192.0.2.11:443 127.0.0.1:38482 127.0.0.1:8307"},
}

func TestAllocations(t *testing.T) {
	all := esxi.Recognizers()
	for name, line := range lines {
		m := &syslog.Message{App: line.program, Text: line.text, Host: "esx01"}
		ev := &event.Event{Fields: make([]event.Field, 0, 32)}
		r := all[line.program]
		got := testing.AllocsPerRun(100, func() {
			ev.Reset()
			if !r.Recognize(m, ev) {
				t.Fatal("not recognized")
			}
		})
		if got != 0 {
			t.Errorf("%s: got %v allocations, want 0", name, got)
		}
	}
}

func BenchmarkRecognize(b *testing.B) {
	all := esxi.Recognizers()
	for name, line := range lines {
		b.Run(name, func(b *testing.B) {
			m := &syslog.Message{App: line.program, Text: line.text, Host: "esx01"}
			ev := &event.Event{Fields: make([]event.Field, 0, 32)}
			r := all[line.program]
			b.ReportAllocs()
			for b.Loop() {
				ev.Reset()
				r.Recognize(m, ev)
			}
		})
	}
}

// FuzzRecognizers gives any text to any program's recognizer: none panics,
// what a string member holds is part of the input, and what a refusal leaves
// is nothing.
func FuzzRecognizers(f *testing.F) {
	all := esxi.Recognizers()
	var programs []string
	for p := range all {
		programs = append(programs, p)
	}
	logs, err := filepath.Glob("testdata/*.log")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range logs {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			_, text, _ := strings.Cut(line, ": ")
			f.Add(text, "")
		}
	}
	f.Add("", `[shell.cmd@6876 subject="root" object="shell" command="a \"b\"" result="success" status="0"]`)
	f.Fuzz(func(t *testing.T, text, data string) {
		for _, p := range programs {
			var ev event.Event
			ev.LogName = p
			m := &syslog.Message{App: p, Text: text, Data: data, Raw: text}
			known := all[p].Recognize(m, &ev)
			if !known && (ev.Class != event.BaseEvent || !ev.Src.IsZero() || !ev.Dst.IsZero()) {
				t.Errorf("%s refused %q, but left %+v", p, text, ev)
			}
			checkBounded(t, &ev, text+data)
		}
	})
}

// checkBounded: an event grows with its record, not faster.
func checkBounded(t *testing.T, ev *event.Event, input string) {
	t.Helper()
	if len(ev.Fields) > 64 {
		t.Errorf("%d fields of %q", len(ev.Fields), input)
	}
	for _, s := range []string{ev.URL, ev.User.Name, ev.User.Domain, ev.Src.Hostname, ev.Dst.Hostname, ev.Src.VIF, ev.Dst.VMName, ev.Message, ev.Session} {
		if !strings.Contains(input, s) && s != "localhost" && s != "root" {
			t.Errorf("%q is not part of %q", s, input)
		}
	}
	for _, field := range ev.Fields {
		if len(field.Value) > len(input)+len("255.255.255.255") {
			t.Errorf("field %s is longer than its record %q", field.ID.Name(), input)
		}
	}
}
