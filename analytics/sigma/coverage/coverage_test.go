package coverage_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/coverage"
	"github.com/vegress/vegress/analytics/sigma/source"
	table "github.com/vegress/vegress/configs/sigma"
)

// known is a table of log sources that does not change with the built-in one.
const known = `
sources:
  - {product: windows, category: process_creation, service: sysmon, when: {log: Microsoft-Windows-Sysmon/Operational, field: {EventID: "1"}}}
  - {product: windows, category: process_creation, when: {log: Security, field: {EventID: "4688"}}}
  - {product: windows, service: system, when: {log: System}}
  - {product: linux, service: auditd, when: {log: [auditd, audispd, audit, laurel, auoms]}}
`

func sources(t testing.TB) *source.Table {
	return load(t, fstest.MapFS{"known.yml": {Data: []byte(known)}})
}

func load(t testing.TB, files fs.FS) *source.Table {
	t.Helper()
	all, err := source.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func read(t *testing.T, text string) *sigma.Rules {
	t.Helper()
	rules := sigma.Parse("r.yml", []byte(text), sigma.Options{})
	for _, refusal := range rules.Refusals {
		t.Fatal(refusal)
	}
	return rules
}

const catalogue = `
title: a
level: high
tags: [attack.command-and-control, attack.t1102, attack.t1102.002, attack.g0016]
logsource: {product: windows, category: process_creation}
detection:
  sel: {Image|endswith: \evil.exe, CommandLine|contains|all: [one, Two]}
  filter_main: {User: svc, Image|startswith: 'C:\Good\'}
  filter_other: {ParentImage: null}
  condition: sel and not 1 of filter_*
---
title: b
level: low
tags: [attack.T1102.001, attack.command_and_control]
logsource: {product: linux, service: auditd}
detection:
  sel:
    - exe: ['*\EVIL.exe', '*\evil.exe']
    - exe|endswith: \evil.exe
  word: [needle, two]
  condition: sel or word
---
title: c
tags: [attack.persistence, attack.t1543]
logsource: {product: windows, service: system}
detection:
  sel: {Provider_Name: Service Control Manager, EventID: [7045, 104], ImagePath|re: '^EVIL.exe$', Initiated: 'true', Level|neq: 3}
  not_user: {User: svc}
  condition: sel and not not_user
---
title: d
tags: [attack.t1110]
correlation: {type: event_count, rules: [part, other], group-by: [User], timespan: 1m, condition: {gte: 3}}
---
title: part
name: part
logsource: {product: acme, service: logins}
detection: {sel: {Result: failed, User|contains: 'adm?'}, condition: sel}
---
title: other
name: other
logsource: {product: acme, service: logins}
detection: {sel: {Result: Failed}, condition: sel}
`

func TestCompute(t *testing.T) {
	report := coverage.Compute(read(t, catalogue), sources(t), coverage.Options{})
	f := func(what string, got any, want string) {
		t.Helper()
		text, err := json.Marshal(got)
		if err != nil || string(text) != strings.Join(strings.Split(want, "\n"), "") {
			t.Errorf("%s: %s (%v)\nwant %s", what, text, err, want)
		}
	}
	f("rules", []int{report.Rules, report.Of, report.Untagged}, `[4,4,0]`)
	f("levels", report.Levels, `[{"name":"none","rules":2},{"name":"high","rules":1},{"name":"low","rules":1}]`)
	f("tactics", report.Tactics, `[{"name":"command-and-control","rules":2},{"name":"persistence","rules":1}]`)
	f("techniques", report.Techniques, `[{"name":"T1102","rules":1},{"name":"T1102.001","rules":1},{"name":"T1102.002","rules":1},
{"name":"T1110","rules":1},{"name":"T1543","rules":1}]`)
	f("log sources", report.Sources, `[{"product":"acme","category":"","service":"logins","rules":1,"known":false},
{"product":"linux","category":"","service":"auditd","rules":1,"known":true},
{"product":"windows","category":"","service":"system","rules":1,"known":true},
{"product":"windows","category":"process_creation","service":"","rules":1,"known":true}]`)
	f("events", report.Events, `[{"provider":"Microsoft-Windows-Sysmon/Operational","id":"1","rules":1},{"provider":"Security","id":"4688","rules":1},
{"provider":"Service Control Manager","id":"104","rules":1},{"provider":"Service Control Manager","id":"7045","rules":1},
{"provider":"acme/logins","id":"","rules":1},{"provider":"linux/auditd","id":"","rules":1}]`)
	f("the field of most rules", report.Fields[0], `{"field":"process.executable","as":["Image","exe"],"rules":2,"filtering":2,"excluding":1,
"operators":[{"name":"endswith","rules":2}],"samples":["\\evil.exe"]}`)
	f("values", report.Values, `[{"value":"\\evil.exe","field":"process.executable","operator":"endswith","rules":2,"reach":2},
{"value":"^EVIL.exe$","field":"service.path","operator":"re","rules":1},
{"value":"adm?","field":"user.name","operator":"contains","rules":1},
{"value":"Failed","field":"Result","operator":"equals","rules":1},
{"value":"needle","field":"(keywords)","operator":"contains","rules":1},
{"value":"one","field":"process.command_line","operator":"contains","rules":1},
{"value":"Two","field":"(keywords)","operator":"contains","rules":1,"reach":2},
{"value":"Two","field":"process.command_line","operator":"contains","rules":1,"reach":2}]`)
	f("exclusions", report.Exclusions, `[{"value":"svc","field":"user.name","operator":"equals","rules":2,"reach":2},
{"value":"","field":"process.parent.executable","operator":"null","rules":1},
{"value":"3","field":"Level","operator":"equals","rules":1},
{"value":"C:\\Good\\","field":"process.executable","operator":"startswith","rules":1}]`)
}

// TestTechnique: a technique has its sub-techniques, and what it does not
// choose still counts as reach.
func TestTechnique(t *testing.T) {
	rules := read(t, catalogue+`---
title: e
tags: [attack.t11022]
logsource: {product: windows, category: process_creation}
detection: {sel: {ParentImage: '*\evil.exe'}, condition: sel}
`)
	tests := []struct {
		technique string
		rules     int
	}{{"t1102", 2}, {"T1102.001", 1}, {"T1102.002", 1}, {"T1543", 1}, {"T9999", 0}, {"", 5}}
	for _, tt := range tests {
		report := coverage.Compute(rules, sources(t), coverage.Options{Technique: tt.technique})
		if report.Rules != tt.rules || report.Of != 5 {
			t.Errorf("%q: %d rules of %d, want %d", tt.technique, report.Rules, report.Of, tt.rules)
		}
	}
	first := coverage.Compute(rules, sources(t), coverage.Options{Technique: "T1102"}).Values[0]
	if first.Rules != 2 || first.Reach != 3 {
		t.Errorf("%+v, want 2 rules and a reach of 3", first)
	}
}

// TestOrderDoesNotMatter: the same rules in another order give the same.
func TestOrderDoesNotMatter(t *testing.T) {
	documents := strings.Split(catalogue, "---\n")
	want, _ := json.Marshal(coverage.Compute(read(t, catalogue), sources(t), coverage.Options{}))
	slices.Reverse(documents)
	got, _ := json.Marshal(coverage.Compute(read(t, strings.Join(documents, "\n---\n")), sources(t), coverage.Options{}))
	if string(got) != string(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParsePublished(t *testing.T) {
	rules := read(t, catalogue)
	tests := []struct{ list, want string }{
		{"catalogue: [{title: x, verdict: covered, by: [r]}]", ""},
		{"catalogue: [{title: x, verdict: 'no', note: why}]", ""},
		{"catalogue: [{title: x, verdict: covered}]", `verdict "covered" with rules []`},
		{"catalogue: [{title: x, verdict: covered, by: [q]}]", `rule "q", which covers it, is not in force`},
		{"catalogue: [{title: x, verdict: 'no'}]", "needs a note"},
		{"catalogue: [{title: x, verdict: perhaps}]", "is not known"},
		{"catalogue: [{titel: x}]", "titel"},
	}
	for _, tt := range tests {
		list, err := coverage.ParsePublished([]byte(tt.list), rules)
		if tt.want == "" && (err != nil || len(list) != 1) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, %v; want %q", tt.list, list, err, tt.want)
		}
	}
}

// TestSigmaHQ: the statistics of all public rules say what a count of another
// kind says.
func TestSigmaHQ(t *testing.T) {
	root := os.Getenv("VEGRESS_CORPUS")
	if root == "" {
		t.Skip("VEGRESS_CORPUS does not name the corpus of real rules and events")
	}
	rules := sigma.Load(os.DirFS(filepath.Join(root, "sigma")), []string{"rules.tar.gz"}, sigma.Options{})
	report := coverage.Compute(rules, load(t, table.Files), coverage.Options{})
	if report.Rules != len(rules.Rules) {
		t.Errorf("%d rules, want %d", report.Rules, len(rules.Rules))
	}
	sum := 0
	for _, s := range report.Sources {
		sum += s.Rules
	}
	if sum != report.Rules {
		t.Errorf("log sources have %d rules, want %d", sum, report.Rules)
	}
	most := sigma.LogSource{Product: "windows", Category: "process_creation"}
	want := 0
	for _, rule := range rules.Rules {
		if rule.LogSource.Product == most.Product && rule.LogSource.Category == most.Category && rule.LogSource.Service == "" {
			want++
		}
	}
	if s := report.Sources[0]; s.Category != most.Category || s.Rules != want || want < 1400 {
		t.Errorf("most rules: %+v, want %v with %d", s, most, want)
	}
	for _, field := range report.Fields {
		if field.Rules > field.Filtering+field.Excluding || field.Filtering > field.Rules || field.Excluding > field.Rules {
			t.Errorf("%+v does not add up", field)
		}
	}
}
