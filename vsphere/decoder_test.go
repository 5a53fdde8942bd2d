package vsphere_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
	"github.com/vegress/vegress/vsphere/esxi"
)

var received = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

func TestDecodeTime(t *testing.T) {
	tests := []struct {
		name     string
		opts     vsphere.Options
		sent     time.Time
		text     string
		want     time.Time
		original string
	}{
		{"believed", vsphere.Options{}, received.Add(-9 * time.Minute), "t", received.Add(-9 * time.Minute), ""},
		{"too old", vsphere.Options{}, received.Add(-11 * time.Minute), "t", received, "t"},
		{"in the future", vsphere.Options{}, received.Add(11 * time.Minute), "t", received, "t"},
		{"narrower", vsphere.Options{MaxSkew: time.Minute}, received.Add(2 * time.Minute), "t", received, "t"},
		{"replay", vsphere.Options{Replay: true}, received.Add(-24 * time.Hour), "t", received.Add(-24 * time.Hour), ""},
		{"unreadable", vsphere.Options{Replay: true}, time.Time{}, "yesterday", received, "yesterday"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var ev event.Event
			vsphere.NewDecoder(nil, tt.opts).Decode(&syslog.Message{Time: tt.sent, TimeText: tt.text, Received: received}, &ev)
			if !ev.Time.Equal(tt.want) || ev.OriginalTime != tt.original {
				t.Errorf("got %v %q, want %v %q", ev.Time, ev.OriginalTime, tt.want, tt.original)
			}
		})
	}
}

func TestDecodeDispatch(t *testing.T) {
	const packet = "5a3c11d0 INET match PASS 1 OUT 60 TCP 192.0.2.5/1->203.0.113.7/443 S"
	tests := []struct {
		name string
		m    syslog.Message
		log  string
		cl   event.Class
	}{
		{"upper case", syslog.Message{App: "FIREWALL-PKTLOG", Text: packet}, "firewall-pktlog", event.NetworkActivity},
		{"underscore", syslog.Message{App: "FIREWALL_PKTLOG", Text: packet}, "firewall_pktlog", event.NetworkActivity},
		{"path", syslog.Message{App: "/usr/lib/vmware/bin/vmware-hostd", Text: "Accepted password for user root from 192.0.2.1"}, "vmware-hostd", event.Authentication},
		{"no program, signature", syslog.Message{Text: packet}, "dfwpktlogs", event.NetworkActivity},
		{"other program, signature", syslog.Message{App: "Relay", Text: packet}, "relay", event.NetworkActivity},
		{"no program, body", syslog.Message{Text: "info hostd[1] [Originator@6876 sub=x] [Auth]: User root"}, "hostd", event.Authentication},
		{"other program, body", syslog.Message{App: "NewAgent", Text: "info na[1] [Originator@6876 sub=x] Failed to connect; <io_obj p:0, h:1, <TCP '192.0.2.1 : 50000'>, <TCP '192.0.2.2 : 443'>>, e: 1(x)"}, "newagent", event.NetworkActivity},
		{"tag in the text", syslog.Message{Text: "vobd:  [netCorrelator] 1us: [esx.audit.x] y"}, "vobd", event.APIActivity},
		{"nothing", syslog.Message{App: "Strange", Text: "hello"}, "strange", event.BaseEvent},
		{"empty", syslog.Message{}, "", event.BaseEvent},
	}
	d := newDecoder()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var ev event.Event
			d.Decode(&tt.m, &ev)
			if ev.LogName != tt.log || ev.Class != tt.cl {
				t.Errorf("got %q class %d, want %q class %d", ev.LogName, ev.Class, tt.log, tt.cl)
			}
		})
	}
}

func TestDecodeDevice(t *testing.T) {
	peer := netip.MustParseAddrPort("[::ffff:192.0.2.9]:514")
	tests := []struct{ name, host, wantName, wantIP string }{
		{"named", "esx01.example.com", "esx01.example.com", "invalid IP"},
		{"address", "192.0.2.7", "192.0.2.7", "192.0.2.7"},
		{"none", "", "192.0.2.9", "192.0.2.9"},
	}
	for _, tt := range tests {
		var ev event.Event
		newDecoder().Decode(&syslog.Message{Host: tt.host, Peer: peer}, &ev)
		if ev.Device.Hostname != tt.wantName || ev.Device.IP.String() != tt.wantIP {
			t.Errorf("%s: got %q %s, want %q %s", tt.name, ev.Device.Hostname, ev.Device.IP, tt.wantName, tt.wantIP)
		}
	}
}

func TestDecodeFlaws(t *testing.T) {
	var ev event.Event
	newDecoder().Decode(&syslog.Message{Text: "x", Malformed: syslog.BadHeader, Partial: true, Truncated: true}, &ev)
	for name, want := range map[string]string{"syslog_malformed": "bad_header", "syslog_partial": "true", "syslog_truncated": "true"} {
		if f, ok := ev.Field(event.Intern(name)); !ok || f.Value != want {
			t.Errorf("%s: got %q, want %q", name, f.Value, want)
		}
	}
}

