package rules_test

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/ruletest"
	"github.com/vegress/vegress/analytics/sigma/source"
	"github.com/vegress/vegress/configs/rules"
	table "github.com/vegress/vegress/configs/sigma"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
	"github.com/vegress/vegress/vsphere/esxi"
	"github.com/vegress/vegress/vsphere/proxy"
	"github.com/vegress/vegress/vsphere/resolver"
	"github.com/vegress/vegress/vsphere/vcenter"
)

var decoder = vsphere.NewDecoder(
	vsphere.Programs(esxi.Recognizers(), vcenter.Recognizers(), resolver.Recognizers(), proxy.Recognizers()),
	vsphere.Options{Replay: true})

// decode makes an event of a syslog line as the service does.
func decode(line string) *event.Event {
	var m syslog.Message
	p := syslog.Parser{Reference: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}
	p.Parse(line, &m)
	ev := new(event.Event)
	decoder.Decode(&m, ev)
	return ev
}

// load gives all built-in rules; none of them may be refused.
func load(t testing.TB) *sigma.Rules {
	t.Helper()
	loaded := sigma.Load(rules.Files, []string{"."}, sigma.Options{})
	for _, refusal := range loaded.Refusals {
		t.Errorf("refused: %v", refusal)
	}
	return loaded
}

// newBench holds what some rules are tried with.
func newBench(t testing.TB, some []*sigma.Rule) *ruletest.Bench {
	t.Helper()
	return ruletest.NewBench(tableOf(t), some)
}

func tableOf(t testing.TB) *source.Table {
	t.Helper()
	all, err := source.Load(table.Files)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// firing gives the rules that hold for ev.
func firing(b *ruletest.Bench, ev *event.Event) (found []*sigma.Rule) {
	b.Show(ev, func(rule *sigma.Rule, _ *sigma.Record) { found = append(found, rule) })
	return found
}

func testFiles(t testing.TB) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(rules.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.Contains(name, "/") && !strings.HasSuffix(name, ruletest.Suffix) {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestCases: each rule holds for each of its hits and for none of its misses.
func TestCases(t *testing.T) {
	loaded, all := load(t), tableOf(t)
	for _, name := range testFiles(t) {
		t.Run(name, func(t *testing.T) {
			content, err := fs.ReadFile(rules.Files, strings.TrimSuffix(name, ".yml")+ruletest.Suffix)
			if err != nil {
				t.Fatal(err)
			}
			cases, err := ruletest.Parse(content)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range ruletest.NewTrial(name, loaded, all, decode).Run(cases) {
				t.Errorf("%s: %s: %s", f.Case, f.Reason, f.Record)
			}
		})
	}
}

var (
	uuid      = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	technique = regexp.MustCompile(`^attack\.t1[0-9]{3}(\.[0-9]{3})?$`)
	tactics   = []string{
		"reconnaissance", "resource-development", "initial-access", "execution", "persistence", "privilege-escalation",
		"stealth", "defense-impairment", "credential-access", "discovery", "lateral-movement", "collection",
		"command-and-control", "exfiltration", "impact",
	}
)

// TestMetadata: each rule says what it is, and says it in ATT&CK's words.
func TestMetadata(t *testing.T) {
	loaded := load(t)
	check := func(m *sigma.Meta, outermost bool) {
		fail := func(format string, args ...any) {
			t.Errorf("%s:%d: %s", m.File, m.Line, fmt.Sprintf(format, args...))
		}
		if !uuid.MatchString(m.ID) {
			fail("id %q is not a UUID", m.ID)
		}
		if m.Author != "vegress" || m.Date == "" || m.Status == "" || m.Level == "" {
			fail("author, date, status or level is missing")
		}
		if !outermost {
			return
		}
		if m.Description == "" || len(m.FalsePositives) == 0 {
			fail("description or falsepositives is missing")
		}
		hasTactic, hasTechnique := false, false
		for _, tag := range m.Tags {
			tactic := slices.Contains(tactics, strings.TrimPrefix(tag, "attack."))
			hasTactic = hasTactic || tactic
			hasTechnique = hasTechnique || technique.MatchString(tag)
			if !tactic && !technique.MatchString(tag) {
				fail("tag %s is neither a tactic nor a technique", tag)
			}
		}
		if !hasTactic || !hasTechnique {
			fail("tags name no tactic or no technique: %v", m.Tags)
		}
	}
	all := tableOf(t)
	for _, rule := range loaded.Rules {
		check(&rule.Meta, !rule.Silent)
		l := rule.LogSource
		if len(all.Select(source.Source{Product: l.Product, Category: l.Category, Service: l.Service})) == 0 {
			t.Errorf("%s: no events for its log source %v", rule.File, l)
		}
	}
	for _, c := range loaded.Correlations {
		check(&c.Meta, !c.Silent)
	}
}

// TestPacks: what the documentation says there is.
func TestPacks(t *testing.T) {
	loud := map[string]int{}
	loaded := load(t)
	for _, rule := range loaded.Rules {
		if !rule.Silent {
			loud[strings.Split(rule.File, "/")[0]]++
		}
	}
	for _, c := range loaded.Correlations {
		if !c.Silent {
			loud[strings.Split(c.File, "/")[0]]++
		}
	}
	t.Logf("rules: %v", loud)
	if loud["hypervisor"] < 30 {
		t.Errorf("the hypervisor pack has %d rules, want 30 at least", loud["hypervisor"])
	}
}

// TestMarksStandApart: of the detection pack's query, the evidence of a hit
// names each mark that the process bears.
func TestMarksStandApart(t *testing.T) {
	var pack *sigma.Rule
	for _, rule := range load(t).Rules {
		if rule.File == "web_service/pack_web_service_connection.yml" {
			pack = rule
		}
	}
	fields := func(values ...string) (list []event.Field) {
		for i := 0; i < len(values); i += 2 {
			list = append(list, event.Field{ID: event.Intern(values[i]), Value: values[i+1]})
		}
		return list
	}
	word := `C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE`
	tests := []struct{ image, parent, want string }{
		{`C:\Windows\System32\curl.exe`, `C:\Windows\explorer.exe`, "mark_suspicious_process service"},
		{`C:\Windows\System32\wscript.exe`, word, "mark_scripting_process mark_unusual_parent service"},
		{`C:\Users\jane\a.exe`, word, "mark_unusual_parent service"},
		{`C:\Users\jane\a.exe`, `C:\Windows\explorer.exe`, ""},
	}
	matcher := sigma.Compile([]*sigma.Rule{pack}).NewMatcher()
	for _, tt := range tests {
		var selections []string
		record := sigma.Record{Fields: fields("Image", tt.image, "ParentImage", tt.parent, "DestinationHostname", "gist.github.com")}
		matcher.Match(&record, func(h *sigma.Hit) {
			for _, e := range h.Evidence() {
				selections = append(selections, e.Selection)
			}
		})
		slices.Sort(selections)
		if got := strings.Join(slices.Compact(selections), " "); got != tt.want {
			t.Errorf("%s from %s: got %q, want %q", tt.image, tt.parent, got, tt.want)
		}
	}
}
