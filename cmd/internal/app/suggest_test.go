package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/suggest"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/simulator"
)

// replayed is what a replay of the night finds, by uid.
func replayed(t *testing.T, config, known, file string) (out string, findings map[string]*event.Finding) {
	t.Helper()
	got := command(t, "replay", "--config", config, "--inventory", known, file)
	if got.code != exitOK {
		t.Fatalf("exit code %d: %s", got.code, got.err)
	}
	findings = map[string]*event.Finding{}
	for line := range strings.Lines(got.out) {
		if strings.Contains(line, `"class_uid":2004`) {
			f, err := event.ParseFinding([]byte(line))
			if err != nil {
				t.Fatal(err)
			}
			findings[f.UID] = &f
		}
	}
	return got.out, findings
}

// TestSuggest: a site that configured nothing pastes what suggest proposes, and
// its honest night is quiet, while every story is still found.
func TestSuggest(t *testing.T) {
	t.Parallel()
	estate, _ := openEstate(t)
	known := filepath.Join(t.TempDir(), "inventory.json")
	if got := command(t, "inventory", "export", "--vcenter", estate.URL(), "--username", estate.Username(),
		"--password-file", write(t, "password", estate.Password()), "--ca-file", estate.CAFile(), "-o", known); got.code != exitOK {
		t.Fatalf("exit code %d: %s", got.code, got.err)
	}
	file, configured, _ := night(t)
	text, err := os.ReadFile(configured)
	if err != nil {
		t.Fatal(err)
	}
	_, api, _ := strings.Cut(string(text), "apiuse:") // not what suggest is about
	out, before := replayed(t, write(t, "bare.yaml", "apiuse:"+api), known, file)
	events := write(t, "events.ndjson", out)
	yaml := command(t, "suggest", events)
	if yaml.code != exitOK || yaml.err != "" {
		t.Fatalf("exit code %d: %s", yaml.code, yaml.err)
	}
	t.Log(yaml.out)
	_, after := replayed(t, write(t, "pasted.yaml", yaml.out+"apiuse:"+api), known, file)

	truth := estate.Site.Traffic().Truth()
	stories := anyReason(truth.Stories)
	// A person's desktop goes to pastes and chats: suggest never proposes these.
	maps.DeleteFunc(after, func(_ string, f *event.Finding) bool { return strings.Contains(f.Title, "win-vdi21") })
	was, is := judge(stories, plainReasons(before)), judge(stories, plainReasons(after))
	if len(was.False) < 5 {
		t.Errorf("without a configuration only %v is found beside the stories", was.False)
	}
	if is.Found != is.Expected || len(is.False) > 0 {
		t.Errorf("with the proposals: %+v", is)
	}

	var report suggest.Report
	if err := json.Unmarshal([]byte(command(t, "suggest", "--json", events).out), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Roles) < 3 || len(report.Justifications) < 4 || report.Covered == 0 || report.Events < 10000 {
		t.Errorf("%+v", report)
	}
	for _, j := range report.Justifications {
		if len(j.Destinations) == 0 || slices.Contains(j.Destinations, "any") || slices.Contains(j.Destinations, "*") || j.Expires == "" {
			t.Errorf("%+v", j)
		}
	}
	for _, want := range []string{"crm-app02 to Telegram", "fin-file01 to transfer.sh", "bkp02 to Amazon S3", "10.1.0.14 to Amazon S3", "esx03.lab.example to "} {
		if !slices.ContainsFunc(report.NotProposed, func(a suggest.Apart) bool { return strings.HasPrefix(a.Who+" to "+a.What, want) && a.Why != "" }) {
			t.Errorf("%s is not listed apart: %v", want, report.NotProposed)
		}
	}
}

// anyReason and plainReasons leave out why a connection is unjustified: that
// depends on the rules that there are. Who sends no logs is not judged in a
// replay.
func anyReason(all []simulator.Story) []simulator.Story {
	all = inReplay(all)
	for i := range all {
		if all[i].Verdict == "unjustified" {
			all[i].Reason = ""
		}
	}
	return all
}

func plainReasons(all map[string]*event.Finding) map[string]*event.Finding {
	for _, f := range all {
		if f.Justification.Verdict == event.VerdictUnjustified {
			f.Justification.Reason = event.ReasonNone
		}
	}
	return all
}

// TestSuggestStored reads what a service has stored.
func TestSuggestStored(t *testing.T) {
	t.Parallel()
	estate, vcenter := openEstate(t)
	s := start(t, testConfig(t, write(t, "vegress.yaml", vcenter), nil))
	s.eventually("the first sync", func() bool { return s.inventory.Stats().VCenters[0].State == event.StateLive })
	conn := s.sender()
	vm := estate.Site.VMs[3]
	for i := range 6 {
		fmt.Fprintln(conn, flow(vm, 40000+i, "203.0.113.9/443"))
	}
	s.settled(6)
	if err := s.publisher.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := command(t, "suggest", "--nats", s.broker.ClientURL(), "--since", "7d")
	for _, want := range []string{fmt.Sprintf("names: [%q]", vm.Name), `destinations: ["203.0.113.9"]`, "ports: [443]", "6 connections on 1 day"} {
		if got.code != exitOK || !strings.Contains(got.out, want) {
			t.Fatalf("exit code %d, no %s in:\n%s%s", got.code, want, got.out, got.err)
		}
	}
}

func TestSuggestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--since", "7x"}, {"--since", "0d"}, {"--since", "-1h"}, {"--since", "1000d"}, {"--since", "1d", "-"}} {
		if got := command(t, append([]string{"suggest"}, args...)...); got.code != exitUsage || !strings.Contains(got.err, "since") {
			t.Errorf("%v: exit code %d: %s", args, got.code, got.err)
		}
	}
	lines := write(t, "host.log", "<14>2026-03-03T20:00:00Z esx01 Hostd: nothing that replay wrote\n")
	if got := command(t, "suggest", lines); got.code != exitFailed || !strings.Contains(got.err, "none of the 1 lines is an event") {
		t.Errorf("a log: exit code %d: %s%s", got.code, got.err, got.out)
	}
	if got := command(t, "suggest", "/nowhere"); got.code != exitFailed {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
	odd := write(t, "odd.ndjson", "no JSON\n{\"class_uid\":2004,\n{\"class_uid\":4001,\"verdict\":\"unjustified\"\n{\"class_uid\":0}\n\n")
	if got := command(t, "suggest", odd); got.code != exitOK || !strings.Contains(got.out, "3 records could not be read") {
		t.Errorf("exit code %d: %s%s", got.code, got.out, got.err)
	}
}