// TestDecodeConcurrently: the counts add up when many sessions decode.
func TestDecodeConcurrently(t *testing.T) {
	d := newDecoder()
	const sessions, each = 8, 200
	var wg sync.WaitGroup
	for s := range sessions {
		wg.Go(func() {
			var ev event.Event
			peer := netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(s))
			for range each {
				for _, m := range []syslog.Message{
					{App: "sshd", Text: "Connection from 192.0.2.1 port 1", Peer: peer},
					{App: "sshd", Text: "hello", Peer: peer},
					{App: "strange", Text: "hello", Peer: peer},
				} {
					ev.Reset()
					d.Decode(&m, &ev)
				}
			}
		})
	}
	wg.Wait()
	s := d.Stats()
	if s.Recognized["sshd"] != sessions*each || s.Plain["sshd"] != sessions*each || s.Unknown != sessions*each {
		t.Errorf("got %d recognized, %d plain, %d unknown, want %d each", s.Recognized["sshd"], s.Plain["sshd"], s.Unknown, sessions*each)
	}
}

func TestParseBody(t *testing.T) {
	tests := []struct {
		name, text, data string
		want             vsphere.Body
	}{
		{"plain", "info hostd[2099153] [Originator@6876 sub=Vimsvc opID=ab-1 user=root] text", "", vsphere.Body{Level: "info", Name: "hostd", PID: "2099153", Sub: "Vimsvc", OpID: "ab-1", User: "root", Text: "text"}},
		{"no blank", "info hostd[9F81B70][Originator@6876 sub=a]text", "", vsphere.Body{Level: "info", Name: "hostd", PID: "9F81B70", Sub: "a", Text: "text"}},
		{"blanks in values", "[Originator@6876 sub=Proxy Req 00015 reason=Timeout expired user=vpxuser:<no user>] t", "", vsphere.Body{Sub: "Proxy Req 00015", Reason: "Timeout expired", User: "vpxuser:<no user>", Text: "t"}},
		{"brackets in values", "[Originator@6876 sub=SSL SoapAdapter[1].HTTPService opID=x] t", "", vsphere.Body{Sub: "SSL SoapAdapter[1].HTTPService", OpID: "x", Text: "t"}},
		{"equal sign in value", "[Originator@6876 sub=a=b c=d opID=x] t", "", vsphere.Body{Sub: "a=b c=d", OpID: "x", Text: "t"}},
		{"not closed", "info vpxd[1] [Originator@6876 sub=vpxLro opID=67 [VpxLRO] -- FINISH lro-8", "", vsphere.Body{Level: "info", Name: "vpxd", PID: "1", Sub: "vpxLro", OpID: "67", Text: "[VpxLRO] -- FINISH lro-8"}},
		{"relay's element", `[Originator@6876 sub=vpxLro opID=h@23][meta sequenceId="2"][VpxLRO] -- FINISH lro-1`, "", vsphere.Body{Sub: "vpxLro", OpID: "h@23", Text: "[VpxLRO] -- FINISH lro-1"}},
		{"structured data", "text", `[Originator@6876 sub="Vim ] svc" opID="a" priority="info"]`, vsphere.Body{Level: "info", Sub: "Vim ] svc", OpID: "a", Text: "text"}},
		{"ESX 9", "text", `[esx@4413 threadName="x"]`, vsphere.Body{Text: "text"}},
		{"5.x", "[77381B90 error 'vm:/vmfs/a b/x.vmx' opID=c-1] text", "", vsphere.Body{Level: "error", PID: "77381B90", Sub: "vm:/vmfs/a b/x.vmx", OpID: "c-1", Text: "text"}},
		{"4.x", "[2012-04-07 17:39:16.938 FFCFEE80 warning 'HostsvcPlugin'] text", "", vsphere.Body{Level: "warning", PID: "FFCFEE80", Sub: "HostsvcPlugin", Text: "text"}},
		{"3.x", "[2008-08-26 11:06:16.359 'ha-eventmgr' 20532144 info] text", "", vsphere.Body{Level: "info", PID: "20532144", Sub: "ha-eventmgr", Text: "text"}},
		{"own time", "2015-06-21T00:02:08.553Z warning hostd[AB] [Originator@6876 sub=a] text", "", vsphere.Body{Level: "warning", Name: "hostd", PID: "AB", Sub: "a", Text: "text"}},
		{"python", "INFO vsan-mgmt[51740] [Helper::wrapper opID=SWI-22] text", "", vsphere.Body{Level: "INFO", Name: "vsan-mgmt", PID: "51740", Sub: "Helper::wrapper", OpID: "SWI-22", Text: "text"}},
		{"go", "info vlcm [config.go:377] [opID=x] text", "", vsphere.Body{Level: "info", Name: "vlcm", Sub: "config.go:377", OpID: "x", Text: "text"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := vsphere.ParseBody(&syslog.Message{Text: tt.text, Data: tt.data})
			if !ok || got != tt.want {
				t.Errorf("got %v %+v, want %+v", ok, got, tt.want)
			}
		})
	}
	for _, text := range []string{"", "hello", "[00] rip 17c6bbf3", "[VpxLRO] -- FINISH", "information hostd[1] x"} {
		if b, ok := vsphere.ParseBody(&syslog.Message{Text: text}); ok || b.Text != text {
			t.Errorf("%q: got %v %+v, want no body", text, ok, b)
		}
	}
}

