package event_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vegress/vegress/event"
)

func TestEntity(t *testing.T) {
	device := event.Device{Hostname: "ESX01.Corp.Local", IP: netip.MustParseAddr("10.0.0.11")}
	known := device
	known.Host = &event.Host{Name: "esx01", Key: "host:esx01"}
	guest := event.Endpoint{IP: netip.MustParseAddr("::ffff:10.1.2.3")}
	ofVM, ofHost := guest, guest
	ofVM.Context.VM = &event.VM{Key: "vm:vc1/5012"}
	ofHost.Context.Host = &event.Host{Name: "ESX02"}
	sensor := event.Device{Hostname: "WEB07"}
	itself := event.Endpoint{Hostname: "web07"}
	itselfVM := itself
	itselfVM.Context = ofVM.Context
	tests := []struct {
		name string
		ev   event.Event
		want string
	}{
		{"a guest's process", event.Event{Class: event.ProcessActivity, Device: sensor, Src: itselfVM}, "vm:vc1/5012"},
		{"a process of no VM", event.Event{Class: event.ProcessActivity, Device: sensor, Src: itself}, "host:web07"},
		{"a guest's connection", event.Event{Class: event.NetworkActivity, Device: sensor, Src: itselfVM}, "vm:vc1/5012"},
		{"vm", event.Event{Class: event.NetworkActivity, Device: device, Src: ofVM}, "vm:vc1/5012"},
		{"host", event.Event{Class: event.HTTPActivity, Device: device, Src: ofHost}, "host:esx02"},
		{"address", event.Event{Class: event.DNSActivity, Device: device, Src: guest}, "addr:10.1.2.3"},
		{"zone", event.Event{Class: event.SSHActivity, Src: event.Endpoint{IP: netip.MustParseAddr("fe80::1%vmk0")}}, "addr:fe80::1"},
		{"vm without key", event.Event{Class: event.NetworkActivity, Src: event.Endpoint{
			IP: guest.IP, Context: event.Context{VM: &event.VM{Name: "x"}},
		}}, "addr:10.1.2.3"},
		{"the device itself", event.Event{Class: event.NetworkActivity, Device: known, Src: event.Endpoint{IP: device.IP}}, "host:esx01"},
		{"the device by name", event.Event{
			Class: event.NetworkActivity, Device: known, Src: event.Endpoint{Hostname: "esx01.corp.local"},
		}, "host:esx01"},
		{"the device to itself", event.Event{Class: event.NetworkActivity, Device: known, Src: event.Endpoint{IP: netip.MustParseAddr("127.0.0.1")}}, "host:esx01"},
		{"a sensor to itself", event.Event{
			Class: event.NetworkActivity, Device: sensor, Src: event.Endpoint{IP: netip.MustParseAddr("::1"), Hostname: "localhost"},
		}, "host:web07"},
		{"no address", event.Event{Class: event.NetworkActivity, Device: known, Src: event.Endpoint{IP: netip.IPv4Unspecified()}}, "host:esx01"},
		{"no address but a name", event.Event{
			Class: event.NetworkActivity, Device: known, Src: event.Endpoint{IP: netip.IPv6Unspecified(), Hostname: "WEB"},
		}, "host:web"},
		{"no address of its own", event.Event{
			Class: event.ProcessActivity, Device: sensor, Src: event.Endpoint{IP: netip.IPv6Unspecified(), Hostname: "web07", Context: ofVM.Context},
		}, "vm:vc1/5012"},
		{"another by name", event.Event{Class: event.NetworkActivity, Device: known, Src: event.Endpoint{Hostname: "WEB"}}, "host:web"},
		{"no source", event.Event{Class: event.NetworkActivity, Device: device}, "host:esx01.corp.local"},
		{"login", event.Event{Class: event.Authentication, Device: device, Src: guest}, "host:esx01.corp.local"},
		{"call", event.Event{Class: event.APIActivity, Device: known, Src: ofVM}, "host:esx01"},
		{"device by address", event.Event{Device: event.Device{IP: device.IP}}, "addr:10.0.0.11"},
		{"nothing", event.Event{}, "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.ev.Entity().String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := string(tt.ev.AppendEntity(nil)); got != tt.want {
				t.Errorf("appended: got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEntityAllocs(t *testing.T) {
	ev := firewallEvent()
	var sink event.Entity
	if n := testing.AllocsPerRun(100, func() { sink = ev.Entity() }); n != 0 || sink.Key == "" {
		t.Errorf("Entity allocates %v times, want none", n)
	}
	ev.Src = event.Endpoint{Hostname: "host.not.in.the.inventory"}
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { buf = ev.AppendEntity(buf[:0]) }); n != 0 || len(buf) == 0 {
		t.Errorf("AppendEntity allocates %v times, want none", n)
	}
}

// TestClone: a clone still says the same when the memory of the batch that
// the event was in is gone.
func TestClone(t *testing.T) {
	for _, class := range classes[:9] {
		ev := fullEvent(class)
		want := ev.AppendJSON(nil)
		clone := ev.Clone()
		ev.Fields[0].Value, ev.DNS.Answers[0] = "gone", netip.Addr{}
		ev.Process.Parent.PID, ev.Justification.Evidence[0] = 0, "gone"
		if diff := cmp.Diff(string(clone.AppendJSON(nil)), string(want)); diff != "" {
			t.Errorf("%s: got(-) want(+):\n%s", class.Name(), diff)
		}
	}
}

func TestSlug(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := event.Slug(in); got != want {
			t.Errorf("Slug(%q) = %q, want %q", in, got, want)
		}
	}
	f("egress.unjustified", "egress_unjustified")
	f("ESX01.Corp.Local", "esx01_corp_local")
	f("a-b_c9", "a-b_c9")
	f("a  .*>  b", "a_b")
	f("", "_")
	f("...", "_")
	f("ünïcode", "_n_code")
	f("fe80::1%vmk0", "fe80_1_vmk0")
	f(strings.Repeat("a", 300), strings.Repeat("a", 128))
	f(strings.Repeat("A.", 300), strings.Repeat("a_", 64))
}

func TestCaptions(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(event.NetworkActivity.Name(), "network_activity")
	f(event.Class(9999).Name(), "base_event")
	f(event.SeverityInformational.String(), "informational")
	f(event.SeverityFatal.String(), "fatal")
	f(event.Severity(77).String(), "unknown")
	f(event.ViaNSXUUID.String(), "nsx_uuid")
	f(event.ViaName.String(), "name")
	f(event.StateNone.String(), "")
	f(event.StateNever.String(), "never")
	f(event.VerdictUnknown.String(), "unknown")
	f(event.ReasonNoRole.String(), "no_role")
	f(event.ReasonStaleInventory.String(), "stale_inventory")
	f(event.Reason(99).String(), "")
}

func TestIntern(t *testing.T) {
	if id := event.Intern("other"); id != 0 || id.Name() != "other" {
		t.Error("the name of the overflow has another id of its own")
	}
	if event.Intern("\xff") != event.Intern("\xfe") {
		t.Error("two names that are one in JSON have two ids")
	}
}

func TestParseEntity(t *testing.T) {
	for _, want := range []event.Entity{
		{},
		{Key: "vm:vc1/4c4c4544"},
		{Key: "host:esx01.example.com"},
		{Addr: netip.MustParseAddr("10.0.0.1")},
		{Addr: netip.MustParseAddr("2001:db8::1")},
		{Key: "addr:not an address"},
	} {
		if got := event.ParseEntity(want.String()); got != want {
			t.Errorf("%q: got %+v, want %+v", want, got, want)
		}
	}
}
