package sigma_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/event"
)

// maker makes rules and records of few words, so that they often meet.
type maker struct{ *rand.Rand }

func (m maker) pick(words ...string) string { return words[m.IntN(len(words))] }

func (m maker) field() string {
	return m.pick("Alpha", "Beta", "Gamma", "Delta", "New Value", "Never")
}

// words are what values are made of: all that wildcards, escapes, folding,
// dashes, numbers, dates, addresses and encodings stumble over.
var words = []string{
	"cmd", "CMD", "c", "Cmd.exe", `\cmd.exe`, `\`, `\\`, " -e ", "/c", "-", "–x", "—", "―", "é", "É", "K", "k", "ſ", "s", "ß",
	"1", "10", "1.0", "1e1", "-5", "007", "99999999999999999999", "10.1.2.3", "10.1.2.300", "::1", "fe80::1%eth0", "::ffff:10.1.2.3",
	"2024-05-06", "2024-05-06 07:08:09", "2024/12/30T23:59Z", "true", "False", "%p%", "%p", "aaaa", "aaaab", "abcd", "bcde", " ", "\n", "\xff", "İ", "日本", "日",
	"Y21k", "AGMA", "ZABv", "c\x00m\x00d\x00",
}

func (m maker) text(extra ...string) string {
	var s strings.Builder
	for range m.IntN(4) {
		list := words
		if len(extra) > 0 && m.IntN(3) == 0 {
			list = extra
		}
		s.WriteString(list[m.IntN(len(list))])
	}
	return s.String()
}

func (m maker) value() string {
	for {
		// YAML has no bytes that are not UTF-8, and zones look like placeholders.
		if text := m.text("*", "?", `\*`, `\?`, `\\*`, `\\\*`, "**", "*?"); !strings.Contains(text, "\xff") && !strings.Contains(text, "%eth0") {
			return quoteYAML(text)
		}
	}
}

func quoteYAML(text string) string {
	text = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\x00", `\0`).Replace(text)
	return `"` + text + `"`
}

// list writes one value, or several in brackets.
func (m maker) list(one func() string, all bool) string {
	count := 1 + m.IntN(4)
	if all && count == 1 {
		count = 2
	}
	if count == 1 && m.IntN(2) == 0 {
		return one()
	}
	var parts []string
	for range count {
		parts = append(parts, one())
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (m maker) item() string {
	neq := m.pick("", "", "", "", "", "|neq")
	field := m.field()
	switch m.IntN(14) {
	case 0:
		return fmt.Sprintf("'%s|exists': %s", field, m.pick("true", "false"))
	case 1:
		return fmt.Sprintf("'%s': null", field)
	case 2:
		return fmt.Sprintf("'%s|cidr%s': %s", field, neq, m.list(func() string { return m.pick("10.0.0.0/8", "10.1.2.3", "'::/64'", "'fe80::/10'") }, false))
	case 3:
		return fmt.Sprintf("'%s|%s%s': %s", field, m.pick("lt", "lte", "gt", "gte"), neq, m.list(func() string { return m.pick("1", "10", "1.5", "-5", "1000") }, false))
	case 4:
		part := m.pick("minute", "hour", "day", "week", "month", "year") + m.pick("", "", "|gt", "|lte")
		return fmt.Sprintf("'%s|%s%s': %s", field, part, neq, m.list(func() string { return m.pick("1", "5", "6", "7", "8", "19", "2024", "23") }, false))
	case 5:
		how := m.pick("", "|startswith", "|endswith", "|contains", "|cased", "|contains|cased")
		return fmt.Sprintf("'%s|fieldref%s%s': %s", field, how, neq, m.list(m.field, false))
	case 6, 7:
		flags := m.pick("", "", "|i", "|m", "|s", "|i|s", "|i|m|s", "|startswith", "|endswith", "|i|contains")
		return fmt.Sprintf("'%s|re%s%s': %s", field, flags, neq, m.list(func() string { return quoteYAML(m.regex(2)) }, false))
	case 8:
		return fmt.Sprintf("'%s': %s", field, m.pick("1", "10", "true", "1.0", "0x0a", "false"))
	case 9:
		chain := m.pick("base64", "base64offset|contains", "base64|contains", "wide|base64offset|contains", "utf16be|base64|contains", "utf16|contains", "windash|base64offset|contains")
		return fmt.Sprintf("'%s|%s%s': %s", field, chain, neq, m.list(func() string { return m.pick("cmd", "c", "'-e'", "abcd") }, false))
	}
	chain := m.pick("", "", "|contains", "|contains", "|startswith", "|endswith", "|contains|windash", "|windash|contains", "|windash",
		"|cased", "|contains|cased", "|cased|endswith|windash", "|contains|expand", "|expand", "|startswith|endswith")
	all := m.pick("", "", "|all")
	return fmt.Sprintf("'%s%s%s%s': %s", field, chain, all, neq, m.list(m.value, all != ""))
}

// regex makes expressions that often match, with all that is rewritten.
func (m maker) regex(depth int) string {
	if depth == 0 {
		return m.pick("cmd", "c", `\\`, "[Cc]", "[a-f]", "[^c]", ".", `\d`, `\s`, "k", "é", "aaaa", "/", "-", "K")
	}
	inner := func() string { return m.regex(depth - 1) }
	switch m.IntN(12) {
	case 0:
		return "(?:" + inner() + ")*" + inner()
	case 1:
		return "(?:" + inner() + "|" + inner() + ")" + inner()
	case 2:
		return "^" + inner()
	case 3:
		return inner() + "$"
	case 4:
		return inner() + ".*" + inner()
	case 5:
		return m.pick(".", "[^/]", "(.)", "[a-z]", `\w`) + m.pick("{3,}", "{4}", "{2,5}", "{8,}")
	case 6:
		return "^" + m.pick(".", "[a-z0-9]", "[^ ]") + m.pick("{1,4}", "{3}", "{3,}") + "$"
	case 7:
		return "(?:" + inner() + ")+"
	case 8:
		return "(?i)" + inner()
	case 9:
		return "(" + inner() + "){2}" + inner()
	case 10:
		return ".*" + inner() + ".*"
	}
	return inner() + inner()
}

func (m maker) search() string {
	switch m.IntN(8) {
	case 0:
		return m.list(m.value, true)
	case 1:
		return fmt.Sprintf("{'|all': %s}", m.list(m.value, true))
	case 2:
		return fmt.Sprintf("[{%s}, {%s}]", m.item(), m.item())
	case 3:
		return fmt.Sprintf("{'|re': %s}", quoteYAML(m.regex(2)))
	}
	items := map[string]bool{}
	var list []string
	for range 1 + m.IntN(3) {
		item := m.item()
		if key, _, _ := strings.Cut(item, "': "); !items[key] {
			items[key] = true
			list = append(list, item)
		}
	}
	return "{" + strings.Join(list, ", ") + "}"
}

func (m maker) condition(depth int) string {
	if depth == 0 {
		return m.pick("sel_a", "sel_b", "fil_c", "_d", "sel_a", "1 of sel_*", "all of sel_*", "1 of them", "all of them", "any of *_c", "ALL OF sel*")
	}
	switch m.IntN(5) {
	case 0:
		return m.condition(depth-1) + " and " + m.condition(depth-1)
	case 1:
		return m.condition(depth-1) + " or " + m.condition(depth-1)
	case 2:
		return "not " + m.condition(depth-1)
	case 3:
		return "(" + m.condition(depth-1) + ") AND not (" + m.condition(depth-1) + ")"
	}
	return m.condition(depth - 1)
}

func (m maker) rule(id int) string {
	condition := quoteYAML(m.condition(m.IntN(4)))
	if m.IntN(8) == 0 {
		condition = "[" + condition + ", " + quoteYAML(m.condition(1)) + "]"
	}
	return fmt.Sprintf(`---
title: made up
id: rule-%d
logsource: {product: test}
detection:
    sel_a: %s
    sel_b: %s
    fil_c: %s
    _d: %s
    condition: %s
`, id, m.search(), m.search(), m.search(), m.search(), condition)
}

func (m maker) record() sigma.Record {
	var r sigma.Record
	for range m.IntN(7) {
		f := event.Field{ID: event.Intern(m.field()), Value: m.text()}
		switch m.IntN(8) {
		case 0:
			f.Kind, f.Value = event.KindNull, ""
		case 1:
			f.Kind, f.Value = event.KindNumber, m.pick("1", "10", "1.0", "1e1", "-5", "1.50", "2024")
		case 2:
			f.Kind, f.Value = event.KindBool, m.pick("true", "false")
		}
		if m.IntN(3) == 0 {
			r.Typed = append(r.Typed, f)
		} else {
			r.Fields = append(r.Fields, f)
		}
	}
	if m.IntN(3) == 0 {
		r.Text = m.text()
	}
	return r
}

var madePlaceholders = map[string][]string{"p": {"cmd*", "1", `a\*b`, "c"}}

// checkMade makes rules and records and compares what the engine says of them
// with what the naive evaluator says.
func checkMade(t *testing.T, seed uint64, rules, records int) (pairs, hits int) {
	t.Helper()
	m := maker{rand.New(rand.NewPCG(seed, 4))}
	var text strings.Builder
	for i := range rules {
		text.WriteString(m.rule(i))
	}
	read := sigma.Parse("made.yml", []byte(text.String()), sigma.Options{Placeholders: madePlaceholders})
	for _, refusal := range read.Refusals {
		t.Fatalf("seed %d: %v", seed, refusal)
	}
	naive, err := parseNaive([]byte(text.String()), madePlaceholders)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	matcher := sigma.Compile(read.Rules).NewMatcher()
	for range records {
		record := m.record()
		got := map[string]bool{}
		matcher.Match(&record, func(h *sigma.Hit) {
			got[h.Rule.ID] = true
			h.Evidence()
		})
		r := newNaiveRecord(append(record.Typed[:len(record.Typed):len(record.Typed)], record.Fields...), record.Text)
		for i := range naive {
			want := naive[i].holds(r)
			if want != got[naive[i].id] {
				t.Fatalf("seed %d: index says %t, the naive evaluator %t of\n%s\nfor %+v",
					seed, !want, want, strings.Split(text.String(), "---\n")[i+1], describe(&record))
			}
			if pairs%50 == 0 && !whyAgrees(read.Rules[i], &record, want) {
				t.Fatalf("seed %d: Why does not say %t of\n%s\nfor %s", seed, want, strings.Split(text.String(), "---\n")[i+1], describe(&record))
			}
			pairs++
		}
		hits += len(got)
	}
	return pairs, hits
}

func describe(r *sigma.Record) string {
	var s strings.Builder
	for _, f := range append(r.Typed[:len(r.Typed):len(r.Typed)], r.Fields...) {
		fmt.Fprintf(&s, "%s(%d)=%q ", f.ID.Name(), f.Kind, f.Value)
	}
	return s.String() + fmt.Sprintf("text=%q", r.Text)
}

// TestAgreesOnMadeUp: the index and the naive evaluator agree on rules and
// records made at random.
func TestAgreesOnMadeUp(t *testing.T) {
	rounds := 400
	if raceEnabled || testing.Short() {
		rounds = 20
	}
	pairs, hits := 0, 0
	for seed := range rounds {
		p, h := checkMade(t, uint64(seed), 40, 60)
		pairs, hits = pairs+p, hits+h
	}
	t.Logf("%d pairs, %d hits", pairs, hits)
	if hits < pairs/20 || hits > pairs*19/20 {
		t.Errorf("%d hits of %d pairs: the records hardly tell rules apart", hits, pairs)
	}
}

// FuzzMatch is TestAgreesOnMadeUp for as long as one likes.
func FuzzMatch(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkMade(t, seed, 10, 20) })
}

func whyAgrees(rule *sigma.Rule, r *sigma.Record, want bool) bool {
	_, holds := sigma.Why(rule, r)
	return holds == want
}
