package sigma_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/event"
)

// oneRule makes a rule of the lines of its detection.
func oneRule(detection string) string {
	return "title: t\nid: t\nlogsource: {product: test}\ndetection:\n" + indent(detection)
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ") + "\n"
}

func parseOne(t *testing.T, detection string) *sigma.Rule {
	t.Helper()
	read := sigma.Parse("test.yml", []byte(oneRule(detection)), sigma.Options{Placeholders: map[string][]string{
		"servers": {"srv*", `x\*y`}, "nets": {"10.0.0.0/8", "192.0.2.0/24"}, "word": {"cmd"},
	}})
	if len(read.Refusals) > 0 {
		t.Fatalf("%s: %v", detection, read.Refusals)
	}
	return read.Rules[0]
}

// record reads "Name=value" words, split at "; ". "Name" alone is a null,
// "Name#=1" a number. A part that starts with "=" is the record's text.
func record(text string) sigma.Record {
	var r sigma.Record
	for _, part := range strings.Split(text, "; ") {
		name, value, present := strings.Cut(part, "=")
		kind := event.KindString
		switch {
		case part == "":
			continue
		case !present:
			kind = event.KindNull
		case name == "":
			r.Text = value
			continue
		case strings.HasSuffix(name, "#"):
			name, kind = strings.TrimSuffix(name, "#"), event.KindNumber
		}
		r.Fields = append(r.Fields, event.Field{ID: event.Intern(name), Kind: kind, Value: value})
	}
	return r
}

func holds(rule *sigma.Rule, r sigma.Record) bool {
	hit := false
	sigma.Compile([]*sigma.Rule{rule}).NewMatcher().Match(&r, func(*sigma.Hit) { hit = true })
	return hit
}

