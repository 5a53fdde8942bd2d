package syslog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/syslog"
)

// reference is the time of receipt in these tests.
var reference = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// want is what a record must give; when is RFC 3339, empty: no time.
type want struct {
	pri                       int // -1: none
	when, host, app, proc, id string
	data, text                string
	flaw                      syslog.Malformed
}

func check(t *testing.T, raw string, w want) {
	t.Helper()
	p := syslog.Parser{Reference: reference}
	var m syslog.Message
	p.Parse(raw, &m)
	pri := -1
	if m.HasPRI {
		pri = int(m.Facility)<<3 | int(m.Severity)
	}
	when := ""
	if !m.Time.IsZero() {
		when = m.Time.Format(time.RFC3339Nano)
	}
	got := want{pri, when, m.Host, m.App, m.ProcID, m.MsgID, m.Data, m.Text, m.Malformed}
	if got != w {
		t.Errorf("Parse(%q)\n got %+v\nwant %+v", raw, got, w)
	}
	if m.Raw != raw || m.Records != 1 {
		t.Errorf("Parse(%q): Raw %q, Records %d", raw, m.Raw, m.Records)
	}
}

func TestParseWire(t *testing.T) {
	const at = "2031-03-04T05:06:07Z"
	tests := []struct {
		name, raw string
		want
	}{
		{
			"E1 default", "<166>2031-03-04T05:06:07.089Z hv7.example Hostd: info hostd[11] [Originator@6876 sub=Solo opID=q-1] done",
			want{166, "2031-03-04T05:06:07.089Z", "hv7.example", "Hostd", "", "", "", "info hostd[11] [Originator@6876 sub=Solo opID=q-1] done", 0},
		},
		{"E1 vmkernel", "<182>2031-03-04T05:06:07Z hv7 vmkernel: cpu3:4567)NFS: 12: lost", want{182, at, "hv7", "vmkernel", "", "", "", "cpu3:4567)NFS: 12: lost", 0}},
		{"tag with pid", "<38>2031-03-04T05:06:07Z hv7 sshd[99]: Accepted", want{38, at, "hv7", "sshd", "99", "", "", "Accepted", 0}},
		{"two blanks", "<14>2031-03-04T05:06:07Z hv7 vobd:  [c] 1us: [x] y", want{14, at, "hv7", "vobd", "", "", "", "[c] 1us: [x] y", 0}},
		{"no host", "<166>2031-03-04T05:06:07Z Vpxa: x", want{166, at, "", "Vpxa", "", "", "", "x", 0}},
		{"no tag", "<166>2031-03-04T05:06:07Z hv7 last message repeated 2 times", want{166, at, "hv7", "", "", "", "", "last message repeated 2 times", 0}},
		{
			"level without tag", "<166>2031-03-04T05:06:07Z hv7 info hostd[5] [Originator@6876 sub=a] b",
			want{166, at, "hv7", "hostd", "5", "", "", "info hostd[5] [Originator@6876 sub=a] b", 0},
		},
		{"tag without colon", "<38>2031-03-04T05:06:07Z hv7 sshd[5] bye", want{38, at, "hv7", "sshd", "5", "", "", "bye", 0}},
		{"tag without blank", "<38>2031-03-04T05:06:07Z hv7 sshd[5]:bye", want{38, at, "hv7", "sshd", "5", "", "", "bye", 0}},
		{"known tag without blank", "<166>2031-03-04T05:06:07Z hv7 Hostd:bye", want{166, at, "hv7", "Hostd", "", "", "", "bye", 0}},
		{"kernel without colon", "<182>2031-03-04T05:06:07Z hv7 vmkernel cpu3:45)x", want{182, at, "hv7", "vmkernel", "", "", "", "cpu3:45)x", 0}},
		{"kernel without tag", "<182>2031-03-04T05:06:07Z hv7 cpu3:45 opID=a1)x", want{182, at, "hv7", "vmkernel", "", "", "", "cpu3:45 opID=a1)x", 0}},
		{"relay's host before the sender's", "<166>2031-03-04T05:06:07Z relay hv7 Hostd: x", want{166, at, "hv7", "Hostd", "", "", "", "x", 0}},
		{"no tag behind two words", "<166>2031-03-04T05:06:07Z relay hv7 note: x", want{166, at, "relay", "", "", "", "", "hv7 note: x", 0}},
		{"host with a colon", "<166>2031-03-04T05:06:07Z hv7.example: Hostd: x", want{166, at, "hv7.example", "Hostd", "", "", "", "x", 0}},
		{"script with a dot", "<14>2031-03-04T05:06:07Z backup.sh: done: x", want{14, at, "", "backup.sh", "", "", "", "done: x", 0}},
		{"a record in a relay's record", "<13>1 2031-03-04T05:06:09Z relay - - - - <166>2031-03-04T05:06:07Z hv7 Hostd: x", want{166, at, "hv7", "Hostd", "", "", "", "x", 0}},
		{"header without its time", "hv7 Hostd[5]: x", want{-1, "", "hv7", "Hostd", "5", "", "", "x", 0}},
		{"script in brackets", "2031-03-04T05:06:07Z [/etc/init.d/x[5]: done]", want{-1, at, "", "/etc/init.d/x", "5", "", "", "[/etc/init.d/x[5]: done]", 0}},
		{"vmware.log of ESX 4", "Mar 04 05:06:07.089: vcpu-0| text", want{-1, "2026-03-04T05:06:07.089Z", "", "vmx", "", "", "", "vcpu-0| text", 0}},
		{"IPv6 host", "<166>2031-03-04T05:06:07Z fe80::1 Hostd: x", want{166, at, "fe80::1", "Hostd", "", "", "", "x", 0}},
		{
			"E4 version digit, 3164 text", "<166>1 2031-03-04T05:06:07Z hv7 Hostd: info hostd[5] [Originator@1244 sub=a] b",
			want{166, at, "hv7", "Hostd", "", "", "", "info hostd[5] [Originator@1244 sub=a] b", 0},
		},
		{
			"E2 quoted", `<166>1 2031-03-04T05:06:07Z hv7 Vpxa 7 - [Originator@6876 sub="a]b" opID="c"][VpxLRO] -- FINISH`,
			want{166, at, "hv7", "Vpxa", "7", "", `[Originator@6876 sub="a]b" opID="c"]`, "[VpxLRO] -- FINISH", 0},
		},
		{
			"unquoted with brackets", "<166>1 2031-03-04T05:06:07Z hv7 Vpxa 7 M [Originator@6876 sub=Soap[1].HTTP opID=c] go",
			want{166, at, "hv7", "Vpxa", "7", "M", "[Originator@6876 sub=Soap[1].HTTP opID=c]", "go", 0},
		},
		{
			"E15 relay's element", `<14>1 2031-03-04T05:06:07Z hv7 vpxd 7 - [Originator@6876 sub=a][meta sequenceId="3"] go`,
			want{14, at, "hv7", "vpxd", "7", "", `[Originator@6876 sub=a][meta sequenceId="3"]`, "go", 0},
		},
		{
			"E3 appliance", "<14>1 2031-03-04T06:06:07.123456+01:00 vc1 vpxd 7 - -  Event [1] [1-1] x",
			want{14, "2031-03-04T05:06:07.123456Z", "vc1", "vpxd", "7", "", "", "Event [1] [1-1] x", 0},
		},
		{"SD missing", "<14>1 2031-03-04T05:06:07Z vc1 vpxd 7 - plain text", want{14, at, "vc1", "vpxd", "7", "", "", "plain text", syslog.BadHeader}},
		{"SD missing, text in brackets", "<14>1 2031-03-04T05:06:07Z vc1 vpxd 7 - [VpxLRO] -- x", want{14, at, "vc1", "vpxd", "7", "", "", "[VpxLRO] -- x", syslog.BadHeader}},
		{"5424 fields missing", "<14>1 2031-03-04T05:06:07Z vc1 vmon what is this", want{14, at, "vc1", "vmon", "", "", "", "what is this", syslog.BadHeader}},
		{"5424 without time", "<14>1 - vc1 vmon 3 - - up", want{14, "", "vc1", "vmon", "3", "", "", "up", 0}},
		{"E5 blank behind PRI", "<167> 2031-03-04T05:06:07Z hv7 Rhttpproxy: verbose x", want{167, at, "hv7", "Rhttpproxy", "", "", "", "verbose x", 0}},
		{"E6 year-less", "<166> Mar  4 05:06:07 hv7 crond[3]: run", want{166, "2026-03-04T05:06:07Z", "hv7", "crond", "3", "", "", "run", 0}},
		{"E7 uptime", "Mar 14 05:06:07 vmkernel: 7:21:06:14.107 cpu1:2)Net: 1: up", want{-1, "2026-03-14T05:06:07Z", "", "vmkernel", "", "", "", "cpu1:2)Net: 1: up", 0}},
		{"E7 uptime with host", "Mar 14 05:06:07 hv7 vmkernel: 0:00:06:14.107 cpu1:2)up", want{-1, "2026-03-14T05:06:07Z", "hv7", "vmkernel", "", "", "", "cpu1:2)up", 0}},
		{"E8 NoneZ", "<164>NoneZ hv7 Hostd: 2031-03-04T05:06:07.001Z warning hostd[5] x", want{164, "2031-03-04T05:06:07.001Z", "hv7", "Hostd", "", "", "", "warning hostd[5] x", 0}},
		{"NoneZ and nothing", "<164>NoneZ hv7 Hostd: warning x", want{164, "", "hv7", "Hostd", "", "", "", "warning x", syslog.BadTime}},
		{"E9 GUID", "<166>0a1b-2c3d-4e5f-6071-829Z hv7 Hostd: x", want{166, "", "hv7", "Hostd", "", "", "", "x", syslog.BadTime}},
		{"E10 text before the host", "<14>datastoreSlopeUS[3]: 12, hv7 storageRM: avg 3", want{14, "", "hv7", "storageRM", "", "", "", "avg 3", syslog.BadHeader}},
		{"E12 mangled tag", "<166>2031-03-04T05:06:07Z hv7 vmkwarning Hostd: -->  key = 1", want{166, at, "hv7", "Hostd", "", "", "", "-->  key = 1", 0}},
		{"E14 ESX 9", `2031-03-04T05:06:07Z hv7 vobd 97 - [esx@4413 threadName="APD"] 4us: [a.b] c`, want{-1, at, "hv7", "vobd", "97", "", `[esx@4413 threadName="APD"]`, "4us: [a.b] c", 0}},
		{"E14 appliance 9", "2031-03-04T05:06:07Z INFO vpxd 97 [Originator@4413 sub=a] b", want{-1, at, "", "vpxd", "97", "", "", "INFO vpxd 97 [Originator@4413 sub=a] b", 0}},
		{"E16 masked header", `- - vcenter-server - - [Originator@6876 vc_username="a b"]Task: x`, want{-1, "", "", "vcenter-server", "", "", `[Originator@6876 vc_username="a b"]`, "Task: x", 0}},
		{"E17 JSON", `<14>2031-03-04T05:06:07Z hv7 {"a": 1}`, want{14, at, "hv7", "", "", "", "", `{"a": 1}`, 0}},
		{"JSON alone", `{"a": 1}`, want{-1, "", "", "", "", "", "", `{"a": 1}`, 0}},
		{"firewall on the wire", "<13>2031-03-04T05:06:07Z hv7 FIREWALL-PKTLOG - - - INET TERM PASS 1 OUT", want{13, at, "hv7", "FIREWALL-PKTLOG", "", "", "", "INET TERM PASS 1 OUT", 0}},
		{
			"relay's header, 5424 within", `<182>Mar  4 05:06:08 10.0.0.9 1 2031-03-04T05:06:07Z nsx1 NSX 6 FW [nsx@6876 comp="m"] go`,
			want{182, at, "nsx1", "NSX", "6", "FW", `[nsx@6876 comp="m"]`, "go", 0},
		},
		{"relay's header, whole record within", "<13>Mar  4 05:06:08 relay <166>2031-03-04T05:06:07Z hv7 Hostd: x", want{166, at, "hv7", "Hostd", "", "", "", "x", 0}},
		{"relay's header, two stamps", "<13>Mar  4 05:06:08 relay Mar  4 05:06:07 hv7 Hostd: x", want{13, "2026-03-04T05:06:07Z", "hv7", "Hostd", "", "", "", "x", 0}},
		{"no PRI", "2031-03-04T05:06:07Z hv7 Hostd: x", want{-1, at, "hv7", "Hostd", "", "", "", "x", 0}},
		{"PRI too high", "<192>2031-03-04T05:06:07Z hv7 Hostd: x", want{-1, at, "hv7", "Hostd", "", "", "", "x", syslog.BadPRI}},
		{"PRI broken", "<a>2031 x", want{-1, "", "", "", "", "", "", "<a>2031 x", syslog.BadPRI}},
		{"no time", "<166>hv7 Hostd: x", want{166, "", "hv7", "Hostd", "", "", "", "x", syslog.BadHeader}},
		{"impossible date", "<166>2031-02-30T05:06:07Z hv7 Hostd: x", want{166, "", "hv7", "Hostd", "", "", "", "x", syslog.BadTime}},
		{"empty text", "<166>2031-03-04T05:06:07Z hv7 Hostd: ", want{166, at, "hv7", "Hostd", "", "", "", "", syslog.Empty}},
		{"nothing", "", want{-1, "", "", "", "", "", "", "", syslog.Empty}},
		{"not UTF-8", "<166>2031-03-04T05:06:07Z hv7 Hostd: \xe4", want{166, at, "hv7", "Hostd", "", "", "", "\xe4", syslog.BadEncoding}},
		{"BOM, CR LF, NUL", "<166>2031-03-04T05:06:07Z hv7 Hostd: \xef\xbb\xbfx\r\n\x00", want{166, at, "hv7", "Hostd", "", "", "", "x", 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, tt.raw, tt.want) })
	}
}

