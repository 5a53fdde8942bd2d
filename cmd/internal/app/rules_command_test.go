package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPublishedPage: docs/t1102-coverage.md is what the command prints.
func TestPublishedPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/t1102-coverage.md")
	if err != nil {
		t.Fatal(err)
	}
	if got := command(t, "rules", "coverage", "--published"); got.code != exitOK || got.out != string(page) {
		t.Errorf("docs/t1102-coverage.md is not what is printed (exit code %d, %s): run vegress rules coverage --published > docs/t1102-coverage.md", got.code, got.err)
	}
	var list []struct{ ID string }
	got := command(t, "rules", "coverage", "--published", "--json")
	if err := json.Unmarshal([]byte(got.out), &list); err != nil || len(list) != 59 {
		t.Errorf("%d published rules, want 59 (%v)", len(list), err)
	}
}

// TestWhyOfThePage: docs/rules.md shows what why says of its own rule.
func TestWhyOfThePage(t *testing.T) {
	text, err := os.ReadFile("../../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	rule := write(t, "coredump.yml", blocks(page, "yaml")[0])
	_, after, _ := strings.Cut(page, "The rule above, and the event `")
	record, after, _ := strings.Cut(after, "`:\n\n```\n")
	want, _, found := strings.Cut(after, "```\n")
	if !found {
		t.Fatal("docs/rules.md has no example of why")
	}
	got := command(t, "rules", "why", rule, write(t, "event.json", record))
	_, got.out, _ = strings.Cut(got.out, ", event 1: ") // the file's folder is before it
	if got.code != exitFailed || "event.json, event 1: "+got.out != want {
		t.Errorf("exit code %d (%s), got:\n%s\nwant:\n%s", got.code, got.err, got.out, want)
	}
}

// TestRulesSameTwice: what is said of the same rules is the same, byte by byte.
func TestRulesSameTwice(t *testing.T) {
	for _, args := range []string{"rules list --json", "rules check --json", "rules coverage --json", "rules coverage --technique T1102", "rules test --json"} {
		first, second := command(t, strings.Fields(args)...), command(t, strings.Fields(args)...)
		if first != second || first.code != exitOK || first.out == "" {
			t.Errorf("%s: exit codes %d and %d, %d and %d bytes: %s", args, first.code, second.code, len(first.out), len(second.out), first.err)
		}
	}
}

// corpusFolder is the folder of real rules and events, which lies beside the
// project where it is at all.
func corpusFolder(t *testing.T) string {
	t.Helper()
	root := os.Getenv("VEGRESS_CORPUS")
	if root == "" {
		t.Skip("VEGRESS_CORPUS does not name the corpus of real rules and events")
	}
	return filepath.Join(root, "sigma")
}

// TestRulesOfSigmaHQ: the commands work on an archive of SigmaHQ as it is.
func TestRulesOfSigmaHQ(t *testing.T) {
	archive := filepath.Join(corpusFolder(t), "rules.tar.gz")
	var checked struct {
		Compiled int
		Refused  []struct {
			File, ID, Reason string
			Line             int
		}
	}
	got := command(t, "rules", "check", "--json", archive)
	if err := json.Unmarshal([]byte(got.out), &checked); err != nil || got.code != exitFailed {
		t.Fatalf("exit code %d, %v: %s", got.code, err, got.err)
	}
	if checked.Compiled != 3756 || len(checked.Refused) != 24 {
		t.Errorf("%d compiled and %d refused, want 3756 and 24", checked.Compiled, len(checked.Refused))
	}
	for _, r := range checked.Refused {
		if !strings.Contains(r.Reason, "placeholder") || r.Line == 0 || r.ID == "" || !strings.HasPrefix(r.File, archive+"!") {
			t.Errorf("%+v", r)
		}
	}
	var listed []listedRule
	got = command(t, "rules", "list", "--technique", "T1102", "--product", "windows", "--json", archive)
	if err := json.Unmarshal([]byte(got.out), &listed); err != nil || len(listed) < 10 || len(listed) > 19 {
		t.Errorf("%d rules of T1102 for Windows (%v), want between 10 and 19", len(listed), err)
	}
	for _, r := range listed {
		if len(r.LogSources) != 1 || r.LogSources[0].Product != "windows" {
			t.Errorf("%s is for %v", r.Title, r.LogSources)
		}
	}
}

// TestWhyOfRealEvents: each rule holds for the events of its regression case,
// in both forms, and what is said of its searches fits.
func TestWhyOfRealEvents(t *testing.T) {
	folder := filepath.Join(corpusFolder(t), "dev")
	files, err := filepath.Glob(filepath.Join(folder, "rules", "*.yml"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d rules, %v", len(files), err)
	}
	for _, rule := range files {
		name := strings.TrimSuffix(filepath.Base(rule), ".yml") + ".jsonl"
		for _, form := range []string{"flat", "events"} {
			got := command(t, "rules", "why", "--json", rule, filepath.Join(folder, form, name))
			if got.code != exitOK {
				t.Errorf("%s, %s: exit code %d: %s", name, form, got.code, got.err)
				continue
			}
			for line := range strings.Lines(got.out) {
				checkAnswer(t, line)
			}
		}
	}
}

// checkAnswer holds what is said of a search against what is said of its
// lines.
func checkAnswer(t *testing.T, text string) {
	t.Helper()
	var a whyAnswer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	if !a.Shown || len(a.Selections) == 0 || len(a.Condition) == 0 {
		t.Errorf("%s, event %d: shown %t, %d searches", a.File, a.Event, a.Shown, len(a.Selections))
	}
	for _, s := range a.Selections {
		any := false
		for _, lines := range s.Alternatives {
			all := true
			for _, l := range lines {
				all = all && l.Holds
			}
			any = any || all
		}
		if any != s.Holds {
			t.Errorf("%s, event %d: search %s holds: %t, by its lines %t", a.File, a.Event, s.Name, s.Holds, any)
		}
	}
}