// TestItems goes through the rows of the specification: each item alone, what
// it must hold for and what not.
func TestItems(t *testing.T) {
	tests := []struct {
		item    string
		yes, no []string
	}{
		{`F|contains: 'bc'`, []string{"F=abcd", "F=ABCD", "F=bc"}, []string{"F=b c", "F", "G=bc", "F="}},
		{`F|contains: 'b*d'`, []string{"F=abcdx", "F=bd"}, []string{"F=dbc"}},
		{`F|startswith: 'ab'`, []string{"F=abc", "F=AB"}, []string{"F=xab"}},
		{`F|endswith: '\cmd.exe'`, []string{`F=C:\W\CMD.EXE`}, []string{`F=cmd.exe`, `F=\cmd.exe.bak`}},
		{`F|contains|all: [a, b]`, []string{"F=xbxa"}, []string{"F=a", "F=b"}},
		{`F|exists: true`, []string{"F=1", "F=", "F"}, []string{"G=1"}},
		{`F|exists: false`, []string{"G=1"}, []string{"F", "F="}},
		{`F|cased: Abc`, []string{"F=Abc"}, []string{"F=abc", "F=ABC"}},
		{`F|contains|cased: 'B?D'`, []string{"F=aBcDe"}, []string{"F=abcde"}},
		{`F|neq: a`, []string{"F=b", "F=", "G=a", "F"}, []string{"F=a", "F=A"}},
		{`F|neq: [a, b]`, []string{"F=c"}, []string{"F=a", "F=b"}},
		{`F|neq: 5`, []string{"F#=6"}, []string{"F#=5", "F=5"}},
		{`F|fieldref: G`, []string{"F=x; G=X", "F=; G="}, []string{"F=x; G=y", "F=x", "F; G"}},
		{`F|fieldref|neq: G`, []string{"F=x; G=y", "F=x"}, []string{"F=x; G=X"}},
		{`F|fieldref|endswith: G`, []string{`F=C:\a.exe; G=A.EXE`}, []string{"F=a; G=ba"}},
		{`F|contains|windash: ' -e '`, []string{"F=x -e y", "F=x /E y", "F=x –e y", "F=x —e y", "F=x ―e y"}, []string{"F=x e y", "F=x +e y"}},
		{`F|windash|contains: ' /a-b'`, []string{"F=c -a/b", "F=c /a-b"}, []string{"F=c ab"}},
		{`F|re: 'a.c'`, []string{"F=xabcx"}, []string{"F=xABCx", "F=a\nc"}},
		{`F|re|i: 'a.c'`, []string{"F=xABCx"}, []string{"F=ac"}},
		{`F|re|s: 'a.c'`, []string{"F=a\nc"}, nil},
		{`F|re|m: '^b$'`, []string{"F=a\nb\nc"}, []string{"F=abc"}},
		{`F|re: '^b$'`, []string{"F=b"}, []string{"F=a\nb\nc"}},
		{`F|re: '.{5,}'`, []string{"F=12345", "F=aaé日b"}, []string{"F=1234", "F=123\n456", "F=éé"}},
		{`F|re: '[^/]{3,}$'`, []string{"F=a/bcd"}, []string{"F=abcd/ef"}},
		{`F|re: '^[a-z]{2,3}$'`, []string{"F=ab", "F=abc"}, []string{"F=a", "F=abcd", "F=ab1"}},
		{`F|re: 'a.*b.*c'`, []string{"F=1a2b3c"}, []string{"F=acb", "F=a\nbc"}},
		{`F|base64: 'cmd'`, []string{"F=Y21k"}, []string{"F=Y21kZQ=="}},
		{`F|base64offset|contains: 'cmd.exe'`, []string{"F=xxY21kLmV4Zxx", "F=xxNtZC5leGxx", "F=AGNtZC5leGUA", "F=AABjbWQuZXhlAA=="}, []string{"F=cmd.exe"}},
		{`F|wide|base64offset|contains: 'cmd'`, []string{"F=YwBtAGQA", "F=AGMAbQBkAA=="}, []string{"F=Y21k"}},
		{`F|utf16|base64: 'c'`, []string{"F=//5jAA=="}, []string{"F=YwA="}},
		{`F|utf16be|contains: 'cm'`, []string{"F=x\x00c\x00m"}, []string{"F=cm"}},
		{`F|lt: 5`, []string{"F#=4", "F=4.9", "F=-7"}, []string{"F=5", "F=a", "F="}},
		{`F|gte: 9007199254740993`, []string{"F=9007199254740993"}, []string{"F=9007199254740992"}},
		{`F|hour|gte: 22`, []string{"F=2024-05-06 22:01:00"}, []string{"F=2024-05-06 21:59:59", "F=22:01"}},
		{`F|week: 1`, []string{"F=2024-12-30"}, []string{"F=2024-12-29"}},
		{`F|month: [5, 6]`, []string{"F=2024-05-06T01:02:03Z"}, []string{"F=2024-07-06"}},
		{`F|cidr: [10.0.0.0/8, 'fe80::/10']`, []string{"F=10.1.2.3", "F=::ffff:10.1.2.3", "F=FE80::1"}, []string{"F=11.1.2.3", "F=10", "F=x"}},
		{`F|expand: '%servers%'`, []string{"F=srv01", "F=x*y"}, []string{"F=xzy", "F=%servers%"}},
		{`F|contains|expand: 'a%word%b'`, []string{"F=xacmdbx"}, []string{"F=cmd"}},
		{`F|expand: '\%plain%word%'`, []string{"F=%plaincmd"}, []string{"F=cmd"}},
		{`F|cidr|expand: '%nets%'`, []string{"F=192.0.2.9"}, []string{"F=192.0.3.9"}},
		{`F: '%word%'`, []string{"F=%word%"}, []string{"F=cmd"}},

		{`F: 'a*c'`, []string{"F=ac", "F=abbc", "F=a\nc"}, []string{"F=acd"}},
		{`F: 'a?c'`, []string{"F=abc", "F=aéc"}, []string{"F=ac", "F=abbc"}},
		{`F: 'a\*c'`, []string{"F=a*c"}, []string{"F=abc"}},
		{`F: 'a\\*c'`, []string{`F=a\c`, `F=a\bc`}, []string{"F=a*c"}},
		{`F: 'a\\\*c'`, []string{`F=a\*c`}, []string{`F=a\bc`}},
		{`F: 'a\b'`, []string{`F=a\b`}, []string{`F=ab`}},
		{`F: 'a\\b'`, []string{`F=a\b`}, []string{`F=a\\b`}},
		{`F: 'a\\\b'`, []string{`F=a\\b`}, []string{`F=a\b`}},
		{`F: 'a\\\\b'`, []string{`F=a\\b`}, []string{`F=a\b`}},
		{`F: 'ÉCOLE'`, []string{"F=école"}, []string{"F=ecole"}},
		{`F: 4625`, []string{"F=4625", "F#=4625", "F#=4625.0"}, []string{"F=04625", "F=4625.0"}},
		{`F: true`, []string{"F=true", "F=True"}, []string{"F=1"}},
		{`F: ''`, []string{"F="}, []string{"F", "G=x", "F=x"}},
		{`F: null`, []string{"F", "G=x"}, []string{"F=", "F=x"}},
		{`F: '*'`, []string{"F=", "F=x"}, []string{"F", "G=x"}},
		{`F: [a, b]`, []string{"F=a", "F=B", "F=x; F=b"}, []string{"F=ab"}},
		{`New Value: x`, []string{"New Value=x", "NewValue=x"}, []string{"New_Value=x"}},
		{`Provider_Name: x`, []string{"Provider_Name=x"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.item, func(t *testing.T) {
			detection := "selection:\n    " + tt.item + "\ncondition: selection"
			rule := parseOne(t, detection)
			naive, err := parseNaive([]byte(oneRule(detection)), map[string][]string{
				"servers": {"srv*", `x\*y`}, "nets": {"10.0.0.0/8", "192.0.2.0/24"}, "word": {"cmd"},
			})
			if err != nil {
				t.Fatal(err)
			}
			for want, records := range map[bool][]string{true: tt.yes, false: tt.no} {
				for _, text := range records {
					r := record(text)
					if got := holds(rule, r); got != want {
						t.Errorf("%q: holds is %t", text, got)
					}
					if got := naive[0].holds(newNaiveRecord(r.Fields, r.Text)); got != want {
						t.Errorf("%q: the naive evaluator says %t", text, got)
					}
				}
			}
		})
	}
}

// TestSearchesAndConditions: keywords, lists of maps, and the condition's
// grammar.
func TestSearchesAndConditions(t *testing.T) {
	searches := "a: {F: a}\nb: {F|contains: b}\nsel_1: {G: 1}\nsel_2: {H: 2}\n_hidden: {I: 3}\nkeys: [needle, 'two words']\nboth:\n    '|all': [needle, hay]\nmaps:\n    - {F: m, G: n}\n    - {H: o}\n    - needle\n"
	tests := []struct {
		condition string
		yes, no   []string
	}{
		{"a or b and sel_1", []string{"F=a", "F=xb; G=1"}, []string{"F=b"}},
		{"(a or b) and sel_1", []string{"F=a; G=1"}, []string{"F=a"}},
		{"not a and b", []string{"F=b"}, []string{"F=a", "F=x"}},
		{"not (a or b)", []string{"F=x", "X=1"}, []string{"F=a", "F=abc"}},
		{"NOT a AND NOT b", []string{"X=1"}, []string{"F=a"}},
		{"not not a", []string{"F=a"}, []string{"F=b"}},
		{"1 of sel_*", []string{"G=1", "H=2"}, []string{"I=3"}},
		{"all of sel_*", []string{"G=1; H=2"}, []string{"G=1"}},
		{"any of *_2", []string{"H=2"}, []string{"G=1"}},
		{"1 of s*l*1", []string{"G=1"}, []string{"H=2"}},
		{"not 1 of sel_*", []string{"X=1"}, []string{"G=1"}},
		{"1 of them", []string{"G=1"}, []string{"I=3"}},
		{"_hidden", []string{"I=3"}, []string{"G=1"}},
		{"keys", []string{"X=a NEEDLE in it", "=in the text: needle", "X=two words"}, []string{"X=two  words", "X"}},
		{"both", []string{"X=hay; Y=needle", "=needle hay"}, []string{"X=hay"}},
		{"maps", []string{"F=m; G=n", "H=o", "X=needle"}, []string{"F=m"}},
		{"[a, sel_1]", []string{"F=a", "G=1"}, []string{"H=2"}},
	}
	for _, tt := range tests {
		t.Run(tt.condition, func(t *testing.T) {
			rule := parseOne(t, searches+"condition: "+tt.condition)
			for want, records := range map[bool][]string{true: tt.yes, false: tt.no} {
				for _, text := range records {
					if got := holds(rule, record(text)); got != want {
						t.Errorf("%q: holds is %t", text, got)
					}
				}
			}
		})
	}
}

// TestRefusals: what cannot be used is refused with its line and a reason,
// and its neighbours are loaded.
func TestRefusals(t *testing.T) {
	const good = "---\ntitle: good\nlogsource: {product: test}\ndetection: {a: {F: x}, condition: a}\n"
	detection := func(lines string) string {
		return "title: bad\nid: bad\nlogsource: {product: test}\ndetection:\n    " + lines
	}
	many := func(n int, f func(i int) string) string {
		var parts []string
		for i := range n {
			parts = append(parts, f(i))
		}
		return strings.Join(parts, ", ")
	}
	tests := []struct {
		name, bad string
		line      int // behind the first document's four lines
		reason    string
	}{
		{"no YAML", "title: [", 5, "no YAML"},
		{"tab", "title: x\n\tid: y", 5, "no YAML"},
		{"no title", "logsource: {product: x}\ndetection: {a: {F: x}, condition: a}", 5, "title is missing"},
		{"long title", "title: " + strings.Repeat("x", 257) + "\nlogsource: {product: x}\ndetection: {a: {F: x}, condition: a}", 5, "256"},
		{"no logsource", "title: x\ndetection: {a: {F: x}, condition: a}", 5, "logsource is missing"},
		{"empty logsource", "title: x\nlogsource: {definition: x}\ndetection: {a: {F: x}, condition: a}", 6, "names no category"},
		{"nothing in it", "title: x\nlogsource: {product: x}", 5, "neither detection"},
		{"status", "title: x\nstatus: testing\nlogsource: {product: x}\ndetection: {a: {F: x}, condition: a}", 6, "status"},
		{"unsupported", "title: x\nstatus: unsupported\nlogsource: {product: x}\ndetection: {a: {F: x}, condition: a}", 5, "unsupported"},
		{"level", "title: x\nlevel: hi\nlogsource: {product: x}\ndetection: {a: {F: x}, condition: a}", 6, "level"},
		{"taxonomy", "title: x\ntaxonomy: mine\nlogsource: {product: x}\ndetection: {a: {F: x}, condition: a}", 6, "taxonomy"},
		{"action", "title: x\naction: global", 6, "Sigma 1"},
		{"same key twice", detection("a: {F: x}\n    a: {F: y}\n    condition: a"), 10, "twice"},
		{"no condition", detection("a: {F: x}"), 9, "condition is missing"},
		{"unknown name", detection("a: {F: x}\n    condition: a and b"), 10, `no search identifier is named "b"`},
		{"unknown pattern", detection("a: {F: x}\n    condition: 1 of b*"), 10, "no search identifier is like"},
		{"hidden by pattern", detection("_a: {F: x}\n    condition: 1 of *a"), 10, "no search identifier is like"},
		{"open parenthesis", detection("a: {F: x}\n    condition: (a"), 10, "not closed"},
		{"trailing", detection("a: {F: x}\n    condition: a a"), 10, "not expected"},
		{"ends early", detection("a: {F: x}\n    condition: a and"), 10, "ends where"},
		{"2 of", detection("a: {F: x}\n    condition: 2 of a*"), 10, "only 1, any and all"},
		{"aggregation", detection("a: {F: x}\n    condition: a | count() > 5"), 10, "Sigma 1"},
		{"timeframe", detection("a: {F: x}\n    timeframe: 5m\n    condition: a"), 10, "Sigma 1"},
		{"deep condition", detection("a: {F: x}\n    condition: " + strings.Repeat("(", 500) + "a" + strings.Repeat(")", 500)), 10, "deeper"},
		{"deep not", detection("a: {F: x}\n    condition: " + strings.Repeat("not ", 500) + "a"), 10, "deeper"},
		{"modifier", detection("a:\n        F|containz: x\n    condition: a"), 10, "not known"},
		{"modifier twice", detection("a:\n        F|contains|contains: x\n    condition: a"), 10, "twice"},
		{"flag without re", detection("a:\n        F|i: x\n    condition: a"), 10, "only known after re"},
		{"two types", detection("a:\n        F|re|cidr: x\n    condition: a"), 10, "does not go together"},
		{"windash re", detection("a:\n        F|windash|re: x\n    condition: a"), 10, "does not go together"},
		{"contains base64", detection("a:\n        F|contains|base64: x\n    condition: a"), 10, "encoded"},
		{"base64 of a wildcard", detection("a:\n        F|base64: 'x*'\n    condition: a"), 10, "wildcards"},
		{"all of one", detection("a:\n        F|all: x\n    condition: a"), 10, "needs a list"},
		{"all of a list of one", detection("a:\n        F|contains|all: [x]\n    condition: a"), 10, "needs a list"},
		{"null in a list", detection("a:\n        F: [x, null]\n    condition: a"), 10, "null stands alone"},
		{"null with modifier", detection("a:\n        F|contains: null\n    condition: a"), 10, "null stands alone"},
		{"empty list", detection("a:\n        F: []\n    condition: a"), 10, "empty"},
		{"empty map", detection("a: {}\n    condition: a"), 9, "empty"},
		{"map as value", detection("a:\n        F: {x: y}\n    condition: a"), 10, "plain value"},
		{"list in a list", detection("a:\n        F: [[x]]\n    condition: a"), 10, "plain value"},
		{"exists", detection("a:\n        F|exists: maybe\n    condition: a"), 10, "true or false"},
		{"lt of a text", detection("a:\n        F|lt: x\n    condition: a"), 10, "needs a number"},
		{"cidr", detection("a:\n        F|cidr: 10.0.0.0/33\n    condition: a"), 10, "address range"},
		{"placeholder", detection("a:\n        F|expand: '%nobody%'\n    condition: a"), 10, "%nobody%"},
		{"look-ahead", detection("a:\n        F|re: 'a(?=b)'\n    condition: a"), 10, "regular expression"},
		{"large regex", detection("a:\n        F|re: '((a{100}){100}){100}'\n    condition: a"), 10, "regular expression"},
		{"repeated regex", detection("a:\n        F|re: '(.{500}.{500}.{500}.{500}.{500}.{501}).{1000}.{1000}'\n    condition: a"), 10, "steps"},
		{"windash before base64", detection("a:\n        F|windash|base64: '-----'\n    condition: a"), 10, "625"},
		{"too many values", detection("a:\n        F: [" + many(200001, func(i int) string { return fmt.Sprint(i) }) + "]\n    condition: a"), 10, "more than 200000 values"},
		{"logic", detection("a: [" + many(1500, func(i int) string { return fmt.Sprintf("{F%d: x, G%d: y}", i, i) }) + "]\n    condition: " + strings.Repeat("a or ", 100) + "a"), 10, "more than 200000 tests"},
		{"aliases", detection("a: &a {F: x}\n    b: &b [" + many(90, func(int) string { return "*a" }) + "]\n    c: &c [" + many(90, func(int) string { return "*b" }) + "]\n    d: [" + many(90, func(int) string { return "*c" }) + "]\n    condition: d"), 9, "more than"},
		{"round alias", detection("a: &a [*a, *a]\n    condition: a"), 9, ""},
		{"broken alias", detection("a: *nothing\n    condition: a"), 4, "no YAML"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			read := sigma.Parse("f.yml", []byte(good[4:]+"---\n"+tt.bad+"\n"+good), sigma.Options{})
			if len(read.Rules) != 2 {
				t.Errorf("%d good rules loaded, want 2", len(read.Rules))
			}
			if len(read.Refusals) != 1 {
				t.Fatalf("%d refusals, want 1: %v", len(read.Refusals), read.Refusals)
			}
			got := read.Refusals[0]
			if got.File != "f.yml" || got.Line != tt.line || !strings.Contains(got.Reason, tt.reason) {
				t.Errorf("refusal %v, want line %d and %q", got, tt.line, tt.reason)
			}
		})
	}
}