func TestParseFiles(t *testing.T) {
	const at = "2031-03-04T05:06:07Z"
	tests := []struct {
		name, raw string
		want
	}{
		{"ESXi 8", "2031-03-04T05:06:07Z In(166) Hostd[5]: [Originator@6876 sub=a] b", want{166, at, "", "Hostd", "5", "", "", "[Originator@6876 sub=a] b", 0}},
		{"ESXi 8 kernel", "2031-03-04T05:06:07Z Wa(180) vmkwarning: cpu1:2)x", want{180, at, "", "vmkwarning", "", "", "", "cpu1:2)x", 0}},
		{"ESXi 8 continued", "2031-03-04T05:06:07Z In(14)[+] hostprofile[5]: {", want{14, at, "", "hostprofile", "5", "", "", "{", 0}},
		{"vmware.log", "2031-03-04T05:06:07Z In(05) vmx - Snapshot: 1", want{-1, at, "", "vmx", "", "", "", "vmx - Snapshot: 1", 0}},
		{"ESXi 8, no colon", "2031-03-04T05:06:07Z In(14) root[5] x", want{14, at, "", "root", "5", "", "", "x", 0}},
		{"vmware.log before 8", "2031-03-04T05:06:07Z| vmx| I125: x", want{-1, at, "", "vmx", "", "", "", "vmx| I125: x", 0}},
		{"nil host", "2031-03-04T05:06:07Z - shell[5]: x", want{-1, at, "", "shell", "5", "", "", "x", 0}},
		{"a dash is no host", "2031-03-04T05:06:07Z - last log rotation time, x", want{-1, at, "", "", "", "", "", "- last log rotation time, x", 0}},
		{"ESXi 7", "2031-03-04T05:06:07Z info hostd[9F81B70] [Originator@6876 sub=a] b", want{-1, at, "", "hostd", "9F81B70", "", "", "info hostd[9F81B70] [Originator@6876 sub=a] b", 0}},
		{"no program", "2031-03-04T05:06:07Z warning -[77] [Originator@6876 sub=a] b", want{-1, at, "", "", "77", "", "", "warning -[77] [Originator@6876 sub=a] b", 0}},
		{"Go program", "2031-03-04T05:06:07Z info vlcm [a/b.go:3] c", want{-1, at, "", "vlcm", "", "", "", "info vlcm [a/b.go:3] c", 0}},
		{"ESXi 5", "2031-03-04T05:06:07Z [6FE81B90 info 'Hbrsvc'] b", want{-1, at, "", "", "", "", "", "[6FE81B90 info 'Hbrsvc'] b", 0}},
		{"ESX 4", "[2031-03-04 05:06:07.250 1C69 info 'App'] b", want{-1, "2031-03-04T05:06:07.25Z", "", "", "", "", "", "[2031-03-04 05:06:07.250 1C69 info 'App'] b", 0}},
		{"kernel", "2031-03-04T05:06:07Z cpu5:77 opID=a1)World: x", want{-1, at, "", "vmkernel", "", "", "", "cpu5:77 opID=a1)World: x", 0}},
		{"firewall", "2031-03-04T05:06:07Z b6507827 INET match PASS", want{-1, at, "", "dfwpktlogs", "", "", "", "b6507827 INET match PASS", 0}},
		{"firewall, no filter", "2031-03-04T05:06:07Z INET6 match PASS", want{-1, at, "", "dfwpktlogs", "", "", "", "INET6 match PASS", 0}},
		{"esxupdate", "2031-03-04T05:06:07Z esxupdate: 9: downloader: INFO: x", want{-1, at, "", "esxupdate", "", "", "", "9: downloader: INFO: x", 0}},
		{"section", "2031-03-04T05:06:07Z Section for VMware ESX, pid=1", want{-1, at, "", "", "", "", "", "Section for VMware ESX, pid=1", 0}},
		{"cut date", "31-03-04T05:06:07.1Z error vpxd[5] [Originator@6876 sub=a] b", want{-1, "", "", "vpxd", "5", "", "", "error vpxd[5] [Originator@6876 sub=a] b", syslog.BadTime}},
		{"VUM's colon", "2031-03-04T05:06:07:250Z 'A' 14 INFO  x", want{-1, "2031-03-04T05:06:07.25Z", "", "", "", "", "", "'A' 14 INFO  x", 0}},
		{"no zone", "2031-03-04T05:06:07.5 [2376]DEBUG:x", want{-1, "2031-03-04T05:06:07.5Z", "", "", "", "", "", "[2376]DEBUG:x", 0}},
		{"twelve hours", "2031-03-04T12:06:07 AM UTC [1]x", want{-1, "2031-03-04T00:06:07Z", "", "", "", "", "", "[1]x", 0}},
		{"garbage collector", "2031-03-04T05:06:07.181+0000: 231.2: [GC]", want{-1, "2031-03-04T05:06:07.181Z", "", "", "", "", "", "231.2: [GC]", 0}},
		{"tag alone", "sshd[21]: Invalid user", want{-1, "", "", "sshd", "21", "", "", "Invalid user", 0}},
		{"level alone", "  info vpxa[5] [Originator@6876 sub=a] b", want{-1, "", "", "vpxa", "5", "", "", "info vpxa[5] [Originator@6876 sub=a] b", 0}},
		{"no tag", "pam_unix(sshd:session): closed", want{-1, "", "", "", "", "", "", "pam_unix(sshd:session): closed", 0}},
		{"continuation alone", "--> Result: x", want{-1, "", "", "", "", "", "", "--> Result: x", 0}},
		{"sudo's user is no tag", "someone : PWD=/", want{-1, "", "", "", "", "", "", "someone : PWD=/", 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, tt.raw, tt.want) })
	}
}

