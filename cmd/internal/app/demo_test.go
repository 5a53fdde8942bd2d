package app

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/event/eventtest"
	"github.com/vegress/vegress/simulator"
)

// TestDemo runs the main job: every story is found, nothing honest is, every
// line is accounted for, and what consumers get is valid OCSF.
func TestDemo(t *testing.T) {
	got := demoAtPace(t, "--json")
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	var last struct{ Summary result }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	s := last.Summary
	if s.Stories.Expected != 37 || s.Stories.Found != 37 || len(s.Stories.Missed)+len(s.Stories.False) != 0 {
		t.Errorf("stories: %+v", s.Stories)
	}
	if s.Sent == 0 || s.Received != s.Sent || s.Received != s.Forwarded+s.Joined+s.Deduplicated+sum(s.Dropped) || s.Joined == 0 {
		t.Errorf("the account does not add up: %+v", s)
	}
	if f := s.Flows; f.Received != f.Sent || f.Received != f.Forwarded+f.Deduplicated || f.Deduplicated == 0 ||
		f.Lost == 0 || f.Lost != f.LostOnWay || len(f.Dropped) != 0 {
		t.Errorf("the account of flows does not add up: %+v", f)
	}
	toldOnce(t, lines[:len(lines)-1])
	// Whoever asked the resolver has a name of its own for where it went, also
	// behind an alias.
	if n := strings.Count(got.out, "(name by dns)"); n < 3 || strings.Contains(got.out, "(name by dns_shared") {
		t.Errorf("%d names by the client's own question, or some by others'", n)
	}
	valid := eventtest.New(t)
	for _, line := range lines[:len(lines)-1] {
		if err := valid.Validate([]byte(line)); err != nil {
			t.Errorf("%v:\n%s", err, line)
		}
	}
}

// demoAtPace runs a demo that must succeed, in a night that is slow enough for
// the machine: in one that lags behind, no host's silence counts.
func demoAtPace(t *testing.T, args ...string) outcome {
	t.Helper()
	for _, pace := range []string{"8s", "25s", "75s"} {
		got := command(t, append([]string{"demo", "--for", pace}, args...)...)
		if got.code == exitOK {
			return got
		}
		if pace == "75s" || !strings.Contains(got.err, " stories missed, ") {
			t.Fatalf("exit code %d:\n%s\n%s", got.code, got.err, got.out)
		}
		t.Logf("in %s: %s", pace, got.err)
	}
	panic("unreachable")
}

// toldOnce: what lines and flows both tell of counts once; of the story of a
// vMotion only lines tell. The last revision
// may wait up to half an hour for its time.
func toldOnce(t *testing.T, lines []string) {
	t.Helper()
	const least = 0.9
	site, err := simulator.NewSite(simulator.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]*event.Finding{}
	for _, line := range lines {
		if f, err := event.ParseFinding([]byte(line)); err == nil {
			last[f.UID] = &f
		}
	}
	for _, story := range site.Traffic().Truth().Stories {
		for _, f := range last {
			if story.InstanceUUID == "" || f.Analytic.UID != story.Analytic || !tells(&story, f) {
				continue
			}
			if story.ID == "egress-raw-fetch" {
				continue // auditd's records have no port by which they are the host's connections: they count as their own
			}
			share := float64(f.BytesOut) / float64(story.BytesOut)
			connections := float64(f.Connections) / float64(story.Records/2)
			if share > 1 || share < least || connections > 1 || connections < least || f.Count <= int64(story.Records) && story.ID != "vmotion" {
				t.Errorf("%s: %d bytes in %d connections by %d events, want %d in %d by more than %d",
					story.ID, f.BytesOut, f.Connections, f.Count, story.BytesOut, story.Records/2, story.Records)
			}
		}
	}
}

// TestDemoForPeople shows the findings as they come and the table at the end.
func TestDemoForPeople(t *testing.T) {
	got := demoAtPace(t, "--seed", "7")
	for _, want := range []string{"without justification", "Stories", "missed 0", "false 0", "nats://127.0.0.1:"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("%q is missing in:\n%s", want, got.out)
		}
	}
}
