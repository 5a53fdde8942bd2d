package app

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
)

// TestExplain: each finding is explained by its records, and the configuration
// that would have justified it, once pasted, does.
func TestExplain(t *testing.T) {
	t.Parallel()
	const roles = "roles: [{name: web, names: [\"bkp*\"]}]\n"
	estate, vcenter := openEstate(t)
	config := testConfig(t, write(t, "vegress.yaml", vcenter+roles+
		"justifications: [{name: r, role: web, destinations: [198.51.100.7]}]\n"), nil)
	s := start(t, config)
	host := estate.Site.Hosts[0].Name
	now := time.Now().UTC().Format(stamp)
	lines := []string{
		flow(vmWith(t, estate.Site, ""), 40000, "203.0.113.9/443"),
		flow(vmWith(t, estate.Site, "backup"), 40001, "203.0.113.10/8443"),
		fmt.Sprintf("<13>%s %s shell[2097]: [root]: wget https://downloads.example.net/x.vib", now, host),
		fmt.Sprintf("<13>%s %s esxupdate: 2099: downloader: INFO: Downloading https://203.0.113.11/y.vib to /tmp/y.vib", now, host),
	}
	for _, line := range lines {
		fmt.Fprintln(s.sender(), line)
	}
	s.settled(int64(len(lines)))
	s.sendLast()
	known := filepath.Join(t.TempDir(), "inventory.json")
	if got := command(t, "inventory", "export", "--vcenter", estate.URL(), "--username", estate.Username(),
		"--password-file", write(t, "password", estate.Password()), "--ca-file", estate.CAFile(), "-o", known); got.code != exitOK {
		t.Fatal(got.err)
	}
	open, given := s.findings(len(lines)+2), 0 // and two of rules
	for _, f := range open {
		if f.Analytic.UID != "egress.unjustified" {
			continue // a rule's: see explainRule
		}
		got := command(t, "explain", "--nats", s.broker.ClientURL(), f.UID[:12])
		if got.code != exitOK {
			t.Fatalf("exit code %d: %s", got.code, got.err)
		}
		line := f.Evidence[0].Raw
		for _, want := range append([]string{f.UID, f.Title, line}, f.Explanation...) {
			if !strings.Contains(got.out, want) {
				t.Errorf("%q is missing in:\n%s", want, got.out)
			}
		}
		_, yaml, found := strings.Cut(got.out, "then SIGHUP)\n")
		if !found {
			t.Errorf("no configuration in:\n%s", got.out)
			continue
		}
		if strings.Contains(yaml, "roles:") {
			given++
		} else { // it has one already
			yaml = roles + yaml
		}
		replayed := command(t, "replay", "--config", write(t, "pasted.yaml", yaml), "--inventory", known, "--output", "events", write(t, "one.log", line+"\n"))
		if replayed.code != exitOK || !strings.Contains(replayed.out, `"verdict":"justified"`) {
			t.Errorf("%s: exit code %d: %s%s\nwith\n%s", f.Title, replayed.code, replayed.err, replayed.out, yaml)
		}
	}
	if given != 1 {
		t.Errorf("a role is given to %d machines, want to the one that has none", given)
	}
	explainRule(t, s, open)
	got := command(t, "explain", "--json", "--nats", s.broker.ClientURL(), open[0].UID)
	if all := objects(t, got.out); len(all) != 1 || all[0]["unmapped"].(map[string]any)["would_justify"] == "" {
		t.Errorf("%s%s", got.out, got.err)
	}
}

// explainRule: the finding of a rule says what matched, and how to be rid of
// it.
func explainRule(t *testing.T, s *service, open []*event.Finding) {
	t.Helper()
	for _, f := range open {
		if f.Analytic.UID != "f97a3904-c890-4a09-bb26-57359768661f" {
			continue
		}
		got := command(t, "explain", "--nats", s.broker.ClientURL(), f.UID)
		for _, want := range []string{`Image is "/bin/wget"`, "overrides:\n    - {ids: [\"" + f.Analytic.UID, "builtin/hypervisor/esxi_download_from_outside.yml"} {
			if !strings.Contains(got.out, want) {
				t.Errorf("%q is missing in:\n%s%s", want, got.out, got.err)
			}
		}
		return
	}
	t.Error("the download is no finding of its rule")
}

// findings waits for that many open findings.
func (s *service) findings(n int) (open []*event.Finding) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%d findings", n), func() bool {
		var err error
		open, _, err = forward.OpenFindings(s.t.Context(), s.conn)
		return err == nil && len(open) >= n
	})
	return open
}

func TestExplainRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, testConfig(t, "", nil))
	for _, c := range []struct {
		uid, want string
		code      int
	}{
		{"abc", `"abc" is no uid of a finding: want 4 to 32 digits of hex`, exitUsage},
		{"ABCD", `"ABCD" is no uid of a finding`, exitUsage},
		{"0123456789abcdef0123456789abcdef", "no finding begins with 0123456789abcdef0123456789abcdef", exitFailed},
		{"0123", "no finding begins with 0123", exitFailed},
	} {
		got := command(t, "explain", "--nats", s.broker.ClientURL(), c.uid)
		if got.code != c.code || !strings.Contains(got.err, c.want) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q", c.uid, got.code, got.err)
		}
	}
}

// TestExplainGivesNoMore: what is to be pasted justifies this one machine,
// whatever it is called.
func TestExplainGivesNoMore(t *testing.T) {
	for name, want := range map[string]string{
		"any":     `{name: "vm_any", names: ["any"]}`,
		"*":       `{name: "vm__", names: ["?"]}`,
		`a"*b`:    `{name: "vm_a_b", names: ["a\"?b"]}`,
		"backup*": `{name: "vm_backup_", names: ["backup?"]}`,
	} {
		f := event.Finding{UID: "0123"} // not one of ours
		f.Justification.Verdict = event.VerdictUnjustified
		f.Dst.Hostname = "files.example.net"
		f.Src.Context.VM = &event.VM{Name: name}
		got := strings.Join(strings.Fields(wouldJustify(&f)), " ")
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
