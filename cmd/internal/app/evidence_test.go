package app

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/simulator"
)

// TestReplayOfEvidence replays the simulated night with the inventory of its
// vCenter: all stories are found, nothing honest is, and what no window
// covers is justified by what vSphere itself reported.
func TestReplayOfEvidence(t *testing.T) {
	t.Parallel()
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
	justified := map[string]int{}
	findings := readReplay(t, got.out, func(ev *event.Event) {
		if j := &ev.Justification; len(j.Evidence) > 0 {
			checkCited(t, j)
			justified[fmt.Sprintf("%s by %s", ev.Entity(), j.By)]++
		}
	})
	truth := estate.Site.Traffic().Truth()
	truth.Stories = inReplay(truth.Stories)
	if told := judge(truth.Stories, findings); told.Found != told.Expected || len(told.False) > 0 {
		t.Errorf("%+v", told)
	}
	checkRuns(t, &truth, justified)
}

// readReplay gives take each event of a replay's output, and returns the last
// revision of each finding, by its uid.
func readReplay(t *testing.T, out string, take func(*event.Event)) map[string]*event.Finding {
	t.Helper()
	findings := map[string]*event.Finding{}
	for line := range strings.Lines(out) {
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
		take(&ev)
	}
	return findings
}

// inReplay is the stories that a replay can find: who sends no logs is not
// judged there, what the records themselves show is.
func inReplay(all []simulator.Story) (told []simulator.Story) {
	for _, s := range all {
		if !strings.HasPrefix(s.Analytic, "host.") {
			told = append(told, s)
			continue
		}
		for _, sign := range s.Signs {
			shown := s
			shown.Analytic, shown.Signs = sign.Analytic, nil
			told = append(told, shown)
		}
	}
	return told
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

// TestEvidenceInService: what vCenter says on one connection reaches every
// shard, and is still known after a restart.
func TestEvidenceInService(t *testing.T) {
	t.Parallel()
	estate, vcenter := openEstate(t)
	rules := `roles: [{name: backup, names: ["*"]}]
justifications: [{name: nightly, role: backup, destinations: ["203.0.113.0/24"], ports: [443], expires: 2100-01-01, windows: ["mon-sun ` + closedWindow() + `"]}]
`
	config := testConfig(t, write(t, "vegress.yaml", vcenter+rules), nil)
	s := start(t, config)
	s.eventually("the first sync", func() bool { return s.inventory.Stats().VCenters[0].State == event.StateLive })
	judged := func(from int) (justified, unjustified int64) {
		before := s.account().Received
		conn := s.sender()
		for i, vm := range estate.Site.VMs {
			fmt.Fprintln(conn, flow(vm, from+i, "203.0.113.9/443"))
		}
		s.settled(before + int64(len(estate.Site.VMs)))
		for _, shard := range s.collector.shards {
			st := shard.analysis.egress.Stats()
			justified, unjustified = justified+st.Justified, unjustified+st.Unjustified
		}
		return justified, unjustified
	}
	all := int64(len(estate.Site.VMs))
	if justified, unjustified := judged(40000); justified != 0 || unjustified != all {
		t.Fatalf("%d justified and %d not, before anybody reports a backup; want 0 and %d", justified, unjustified, all)
	}
	before := s.account().Received
	fmt.Fprintf(s.sender(), "<14>1 %s %s vpxd 5 - - Event [7] [1-1] [%[1]s] [vim.event.GeneralUserEvent] [info] [CORP\\svc-backup] [Lab] [7] "+
		"[User logged event: Source: Veeam Backup Action: Job \"extra\" started 7:00AM]\n", time.Now().UTC().Format(stamp), estate.Site.VCenter)
	s.settled(before + 1)
	if justified, _ := judged(41000); justified != all {
		t.Errorf("%d of %d justified in %d shards while a backup is reported", justified, all, len(s.collector.shards))
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s = start(t, config)
	if justified, unjustified := judged(42000); justified != all || unjustified != 0 {
		t.Errorf("%d justified and %d not, after a restart; want %d and 0", justified, unjustified, all)
	}
}

// closedWindow is an hour of the day that is not now, nor will be soon.
func closedWindow() string {
	hour := time.Now().UTC().Add(12 * time.Hour).Hour()
	return fmt.Sprintf("%02d:00-%02d:59 UTC", hour, hour)
}
