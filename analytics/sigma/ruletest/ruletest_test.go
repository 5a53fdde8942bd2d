package ruletest_test

import (
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/sigma/ruletest"
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
