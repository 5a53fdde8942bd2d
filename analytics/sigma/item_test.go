package sigma_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/sigma"
)

const itemRules = `
title: r
id: r
logsource: {category: c}
detection:
  sel_two:
    - Image|endswith: [\a.exe, \b.exe]
      User|neq: svc
    - CommandLine|contains|all: [one, two]
  word: [needle, 'hay*stack']
  twice: {Level: 3}
  empty: {Parent: null}
  unused: {X: y}
  condition: 1 of sel_* and word and twice and not empty or not twice
---
title: quiet
logsource: {category: c}
filter:
  rules: [r]
  selection: {User|expand: '%admins%'}
  condition: selection
`

func readItems(t *testing.T) *sigma.Rule {
	t.Helper()
	read := sigma.Parse("r.yml", []byte(itemRules), sigma.Options{
		Placeholders: map[string][]string{"admins": {"root", "adm_*"}},
		Overrides:    []sigma.Override{{IDs: []string{"r"}, Exclude: []string{`{User: backup}`}}},
	})
	for _, refusal := range read.Refusals {
		t.Fatal(refusal)
	}
	return read.Rules[0]
}

func TestItemsAsWritten(t *testing.T) {
	rule := readItems(t)
	if want := []string{"1 of sel_* and word and twice and not empty or not twice"}; !slices.Equal(rule.Condition, want) {
		t.Errorf("condition %q, want %q", rule.Condition, want)
	}
	var got []string
	for _, it := range rule.Items() {
		got = append(got, fmt.Sprintf("%s %s%v%v%t", it.Selection, it.Field, it.Modifiers, it.Values, it.Excluded))
	}
	want := []string{
		`sel_two Image[endswith][{\a.exe false} {\b.exe false}]false`,
		`sel_two User[neq][{svc false}]false`,
		`sel_two CommandLine[contains all][{one false} {two false}]false`,
		`word [][{needle false} {hay*stack false}]false`,
		`twice Level[][{3 false}]false`,
		`empty Parent[][{ true}]true`,
		`twice Level[][{3 false}]true`,
		`filter quiet: selection User[expand][{root false} {adm_* false}]true`,
		`override User[][{backup false}]true`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWhySaysWhatIsThere(t *testing.T) {
	r := record(`Image=C:\B.EXE; User=svc; CommandLine=has one; Level#=3; Parent; Other=a needle; =a HAYstack`)
	results, holds := sigma.Why(readItems(t), &r)
	if holds {
		t.Error("it holds")
	}
	var got []string
	for _, s := range results {
		for i, lines := range s.Alternatives {
			for _, l := range lines {
				got = append(got, fmt.Sprintf("%s/%d %s %t: %v of %v, there %q %t", s.Name, i, l.Field, l.Holds, l.Held, l.Values, l.There, l.Null))
			}
		}
	}
	want := []string{
		`sel_two/0 Image true: [false true] of [{\a.exe false} {\b.exe false}], there ["C:\\B.EXE"] false`,
		`sel_two/0 User false: [true] of [{svc false}], there ["svc"] false`,
		`sel_two/1 CommandLine false: [true false] of [{one false} {two false}], there ["has one"] false`,
		`word/0  true: [true true] of [{needle false} {hay*stack false}], there ["a needle" "a HAYstack"] false`,
		`twice/0 Level true: [true] of [{3 false}], there ["3"] false`,
		`empty/0 Parent true: [true] of [{ true}], there [] true`,
		`twice/0 Level true: [true] of [{3 false}], there ["3"] false`,
		`filter quiet: selection/0 User false: [false false] of [{root false} {adm_* false}], there ["svc"] false`,
		`override/0 User false: [false] of [{backup false}], there ["svc"] false`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
