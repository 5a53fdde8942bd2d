package ruletest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/ruletest"
	"github.com/vegress/vegress/analytics/sigma/source"
	"github.com/vegress/vegress/event"
)

func TestParseRefuses(t *testing.T) {
	tests := []struct{ content, want string }{
		{"", "no hit"},
		{"hit: [{line: a}]", "no miss"},
		{"hit: [{line: a}]\nmiss: [{why: b}]", "case 1: either a line or a record"},
		{"hit: [{line: a, record: {x: y}}]\nmiss: [{line: b}]", "case 1: either a line or a record"},
		{"hit: [{sequence: [{line: a, times: -1}]}]\nmiss: [{line: b}]", "case 1: step 1: times is not between"},
		{"hit: [{line: a, sequence: [{line: a}]}]\nmiss: [{line: b}]", "a sequence stands alone"},
		{"hits: [{line: a}]", "field hits not found"},
		{strings.Repeat("#", 1<<20+1), "larger than"},
	}
	for _, tt := range tests {
		if _, err := ruletest.Parse([]byte(tt.content)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60s: got %v, want %s", tt.content, err, tt.want)
		}
	}
}

func TestSteps(t *testing.T) {
	cases, err := ruletest.Parse([]byte(`
hit:
  - sequence:
      - {line: a, times: 2}
      - {record: {Channel: Security, EventID: 4688, Image: null}, learned: pastebin.com}
miss:
  - line: b
    why: another letter
`))
	if err != nil {
		t.Fatal(err)
	}
	steps := cases.Hit[0].Steps()
	if len(steps) != 3 || len(cases.Miss[0].Steps()) != 1 {
		t.Fatalf("%d steps and %d", len(steps), len(cases.Miss[0].Steps()))
	}
	decode := func(line string) *event.Event { return &event.Event{Raw: line} }
	if ev, err := steps[1].Event(decode); err != nil || ev.Raw != "a" {
		t.Errorf("got %v, %v", ev, err)
	}
	ev, err := steps[2].Event(decode)
	if err != nil || ev.LogName != "Security" || len(ev.Fields) != 3 || ev.Dst.Hostname != "pastebin.com" {
		t.Errorf("got %v, %v", ev, err)
	}
}

// TestTrial: hits that do not hold, misses that do, and a rule that no hit is
// for are failures; a correlation takes the rules along that it counts, from
// whichever file.
func TestTrial(t *testing.T) {
	rule := func(name, value string) string {
		return "---\ntitle: " + name + "\nname: " + name + "\nlogsource: {product: acme}\ndetection: {sel: {A: " + value + "}, condition: sel}\n"
	}
	loaded := sigma.Load(fstest.MapFS{
		"two.yml":  {Data: []byte(rule("one", "x") + rule("other", "y"))},
		"part.yml": {Data: []byte(rule("part", "z"))},
		"many.yml": {Data: []byte("title: many\nname: many\ncorrelation: {type: event_count, rules: [part], timespan: 1m, condition: {gte: 2}}\n")},
	}, []string{"."}, sigma.Options{})
	if len(loaded.Refusals) > 0 {
		t.Fatal(loaded.Refusals)
	}
	table, err := source.Load(fstest.MapFS{"a.yml": {Data: []byte("sources: [{product: acme, when: {log: acme}}]")}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ file, cases, want string }{
		{"two.yml", "hit: [{record: {A: x}}, {record: {A: y}}]\nmiss: [{record: {A: z}}]", "[]"},
		{"two.yml", "hit: [{record: {A: x}}]\nmiss: [{record: {A: y}}]", "[{miss 1 holds map[A:y]} {rule other no hit makes it hold }]"},
		{"two.yml", "hit: [{record: {A: z}}]\nmiss: [{record: {A: z}}]", "[{hit 1 does not hold map[A:z]}]"},
		{"two.yml", "hit: [{record: {Channel: acme, A: x}}, {record: {A: y}}]\nmiss: [{record: {Channel: other, A: x}}]", "[]"},
		{"many.yml", "hit: [{sequence: [{record: {A: z}, times: 2}]}]\nmiss: [{record: {A: z}}]", "[]"},
	}
	for _, tt := range tests {
		cases, err := ruletest.Parse([]byte(tt.cases))
		if err != nil {
			t.Fatal(err)
		}
		failures := ruletest.NewTrial(tt.file, loaded, table, nil).Run(cases)
		if got := fmt.Sprint(failures); got != tt.want {
			t.Errorf("%s, %s: got %s, want %s", tt.file, tt.cases, got, tt.want)
		}
	}
}