// TestLargeRules: what is large but within bounds compiles.
func TestLargeRules(t *testing.T) {
	var values []string
	for i := range 100_000 {
		values = append(values, fmt.Sprintf("value-%d", i))
	}
	rule := parseOne(t, "a:\n    F|contains: ["+strings.Join(values, ", ")+"]\nb:\n    F|contains|windash: '"+strings.Repeat("-x", 50)+"'\nc:\n    F|endswith: ["+strings.Join(values[:50_000], ", ")+"]\ncondition: a or b or c")
	if !holds(rule, record("F=x value-99999 y")) || holds(rule, record("F=nothing")) || !holds(rule, record("F="+strings.Repeat("/X", 50))) {
		t.Error("a rule with 100,000 values does not hold as it should")
	}
}

func TestMeta(t *testing.T) {
	const text = `title: All there is
id: 929a690e-bef0-4204-a928-ef5e620d6fcc
name: all_there_is
related:
    - {id: 08fbc97d-0a2f-491c-ae21-8ffcfd3174e9, type: derived}
taxonomy: mine
status: test
description: d
license: MIT
author: a, b
references: [https://example.com]
date: 2024-01-02
modified: 2024-02-03
logsource: {category: c, product: p, service: s, definition: text, custom: [1, 2]}
detection:
    a: {command: x}
    condition: a
fields: [f]
falsepositives: Unknown
level: high
tags: [attack.t1059.001]
scope: [server]
regression_tests_path: somewhere
simulation: [{type: atomic}]
`
	read := sigma.Parse("f.yml", []byte(text), sigma.Options{Taxonomies: map[string]map[string]string{"mine": {"command": "CommandLine"}}})
	if len(read.Refusals) > 0 {
		t.Fatal(read.Refusals)
	}
	r := read.Rules[0]
	got := []string{r.Title, r.ID, r.Name, r.Related[0].Type, r.Status, r.Description, r.License, r.Author, r.References[0], r.Date,
		r.Modified, r.LogSource.Category, r.LogSource.Product, r.LogSource.Service, r.LogSource.Definition, r.Fields[0],
		r.FalsePositives[0], r.Level, r.Tags[0], r.Scope[0], fmt.Sprint(r.Line)}
	want := []string{"All there is", "929a690e-bef0-4204-a928-ef5e620d6fcc", "all_there_is", "derived", "test", "d", "MIT", "a, b",
		"https://example.com", "2024-01-02", "2024-02-03", "c", "p", "s", "text", "f", "Unknown", "high", "attack.t1059.001", "server", "1"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if !holds(r, record("CommandLine=x")) {
		t.Error("the taxonomy's field is not mapped")
	}
}

func TestEvidenceAndWhy(t *testing.T) {
	rule := parseOne(t, "sel_image:\n    Image|endswith: \\a.exe\n    User: [x, y]\nsel_key: [needle]\nfilter: {Parent: z}\ncondition: all of sel_* and not filter")
	r := record(`Image=C:\A.EXE; User=y; Other=a needle`)
	var evidence []sigma.Evidence
	m := sigma.Compile([]*sigma.Rule{rule}).NewMatcher()
	m.Match(&r, func(h *sigma.Hit) { evidence = h.Evidence() })
	want := []sigma.Evidence{{"sel_image", "Image", `C:\A.EXE`}, {"sel_image", "User", "y"}, {"sel_key", "", "a needle"}}
	if !slices.Equal(evidence, want) {
		t.Errorf("evidence %v, want %v", evidence, want)
	}
	r = record(`Image=C:\A.EXE; User=q; Parent=z; Other=needle`)
	results, holds := sigma.Why(rule, &r)
	var said []string
	for _, result := range results {
		said = append(said, fmt.Sprint(result.Name, "=", result.Holds))
	}
	if got := strings.Join(said, " "); holds || got != "sel_image=false sel_key=true filter=true" {
		t.Errorf("why: %t, %s", holds, got)
	}
}