// Plain syslog of others goes through go-syslog: the forms in the RFCs.
func TestParseStandard(t *testing.T) {
	tests := []struct {
		name, raw string
		want
	}{
		{
			"RFC 3164 section 5.4", "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
			want{34, "2026-10-11T22:14:15Z", "mymachine", "su", "", "", "", "'su root' failed for lonvick on /dev/pts/8", 0},
		},
		{"RFC 3164, pid, next year's", "<165>Nov 23 09:00:00 sw1 snmp[42]: up", want{165, "2026-11-23T09:00:00Z", "sw1", "snmp", "42", "", "", "up", 0}},
		{"RFC 3164, last year's", "<165>Nov 24 09:00:00 sw1 snmp[42]: up", want{165, "2025-11-24T09:00:00Z", "sw1", "snmp", "42", "", "", "up", 0}},
		{
			"RFC 5424 section 6.5, 1", "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed",
			want{34, "2003-10-11T22:14:15.003Z", "mymachine.example.com", "su", "", "ID47", "", "'su root' failed", 0},
		},
		{
			"RFC 5424 section 6.5, 3", `<165>1 2003-10-11T22:14:15.003Z mymachine evntslog - ID47 [ex@32473 iut="3" t="a\]b"][p@1 class="high"] An entry`,
			want{165, "2003-10-11T22:14:15.003Z", "mymachine", "evntslog", "", "ID47", `[ex@32473 iut="3" t="a\]b"][p@1 class="high"]`, "An entry", 0},
		},
		{
			"RFC 5424 refused: nine digits", "<34>1 2003-10-11T22:14:15.123456789Z box su 5 - - x",
			want{34, "2003-10-11T22:14:15.123456789Z", "box", "su", "5", "", "", "x", 0},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, tt.raw, tt.want) })
	}
}

