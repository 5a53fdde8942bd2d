package vcenter_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere/vcenter"
)

const login = `Event [575792] [1-1] [2026-11-22T06:00:13.26309Z] [vim.event.UserLoginSessionEvent] [info] [CORP\bob] [] [575792] [User CORP\bob@192.0.2.40 logged in as Go-http-client/1.1]`

func TestForwardedEvent(t *testing.T) {
	tests := []struct {
		name, text            string
		class                 event.Class
		operation, user, from string
		vm                    string
	}{
		{"login", login, event.Authentication, "", "bob", "192.0.2.40", ""},
		{"cut without bracket", strings.TrimSuffix(login, "]"), event.Authentication, "", "bob", "192.0.2.40", ""},
		{"vm name in brackets", `Event [1] [1-1] [2026-11-22T06:00:13Z] [vim.event.VmPoweredOnEvent] [info] [CORP\bob] [DC [1]] [1] [web [a] on esx01 in DC [1] is powered on]`, event.APIActivity, "VmPoweredOnEvent", "bob", "", "web [a]"},
		{"parts put together", "Event [1] [1-2] [2026-11-22T06:00:13Z] [vim.event.VmReconfiguredEvent] [info] [CORP\\bob] [DC] [1] [Reconfigured web01 on esx01 in DC.  \n \nModified:  \n \nconfig.x in y on z]", event.APIActivity, "VmReconfiguredEvent", "bob", "", "web01"},
		{"middle part", `Event [1] [2-3]  (fileName = "x")`, event.BaseEvent, "", "", "", ""},
		{"unknown type", `Event [1] [1-1] [2026-11-22T06:00:13Z] [vim.event.NewThingEvent] [info] [CORP\bob] [] [1] [something]`, event.APIActivity, "NewThingEvent", "bob", "", ""},
		{"bad user name", `Event [1] [1-1] [2026-11-22T06:00:13Z] [vim.event.BadUsernameSessionEvent] [error] [] [] [1] [Cannot login u@corp@2001:db8::1]`, event.Authentication, "", "u", "2001:db8::1", ""},
	}
	vpxd := vcenter.Recognizers()["vpxd"]
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var ev event.Event
			if !vpxd.Recognize(&syslog.Message{App: "vpxd", Text: tt.text}, &ev) {
				t.Fatal("not recognized")
			}
			if ev.Class != tt.class || ev.Operation != tt.operation || ev.User.Name != tt.user || ev.Dst.VMName != tt.vm {
				t.Errorf("got %d %q %q %q, want %d %q %q %q", ev.Class, ev.Operation, ev.User.Name, ev.Dst.VMName, tt.class, tt.operation, tt.user, tt.vm)
			}
			if tt.from != "" && ev.Src.IP.String() != tt.from {
				t.Errorf("src: got %s, want %s", ev.Src.IP, tt.from)
			}
		})
	}
}

func TestAllocations(t *testing.T) {
	vpxd := vcenter.Recognizers()["vpxd"]
	m := &syslog.Message{App: "vpxd", Text: login}
	ev := &event.Event{Fields: make([]event.Field, 0, 32)}
	if got := testing.AllocsPerRun(100, func() { ev.Reset(); vpxd.Recognize(m, ev) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func BenchmarkForwardedEvent(b *testing.B) {
	vpxd := vcenter.Recognizers()["vpxd"]
	m := &syslog.Message{App: "vpxd", Text: login}
	ev := &event.Event{Fields: make([]event.Field, 0, 32)}
	b.ReportAllocs()
	for b.Loop() {
		ev.Reset()
		vpxd.Recognize(m, ev)
	}
}

// FuzzRecognizers gives any text to any program's recognizer: none panics, and
// what an event holds comes from its record.
func FuzzRecognizers(f *testing.F) {
	all := vcenter.Recognizers()
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
			_, text, _ := strings.Cut(line, " - - ")
			f.Add(strings.TrimLeft(text, "- "), "")
		}
	}
	f.Add("x is powered on", `[Originator@6876 vc_event_type="a.b" vc_username="u" vc_vm_name="v"]`)
	f.Fuzz(func(t *testing.T, text, data string) {
		for _, p := range programs {
			var ev event.Event
			ev.LogName = p
			known := all[p].Recognize(&syslog.Message{App: p, Text: text, Data: data}, &ev)
			if !known && (ev.Class != event.BaseEvent || !ev.Src.IsZero()) {
				t.Errorf("%s refused %q, but left %+v", p, text, ev)
			}
			if len(ev.Fields) > 64 {
				t.Errorf("%s: %d fields of %q", p, len(ev.Fields), text)
			}
			for _, s := range []string{ev.URL, ev.Src.Hostname, ev.Dst.Hostname, ev.Dst.VMName, ev.Message, ev.Resource} {
				if !strings.Contains(text+data, s) && s != "localhost" && !strings.Contains(s, `\`) && s != "SSH" && s != "ESXi Shell" && s != "ticket" {
					t.Errorf("%s: %q is not part of %q", p, s, text)
				}
			}
		}
	})
}
