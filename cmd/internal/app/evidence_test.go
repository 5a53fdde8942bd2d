package app

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/simulator"
)

// TestReplayOfEvidence replays the simulated night with the inventory of its
// vCenter: all stories are found, nothing honest is, and what no window
// covers is justified by what vSphere itself reported.
func TestReplayOfEvidence(t *testing.T) {
	estate, _ := openEstate(t)
	known := filepath.Join(t.TempDir(), "inventory.json")
	if got := command(t, "inventory", "export", "--vcenter", estate.URL(), "--username", estate.Username(),
		"--password-file", write(t, "password", estate.Password()), "--ca-file", estate.CAFile(), "-o", known); got.code != exitOK {
		t.Fatalf("exit code %d: %s", got.code, got.err)
	}
	file, config, _ := night(t)
	got := command(t, "replay", "--config", config, "--inventory", known, file)
	if got.code != exitOK {
		t.Fatalf("exit code %d: %s", got.code, got.err)
	}
	findings, justified := map[string]*event.Finding{}, map[string]int{}
	for line := range strings.Lines(got.out) {
		if strings.Contains(line, `"class_uid":2004`) {
			f, err := event.ParseFinding([]byte(line))
			if err != nil {
				t.Fatal(err)
			}
			findings[f.UID] = &f
			continue
		}
		ev, err := event.Parse([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if j := &ev.Justification; len(j.Evidence) > 0 {
			checkCited(t, j)
			justified[fmt.Sprintf("%s by %s", ev.Entity(), j.By)]++
		}
	}
	truth := estate.Site.Traffic().Truth()
	if told := judge(truth.Stories, findings); told.Found != told.Expected || len(told.False) > 0 {
		t.Errorf("%+v", told)
	}
	checkRuns(t, &truth, justified)
}

func checkCited(t *testing.T, j *event.Justification) {
	t.Helper()
	if !strings.Contains(j.Evidence[0], "Event") && !strings.Contains(j.Evidence[0], "esx.audit.") ||
		j.From.IsZero() || !j.To.After(j.From) {
		t.Errorf("justified by %q from %v to %v: %q", j.By, j.From, j.To, j.Evidence)
	}
}

// checkRuns compares what vSphere's reports justified with the truth.
func checkRuns(t *testing.T, truth *simulator.Truth, justified map[string]int) {
	t.Helper()
	runs := 0
	for _, h := range truth.Honest {
		if h.Run == "" {
			continue
		}
		runs++
		key := fmt.Sprintf("host:%s by %s", strings.ToLower(h.Host), h.Run)
		if h.VM != "" {
			key = fmt.Sprintf("addr:%s by %s", h.Address, h.By) // an event that is read back has no VM
		}
		if justified[key] != h.Records {
			t.Errorf("%s: %d events, the truth says %d", key, justified[key], h.Records)
		}
		delete(justified, key)
	}
	if runs < 4 || len(justified) > 0 {
		t.Errorf("%d runs; justified by reports beside the truth: %v", runs, justified)
	}
}