func TestParseYear(t *testing.T) {
	f := func(stamp string, reference time.Time, want string) {
		t.Helper()
		p := syslog.Parser{Reference: reference}
		var m syslog.Message
		p.Parse("<13>"+stamp+" h Hostd: x", &m)
		if got := m.Time.Format(time.DateOnly); got != want {
			t.Errorf("%q at %s: %s, want %s", stamp, reference, got, want)
		}
	}
	newYear := time.Date(2027, 1, 1, 0, 0, 5, 0, time.UTC)
	f("Dec 31 23:59:59", newYear, "2026-12-31")
	f("Jan  1 00:00:09", newYear, "2027-01-01")
	f("Jan  1 00:00:09", newYear.Add(-time.Minute), "2027-01-01") // a fast clock
	f("Feb 29 10:00:00", newYear, "2024-02-29")
	f("Jan  5 2019 10:00:00", newYear, "2019-01-05")
	f("Dec 31 23:59:59", time.Time{}, "0001-01-01") // no reference: not read
}

func TestParseLocation(t *testing.T) {
	p := syslog.Parser{Reference: reference, Location: time.FixedZone("", 3600)}
	var m syslog.Message
	p.Parse("<13>Nov 22 10:00:00 h Hostd: x", &m)
	if want := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC); !m.Time.Equal(want) {
		t.Errorf("got %s, want %s", m.Time, want)
	}
}

