package event_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/vegress/vegress/event"
)

var when = time.Date(2026, 11, 22, 10, 30, 0, 123e6, time.UTC)

// firewallEvent is a typical line of an NSX firewall, with one end known.
func firewallEvent() event.Event {
	vm := &event.VM{
		VCenter: "vc1", InstanceUUID: "5012aaaa-1111-2222-3333-444455556666",
		Name: "app-web-01", Host: "esx01.corp.local", Roles: []string{"backup"},
		Key: "vm:vc1/5012aaaa-1111-2222-3333-444455556666",
	}
	ev := event.Event{
		Class: event.NetworkActivity, Activity: event.NetworkOpen, Severity: event.SeverityInformational,
		Time: when, UID: "col1-3f2a9c-1234567-0", LogName: "dfwpktlogs", Records: 1,
		Raw: strings.Repeat("2026-11-22T10:30:00.123Z esx01.corp.local FIREWALL-PKTLOG: ", 4)[:150],
		Device: event.Device{
			Hostname: "esx01.corp.local", IP: netip.MustParseAddr("10.0.0.11"),
		},
		Src:       event.Endpoint{IP: netip.MustParseAddr("10.20.30.40"), Port: 51234},
		Dst:       event.Endpoint{IP: netip.MustParseAddr("203.0.113.10"), Port: 443},
		Direction: event.DirectionOutbound, Protocol: 6, TCPFlags: 2,
	}
	ev.Src.Context = event.Context{VM: vm, Via: event.ViaVIF, State: event.StateLive}
	return ev
}

// flowFields are fields as a firewall line has them.
func flowFields(ev *event.Event) {
	ev.Src.VIF = "deadbeef"
	ev.Add(event.Intern("action"), "PASS")
	ev.AddNumber(event.Intern("rule_id"), "1002")
	ev.Add(event.Intern("direction"), "OUT")
	ev.Add(event.Intern("rule_tag"), "egress-web")
}

func finding() event.Finding {
	ev := firewallEvent()
	src, dst := ev.Src.Clone(), ev.Dst.Clone()
	whole := *src.Context.VM
	whole.MoRef, whole.Cluster, whole.Folder, whole.Pool = "vm-42", "prod", "apps/web", "web"
	whole.GuestOS, whole.GuestName, whole.Annotation, whole.PoweredOn = "ubuntu64Guest", "web01", "owner: shop", true
	whole.Tags, whole.Attributes = []string{"env/prod", "vegress-role/backup"}, []string{"role=backup"}
	src.Context.VM, src.Context.Age = &whole, 95*time.Second
	src.World, src.Switch, src.SwitchPort = "2101234", "50 1a", "12"
	dst.Service, dst.Category, dst.Hostname, dst.NameVia = "pastebin", "paste", "pastebin.com", "dns"
	return event.Finding{
		UID: "0a1b2c3d", Revision: "99ff", Activity: event.FindingUpdate, Status: event.FindingInProgress,
		Analytic: event.Analytic{
			UID: "egress.unjustified", Name: "External HTTP(S) without justification", Version: "1",
			Desc: "a VM talks to the outside", Attack: "AN1192", Rule: true,
			Attacks: []event.Attack{
				{Tactic: "Command and Control", TacticUID: "TA0011", Technique: "Web Service", TechniqueUID: "T1102"},
				{Technique: "Bidirectional Communication", TechniqueUID: "T1102.002"},
			},
		},
		Title: "app-web-01 talks to pastebin", Severity: event.SeverityHigh, Confidence: 3, Risk: 70,
		Entity: whole.Key, Key: "pastebin", Time: when, FirstSeen: when.Add(-time.Hour), LastSeen: when,
		Count: 12, BytesIn: 4096, BytesOut: 1 << 20, Explanation: []string{"no role justifies it", "1 MB went out"},
		Device: event.Device{
			Hostname: "esx01.corp.local", IP: netip.MustParseAddr("10.0.0.11"),
			Host: &event.Host{
				VCenter: "vc1", MoRef: "host-7", Name: "esx01.corp.local", Cluster: "prod", Version: "8.0.3",
				Key: "host:esx01.corp.local",
			},
		},
		Src: src, Dst: dst, URL: "https://pastebin.com/raw/x",
		Justification: event.Justification{
			Verdict: event.VerdictUnjustified, Reason: event.ReasonWindow, By: "nightly backup",
			From: when.Add(-3 * time.Hour), To: when.Add(-time.Hour), Evidence: []string{"c-1-2-0"},
		},
		Evidence: []event.Evidence{
			{UID: ev.UID, Time: when, LogName: "dfwpktlogs", Raw: ev.Raw, Src: ev.Src, Dst: ev.Dst},
			{UID: "c-1-9-0", Time: when, LogName: "ipfix", Raw: "\xff\x00\x01", URL: "https://pastebin.com/"},
		},
		Related: []string{ev.UID, "c-1-9-0"},
	}
}

