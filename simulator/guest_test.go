package simulator_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vegress/vegress/simulator"
)

func TestGuests(t *testing.T) {
	site, err := simulator.NewSite(simulator.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	traffic := site.Traffic()
	guests := traffic.Guests()
	bySource := map[string]int{}
	last := traffic.Start()
	for r := range guests.Records() {
		bySource[r.Source]++
		if r.Time.Before(last) || r.Time.After(traffic.End()) || strings.Contains(r.Record, "\n") {
			t.Fatalf("%s at %s after %s: %q", r.Source, r.Time, last, r.Record)
		}
		last = r.Time
		switch r.Source {
		case "auditd":
			if !strings.HasPrefix(r.Record, "type=") || !strings.Contains(r.Record, " msg=audit(") {
				t.Errorf("%q", r.Record)
			}
		default:
			if !json.Valid([]byte(r.Record)) {
				t.Errorf("%s: no JSON: %q", r.Source, r.Record)
			}
		}
	}
	if got := slices.Sorted(maps.Keys(bySource)); !slices.Equal(got, []string{"auditd", "eslogger", "osquery", "winlog"}) {
		t.Errorf("%v", bySource)
	}
	found := map[string]int{}
	for _, s := range guests.Truth().Stories {
		found[s.Analytic]++
		if s.Analytic == "fusion.process_flow" && s.InstanceUUID == "" {
			t.Errorf("%s has no VM", s.ID)
		}
	}
	if want := map[string]int{"endpoint.windows": 4, "endpoint.linux": 1, "endpoint.macos": 1, "fusion.process_flow": 5}; !maps.Equal(found, want) {
		t.Errorf("%v", found)
	}
	if n := len(guests.Truth().Honest); n != 4 {
		t.Errorf("%d honest twins", n)
	}
}

// TestGuestsConnectAsTheirHostsSay: the sensor and the firewall tell of the
// same ports.
func TestGuestsConnectAsTheirHostsSay(t *testing.T) {
	site, err := simulator.NewSite(simulator.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	traffic := site.Traffic()
	var lines strings.Builder
	for r := range traffic.Records() {
		lines.WriteString(r.Line)
		lines.WriteByte('\n')
	}
	n := 0
	for r := range traffic.Guests().Records() {
		var e struct {
			Event struct {
				System    struct{ EventID int }
				EventData struct{ SourceIp, SourcePort, DestinationIp, DestinationPort string }
			}
		}
		if json.Unmarshal([]byte(r.Record), &e) != nil || e.Event.System.EventID != 3 {
			continue
		}
		n++
		d := e.Event.EventData
		if pair := d.SourceIp + "/" + d.SourcePort + "->" + d.DestinationIp + "/" + d.DestinationPort; !strings.Contains(lines.String(), pair) {
			t.Errorf("no line tells of %s", pair)
		}
	}
	if n < 50 {
		t.Errorf("%d connections", n)
	}
}

func TestPlayGuests(t *testing.T) {
	site, err := simulator.NewSite(simulator.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	traffic := site.Traffic()
	if _, err := traffic.Play(t.Context(), simulator.PlayOptions{Targets: []string{"udp://127.0.0.1:9"}}); err != nil {
		t.Fatal(err) // the clock is at the night's end now
	}
	var mu sync.Mutex
	got := map[string]int{}
	refuse := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if refuse || r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		got[r.URL.Path+" "+r.URL.Query().Get("host")] += strings.Count(string(body), "\n")
	}))
	defer server.Close()
	o := simulator.GuestOptions{URL: server.URL, Token: "secret"}
	sent, err := traffic.Guests().PlayWith(context.Background(), o, traffic)
	total := 0
	for _, n := range got {
		total += n
	}
	if err != nil || sent != total || got["/ingest/winlog win-app07.lab.example"] == 0 || got["/ingest/auditd lnx-web09.lab.example"] == 0 {
		t.Errorf("sent %d, %v: %v", sent, err, got)
	}
	refuse = true
	if _, err := traffic.Guests().PlayWith(context.Background(), o, traffic); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("%v", err)
	}
}