// What is kept of a sender is bounded, whatever it calls itself.
func TestParseBoundsNames(t *testing.T) {
	long := strings.Repeat("n", 300)
	for name, raw := range map[string]string{
		"host":        "<14>2026-03-01T10:00:00.000Z " + long + " Hostd: info hostd[1] text",
		"program":     "<14>2026-03-01T10:00:00.000Z esx-1 " + long + ": text",
		"RFC 5424":    "<14>1 2026-03-01T10:00:00.000Z " + long + " " + long + " - - - text",
		"JSON object": `{"timestamp":"2026-03-01T10:00:00Z","host":"` + long + `","program":"` + long + `","message":"text"}`,
	} {
		var m syslog.Message
		var p syslog.Parser
		p.Parse(raw, &m)
		if len(m.Host) > 255 || len(m.App) > 255 || len(m.Host)+len(m.App) < 255 || m.Malformed != syslog.BadHeader || m.Raw != raw {
			t.Errorf("%s: a host of %d bytes, a program of %d, %q, raw of %d", name, len(m.Host), len(m.App), m.Malformed, len(m.Raw))
		}
	}
}

func TestParseKeepsTheCallers(t *testing.T) {
	m := syslog.Message{Received: reference, Ordinal: 7, Truncated: true, Partial: true, Host: "old"}
	(&syslog.Parser{}).Parse("x", &m)
	if !m.Received.Equal(reference) || m.Ordinal != 7 || !m.Truncated || m.Partial || m.Host != "" {
		t.Errorf("got %+v", m)
	}
}