func TestFindURL(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := vsphere.FindURL(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	f("wget https://a.example.com/x?y=1 -O z", "https://a.example.com/x?y=1")
	f("(see http://a.example.com/x).", "http://a.example.com/x")
	f("'http://[2001:db8::1]:8080/'", "http://[2001:db8::1]:8080/")
	f("ds:///vmfs/x http://b", "http://b")
	f("nothing :// here", "")
	f("https://", "")
}

func ExampleDecoder() {
	d := vsphere.NewDecoder(esxi.Recognizers(), vsphere.Options{Replay: true})
	var m syslog.Message
	new(syslog.Parser).Parse("<13>2026-11-22T06:00:00.001Z esx01 FIREWALL-PKTLOG[2101]: 5a3c11d0 INET TERM PASS 1031 OUT TCP FIN 192.0.2.5/32808->203.0.113.7/443 12/10 2048/90210 egress", &m)
	var ev event.Event
	d.Decode(&m, &ev)
	fmt.Println(ev.Src.IP, "->", ev.Dst.IP, ev.Dst.Port, "sent", ev.Traffic.BytesOut, "on", ev.Device.Hostname)
	// Output: 192.0.2.5 -> 203.0.113.7 443 sent 2048 on esx01
}

// BenchmarkDecode measures a whole Decode of a firewall line.
func BenchmarkDecode(b *testing.B) {
	d := newDecoder()
	m := &syslog.Message{
		App: "FIREWALL-PKTLOG", Host: "esx01", Time: received, Received: received, HasPRI: true, Severity: 5,
		Text: "5a3c11d0 INET match PASS mainrs/1031 OUT 60 TCP 192.0.2.5/32808->203.0.113.7/443 S egress",
	}
	ev := &event.Event{Fields: make([]event.Field, 0, 32)}
	b.ReportAllocs()
	for b.Loop() {
		ev.Reset()
		d.Decode(m, ev)
	}
}

func TestDecodeAllocations(t *testing.T) {
	d := newDecoder()
	m := &syslog.Message{
		App: "FIREWALL-PKTLOG", Host: "esx01", Time: received, Received: received,
		Text: "5a3c11d0 INET match PASS mainrs/1031 OUT 60 TCP 192.0.2.5/32808->203.0.113.7/443 S egress",
	}
	ev := &event.Event{Fields: make([]event.Field, 0, 32)}
	if got := testing.AllocsPerRun(100, func() { ev.Reset(); d.Decode(m, ev) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

// FuzzParseBody: no text makes the Originator's reader panic, and all that it
// reads is part of the text.
func FuzzParseBody(f *testing.F) {
	f.Add("info hostd[1] [Originator@6876 sub=a [b] opID=c] text", "")
	f.Add("[2012-04-07 17:39:16.938 FFCFEE80 warning 'Hostsvc' opID=1] text", "")
	f.Add("text", `[Originator@6876 sub="a" opID="b"][meta x="1"]`)
	f.Fuzz(func(t *testing.T, text, data string) {
		b, ok := vsphere.ParseBody(&syslog.Message{Text: text, Data: data})
		if !ok && b.Sub != "" {
			t.Errorf("refused %q, but read %+v", text, b)
		}
		for _, s := range []string{b.Level, b.Name, b.PID, b.OpID, b.SID, b.User, b.Text} {
			if len(s) > len(text)+len(data) {
				t.Errorf("%q is longer than %q", s, text)
			}
		}
	})
}

// FuzzDecode: whatever comes, there is an event with the record in it.
func FuzzDecode(f *testing.F) {
	f.Add("hostd", "esx01", "info hostd[1] [Originator@6876 sub=a] Event 1 : User root@192.0.2.1 logged in as x")
	f.Add("", "", "cpu1:2)NFS: 12: NFS mount 192.0.2.1:/x failed")
	f.Add("vpxd", "vc", "Event [1] [1-1] [t] [vim.event.X] [info] [u] [d] [1] [Alarm 'x' on y changed]")
	d := newDecoder()
	f.Fuzz(func(t *testing.T, app, host, text string) {
		var ev event.Event
		d.Decode(&syslog.Message{App: app, Host: host, Text: text, Raw: text, Records: 1, Received: received}, &ev)
		if ev.Raw != text || ev.Records != 1 || !ev.Time.Equal(received) {
			t.Errorf("record, count or time is lost: %+v", ev)
		}
	})
}
