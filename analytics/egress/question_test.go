package egress_test

import (
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/event"
)

// TestQuestion: a query is justified where the connection would be, and by
// what; else nothing is said of it.
func TestQuestion(t *testing.T) {
	p := policy(t, egress.Options{
		Egress: options(t).Egress, BusinessHours: options(t).BusinessHours,
		Justifications: []egress.Justification{
			{Name: "builds", Role: "ci", Destinations: []string{"*.githubusercontent.com"}, Ports: []int{443}},
			{Name: "people", Role: "desktop", Destinations: []string{"category:paste"}},
		},
	})
	ask := func(role, name, service, category string) event.Justification {
		ev := event.Event{
			Class: event.DNSActivity, Time: time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), UID: "u",
			Src: event.Endpoint{Hostname: "web07", Context: event.Context{VM: &event.VM{Name: "web07", Key: "vm:vc1/1", Roles: []string{role}}, State: event.StateLive}},
			DNS: event.DNS{Query: name},
		}
		egress.New(p, domain, nil).Question(&ev, service, category)
		return ev.Justification
	}
	for _, c := range []struct{ role, name, service, category, by string }{
		{"ci", "RAW.githubusercontent.com.", "GitHub Raw", "code_hosting", "builds"},
		{"desktop", "pastebin.com", "Pastebin", "paste", "people"},
		{"desktop", "raw.githubusercontent.com", "GitHub Raw", "code_hosting", ""},
		{"ci", "pastebin.com", "Pastebin", "paste", ""},
		{"ci", "", "", "", ""},
	} {
		if j := ask(c.role, c.name, c.service, c.category); j.By != c.by || (j.Verdict == event.VerdictJustified) != (c.by != "") {
			t.Errorf("%s asks for %q: %v by %q", c.role, c.name, j.Verdict, j.By)
		}
	}
}