func TestParseCutBySender(t *testing.T) {
	var m syslog.Message
	(&syslog.Parser{}).Parse(`<166>1 2031-03-04T05:06:07Z h Hostd 5 - [Originator@6876 sub="a" originalLen="2000"] x`, &m)
	if !m.Truncated {
		t.Error("the sender's mark is not seen")
	}
}

// shapes are the records that a busy estate sends most.
var shapes = []struct{ name, raw string }{
	{"hostd", "<166>2031-03-04T05:06:07.089Z hv07.corp.example Hostd: info hostd[2099153] [Originator@6876 sub=Vimsvc.TaskManager opID=5f1c2d3e-77-4a user=vpxuser:CORP\\svc] Task Completed : haTask-77-vim.VirtualMachine.reconfigure-40411 Status success"},
	{"vmkernel", "<182>2031-03-04T05:06:07.089Z hv07.corp.example vmkernel: cpu12:2097677)ScsiDeviceIO: 4633: Cmd(0x45d9) 0x1a, CmdSN 0x3c from world 0 to dev \"naa.6\" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x24 0x0."},
	{"firewall", "<13>2031-03-04T05:06:07.089Z hv07.corp.example FIREWALL-PKTLOG - - - 14b4051d INET TERM PASS 5096 OUT TCP FIN 10.20.30.40/60512->198.51.100.7/443 9/9 1461/4738 egress-web"},
	{"dfwpktlogs", "<134>2031-03-04T05:06:07.089Z hv07.corp.example dfwpktlogs: 50047 INET match PASS domain-c1/1001 OUT 60 TCP 10.20.30.40/33491->198.51.100.7/443 S"},
	{"vpxd 5424", "<14>1 2031-03-04T05:06:07.089123+00:00 vc01.corp.example vpxd 58650 - -  Event [575792] [1-1] [2031-03-04T05:06:07.0889Z] [vim.event.UserLoginSessionEvent] [info] [CORP\\admin] [] [575792] [User CORP\\admin@10.1.2.3 logged in as x]"},
	{"hostd 5424", `<166>1 2031-03-04T05:06:07.089Z hv07.corp.example Hostd 2099153 - [Originator@6876 sub="Vimsvc" opID="5f1c2d3e"] Task Completed : haTask-77`},
	{"ESXi 8 file", "2031-03-04T05:06:07.089Z In(166) Hostd[2098867]: [Originator@6876 sub=Libs opID=000000d85e288140] [NFC INFO]Nfc sessionId = D85DD86D20"},
	{"year-less", "Mar 14 05:06:07 hv07 vmkernel: 7:21:06:14.107 cpu10:202157)NetPort: 1165: disabled port 0x3000007"},
}