var classes = []event.Class{
	event.BaseEvent, event.FileActivity, event.ProcessActivity, event.Authentication, event.NetworkActivity,
	event.HTTPActivity, event.DNSActivity, event.SSHActivity, event.APIActivity,
	event.DetectionFinding, 9999,
}

// maker makes events and findings that hold anything, from a stream of random
// numbers.
type maker struct {
	*rand.Rand
	hostile []string
}

func newMaker(seed uint64, more ...string) *maker {
	return &maker{rand.New(rand.NewPCG(seed, 1)), append(more,
		"", "", "", "plain", "unknown", "two words, and a comma,", `"quoted\"`, "line\nbreak\r\t\b\x00\x1f\x7f",
		"\xff\xfe", "half \xe2\x82", "surrogate \xed\xa0\x80", "ünï¢ødé €𝄞", "\uFFFD", "</script>\u2028",
		strings.Repeat("long ", 50), "0123456\"", "01234567\\", "012345678\x1e", `C:\Windows\System32\`, "/usr/bin/curl", "/",
		"https://example.com/a?b=\"c\"", "GET", "PROPFIND", "00:50:56:aa:bb:cc", "no-mac", "query_2", "-1.5e+3", "007", "true")}
}

func (m *maker) text() string { return m.hostile[m.IntN(len(m.hostile))] }

func (m *maker) texts() []string {
	list := make([]string, 0, 3)
	for range m.IntN(3) {
		list = append(list, m.text())
	}
	return list
}

func (m *maker) odd() bool { return m.IntN(2) == 0 }

func (m *maker) number() int64 {
	return []int64{0, 0, 1, -1, 443, 1 << 40, -1 << 63, 1<<63 - 1}[m.IntN(8)]
}

func (m *maker) small() uint8 { return []uint8{0, 1, 2, 3, 4, 6, 17, 58, 99, 255}[m.IntN(10)] }

func (m *maker) time() time.Time {
	return []time.Time{{}, when, time.Unix(0, 0), time.Unix(0, 1), when.Add(time.Nanosecond), time.Time{}.Add(1), time.Unix(-1, 0)}[m.IntN(7)]
}

func (m *maker) addr() netip.Addr {
	list := []netip.Addr{
		{},
		{},
		netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:10.0.0.1"),
		netip.MustParseAddr("::"), netip.MustParseAddr("1111:2222:3333:4444:5555:6666:7777:8888"),
		netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("fe80::1%a\"\nb"),
		netip.MustParseAddr("fe80:1111:2222:3333:4444:5555:6666:7777%vmk0"),
	}
	return list[m.IntN(len(list))]
}

func (m *maker) vm() *event.VM {
	return &event.VM{
		VCenter: m.text(), MoRef: m.text(), InstanceUUID: m.text(), Name: m.text(), Host: m.text(), Cluster: m.text(),
		Folder: m.text(), Pool: m.text(), GuestOS: m.text(), GuestName: m.text(), Annotation: m.text(), PoweredOn: m.odd(),
		Tags: m.texts(), Attributes: m.texts(), Roles: m.texts(), Key: m.text(),
	}
}

func (m *maker) host() *event.Host {
	return &event.Host{
		VCenter: m.text(), MoRef: m.text(), Name: m.text(), Cluster: m.text(), Version: m.text(),
		Maintenance: m.odd(), IsVCenter: m.odd(), Roles: m.texts(), Key: m.text(),
	}
}

func (m *maker) context() event.Context {
	c := event.Context{Via: event.Via(m.IntN(10)), State: event.State(m.IntN(6)), Age: time.Duration(m.IntN(1e12))}
	if m.IntN(3) == 0 {
		c.VM = m.vm()
	}
	if m.IntN(3) == 0 {
		c.Host = m.host()
	}
	for range max(0, m.IntN(60)-30) {
		c.Candidates = append(c.Candidates, m.vm())
	}
	return c
}

func (m *maker) endpoint() event.Endpoint {
	if m.IntN(4) == 0 {
		return event.Endpoint{}
	}
	return event.Endpoint{
		IP: m.addr(), Port: uint16(m.number()), Hostname: m.text(), MAC: m.text(), VIF: m.text(), Switch: m.text(),
		SwitchPort: m.text(), World: m.text(), VMName: m.text(), VMUUID: m.text(), Context: m.context(),
		Service: m.text(), Category: m.text(), NameVia: m.text(), NameAge: uint32(m.IntN(3) * 3600),
	}
}

func (m *maker) process(depth int) event.Process {
	if m.IntN(5) == 0 {
		return event.Process{}
	}
	p := event.Process{Name: m.text(), Path: m.text(), CmdLine: m.text(), PID: m.number(), UID: m.text()}
	if depth > 0 && m.IntN(4) > 0 {
		parent := m.process(depth - 1)
		p.Parent = &parent
	}
	return p
}

func (m *maker) justification() event.Justification {
	return event.Justification{
		Verdict: event.Verdict(m.IntN(6)), Reason: event.Reason(m.IntN(11)), By: m.text(),
		From: m.time(), To: m.time(), Evidence: m.texts(),
	}
}

var fieldNames = []string{
	"action", "rule_id", "other", "query", "user", "query_2", "user_2_2", "records", "raw_encoding", "records_2", "resources",
	"process", "src_endpoint", "", "a\"b", "new\nline", "\xff", "\xfe", "Query", "ünï",
}

func (m *maker) fields() []event.Field {
	var list []event.Field
	for range m.IntN(12) {
		list = append(list, event.Field{
			ID:   event.Intern(fieldNames[m.IntN(len(fieldNames))]),
			Kind: event.Kind(m.IntN(5)), Value: m.text(),
		})
	}
	return list
}

func (m *maker) event() event.Event {
	return event.Event{
		Class: classes[m.IntN(len(classes))], Activity: event.Activity(m.small()), Severity: event.Severity(m.small()),
		Status: event.Status(m.small()), Time: m.time(), OriginalTime: m.text(), UID: m.text(), LogName: m.text(),
		Message: m.text(), Raw: m.text(), Records: m.IntN(4) - 1,
		Device: event.Device{Hostname: m.text(), IP: m.addr(), Host: m.host()},
		Src:    m.endpoint(), Dst: m.endpoint(), Direction: event.Direction(m.small()), Protocol: m.small(), TCPFlags: m.small(),
		Traffic: event.Traffic{BytesIn: m.number(), BytesOut: m.number(), PacketsIn: m.number(), PacketsOut: m.number(), Known: m.odd()},
		Start:   m.time(), End: m.time(), URL: m.text(),
		HTTP: event.HTTP{Method: m.text(), Version: m.text(), Status: int(m.number()), UserAgent: m.text()},
		DNS:  event.DNS{Query: m.text(), Type: m.text(), RCode: m.text(), Answers: []netip.Addr{m.addr(), m.addr()}[:m.IntN(3)]},
		User: event.User{Name: m.text(), Domain: m.text(), UID: m.text()}, Session: m.text(), Service: m.text(),
		Operation: m.text(), Resource: m.text(), Process: m.process(10), File: event.File{Name: m.text(), Path: m.text()},
		Justification: m.justification(), Fields: m.fields(),
	}
}

func (m *maker) finding() event.Finding {
	f := event.Finding{
		UID: m.text(), Revision: m.text(), Activity: event.Activity(m.small()), Status: event.FindingStatus(m.small()),
		Analytic: event.Analytic{
			UID: m.text(), Name: m.text(), Version: m.text(), Desc: m.text(), Attack: m.text(), Rule: m.odd(),
			Attacks: []event.Attack{
				{Tactic: m.text(), TacticUID: m.text(), Technique: m.text(), TechniqueUID: m.text()},
				{Technique: m.text(), TechniqueUID: "T1102.002"},
				{},
			}[:m.IntN(4)],
		},
		Title: m.text(), Severity: event.Severity(m.small()), Confidence: m.small(), Risk: int(m.number()),
		Entity: m.text(), Key: m.text(), Time: m.time(), FirstSeen: m.time(), LastSeen: m.time(), Count: m.number(),
		BytesIn: m.number(), BytesOut: m.number(), Explanation: m.texts(),
		Device: event.Device{Hostname: m.text(), IP: m.addr()}, Src: m.endpoint(), Dst: m.endpoint(), URL: m.text(),
		Justification: m.justification(), Related: m.texts(),
	}
	if m.odd() {
		f.Device.Host = m.host()
	}
	for range m.IntN(13) {
		f.Evidence = append(f.Evidence, event.Evidence{
			UID: m.text(), Time: m.time(), LogName: m.text(), Raw: m.text(), Src: m.endpoint(), Dst: m.endpoint(), URL: m.text(),
		})
	}
	return f
}

// uniqueKeys reads one JSON value and says which object has a key twice.
func uniqueKeys(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	open, nested := token.(json.Delim)
	if !nested {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			token, err := d.Token()
			if err != nil {
				return err
			}
			key := token.(string)
			if seen[key] {
				return fmt.Errorf("key %q stands twice in one object", key)
			}
			seen[key] = true
		}
		if err := uniqueKeys(d); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