func TestParseAllocatesNothing(t *testing.T) {
	p := syslog.Parser{Reference: reference}
	var m syslog.Message
	for _, s := range shapes {
		if n := testing.AllocsPerRun(100, func() { p.Parse(s.raw, &m) }); n != 0 {
			t.Errorf("%s: %v allocations", s.name, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	standard := []struct{ name, raw string }{
		{"go-syslog 5424", `<165>1 2031-03-04T05:06:07.089Z box.example evntslog 77 ID47 [ex@32473 iut="3" source="App"] An application event log entry`},
		{"go-syslog 3164", "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8"},
	}
	for _, s := range append(shapes[:len(shapes):len(shapes)], standard...) {
		b.Run(strings.ReplaceAll(s.name, " ", "-"), func(b *testing.B) {
			p := syslog.Parser{Reference: reference}
			var m syslog.Message
			b.ReportAllocs()
			b.SetBytes(int64(len(s.raw)))
			for b.Loop() {
				p.Parse(s.raw, &m)
			}
		})
	}
}

func ExampleParser_Parse() {
	p := syslog.Parser{Reference: time.Now()}
	var m syslog.Message
	p.Parse("<38>2031-03-04T05:06:07.089Z esx1 sshd[2101]: Accepted password for root", &m)
	fmt.Println(m.Facility, m.Severity, m.Time.Format(time.RFC3339Nano), m.Host, m.App, m.ProcID)
	fmt.Println(m.Text)
	// Output:
	// 4 6 2031-03-04T05:06:07.089Z esx1 sshd 2101
	// Accepted password for root
}

func FuzzParse(f *testing.F) {
	for _, s := range shapes {
		f.Add(s.raw)
	}
	for _, s := range []string{
		"", "<", "<1>", "<14>1 ", "<14>1 - - - - -", "[2031-03-04 05:06:07", "NoneZ h a: ", "<13>Mar  4 05:06:08 r <14>1 2031-03-04T05:06:07Z h a - - [x@1 a=\"]\"] t",
		"<14>datastoreSlopeUS[3]: 12, h s: a", "2031-03-04T05:06:07Z In(05)+ a[b]: c", "<34>Oct 11 22:14:15 mymachine su[3]: x",
		`<165>1 2003-10-11T22:14:15.003Z m e - I [ex@32473 iut="3"] e`, "- - a - - [Originator@6876 a=b]c",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		p := syslog.Parser{Reference: reference}
		var m, again syslog.Message
		p.Parse(raw, &m)
		for _, part := range []string{m.Host, m.App, m.ProcID, m.MsgID, m.Data, m.Text, m.TimeText} {
			if !strings.Contains(raw, part) && part != "vmkernel" && part != "dfwpktlogs" && part != "vmx" {
				t.Errorf("%q is no part of %q", part, raw)
			}
		}
		if m.Raw != raw || m.HasPRI && (m.Facility > 23 || m.Severity > 7) {
			t.Errorf("got %+v", m)
		}
		if p.Parse(raw, &again); m != again {
			t.Errorf("a second time it is %+v, not %+v", again, m)
		}
	})
}
