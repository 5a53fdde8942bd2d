package export_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/export"
	"github.com/vegress/vegress/event"
)

// trialTables names the fields A, B and C as they are; N is a number and I an
// address there.
func trialTables(t testing.TB) *export.Tables {
	t.Helper()
	known, err := export.Load(fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range export.Languages() {
		from := map[string]string{"aql": "", "yaral": ""}
		name := func(name string) string {
			if language == "aql" {
				return `'"` + name + `"'`
			}
			return name
		}
		text := "language: " + language + "\nsources:\n  - products: [trial]\n"
		if _, none := from[language]; !none {
			text += "    from: FROM\n"
		}
		text += fmt.Sprintf("    fields: {A: %s, B: %s, C: %s, N: {name: %s, type: number}, I: {name: %s, type: ip}}\n",
			name("A"), name("B"), name("C"), name("N"), name("I"))
		if err := known.Add(language, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return known
}

// conditions takes a query apart into conditions, each with its dialect.
func conditions(t testing.TB, language, query string) (parts [][2]string) {
	t.Helper()
	lines := strings.Split(query, "\n")
	add := func(dialect, text string, starts ...string) {
		for _, start := range starts {
			if rest, ok := strings.CutPrefix(text, start); ok {
				parts = append(parts, [2]string{dialect, rest})
				return
			}
		}
		t.Fatalf("line %q of a query:\n%s", text, query)
	}
	switch language {
	case "yaral":
		first := slices.Index(lines, "  events:") + 1
		for _, line := range lines[first : len(lines)-3] {
			add(language, line, "    ")
		}
		return parts
	case "aql":
		for _, line := range lines[1 : len(lines)-1] {
			add(language, line, "WHERE ", "  AND ")
		}
		return parts
	}
	for _, line := range lines[1:] {
		switch {
		case language == "spl" && strings.HasPrefix(line, "| where "):
			add("spl where", line, "| where ")
		case language == "spl":
			add(language, line, "")
		default:
			add(language, line, "| where ", "| WHERE ", "| ")
		}
	}
	return parts
}

// holds evaluates a query on a record.
func holds(t testing.TB, language, query string, record map[string]string) bool {
	t.Helper()
	for _, part := range conditions(t, language, query) {
		result, err := dialects[part[0]].evaluate(part[1], record)
		if err != nil {
			t.Fatalf("%v in:\n%s", err, query)
		}
		if result != true {
			return false
		}
	}
	return true
}

// maker makes rules and records at random, of characters that mean something
// somewhere.
type maker struct {
	*rand.Rand
	literals []string // of the rule at hand, for records that come near it
}

const characters = "aAbB09 \\\\**??\"\"''``//%_()[]{}|$^.+-–&~#@<>=,:;!éÉßяЯ日"

func (m *maker) text(most int) string {
	all := []rune(characters)
	var b strings.Builder
	for range 1 + m.IntN(most) {
		b.WriteRune(all[m.IntN(len(all))])
	}
	if m.IntN(12) == 0 {
		b.WriteString([]string{"\n", "\t", "\x1b", "\" or 1==1 //", "' OR 1=1 --", "/ or true", "\r\n| where true"}[m.IntN(7)])
	}
	m.literals = append(m.literals, b.String())
	return b.String()
}

func (m *maker) pick(some ...string) string { return some[m.IntN(len(some))] }

// item makes one line of a search.
func (m *maker) item() (string, any) {
	field := m.pick("A", "B", "C")
	switch m.IntN(14) {
	case 0:
		return m.pick("N", "A") + "|" + m.pick("lt", "lte", "gt", "gte"), m.IntN(20) - 5
	case 1:
		return "N", m.IntN(10)
	case 2:
		return "N|" + m.pick("contains", "startswith", "endswith"), m.pick("1", "2", "0")
	case 3:
		return "I|cidr", []string{m.pick("10.0.0.0/8", "192.0.2.0/25"), m.pick("198.51.100.7", "10.1.0.0/16")}
	case 4:
		return field, nil
	case 5:
		return field + "|exists", m.IntN(2) == 0
	case 6:
		return field + "|fieldref" + m.pick("", "|cased", "|startswith", "|endswith", "|contains"), m.pick("A", "B", "C")
	case 7, 8:
		return field + "|re" + m.pick("", "|i", "|s"), m.regex()
	}
	modifiers := m.pick("", "|contains", "|startswith", "|endswith") + m.pick("", "", "", "|cased", "|windash", "|neq")
	if m.IntN(3) == 0 {
		return field + modifiers, m.text(5)
	}
	if m.IntN(3) == 0 && !strings.Contains(modifiers, "neq") {
		return field + modifiers + "|all", []string{m.text(3), m.text(3)}
	}
	return field + modifiers, []string{m.text(5), m.text(3), m.text(4)}
}

func (m *maker) regex() string {
	atom := func() string {
		return m.pick("a", "B", "[a-b]", "[^a/]", ".", `\.`, `\\`, `\d`, `\s`, `\w`, "é", `"`, "'", "/", "`", "(a|B)", "(?:/|b)?", "b+", "a*", ".*", "a{1,2}",
			"(^|b)", "(a|$)", "[[:alpha:]]", `\x41`, `\Q*\E`, "#", "&", "~", `[\]"-]`, `\n`)
	}
	source := m.pick("", "", "^")
	for range 1 + m.IntN(4) {
		source += atom()
	}
	return source + m.pick("", "", "$")
}

// rule makes a rule, as the part of YAML that is JSON.
func (m *maker) rule(t testing.TB) string {
	m.literals = nil
	detection := map[string]any{}
	var names []string
	for i := range 1 + m.IntN(3) {
		search := map[string]any{}
		for range 1 + m.IntN(2) {
			key, value := m.item()
			search[key] = value
		}
		names = append(names, fmt.Sprintf("s%d", i))
		detection[names[i]] = search
	}
	condition := ""
	for i, name := range names {
		if i > 0 {
			condition += m.pick(" and ", " or ")
		}
		condition += m.pick("", "", "not ") + name
	}
	if m.IntN(3) == 0 {
		condition = "not (" + condition + ")"
	}
	detection["condition"] = condition
	text, err := json.Marshal(map[string]any{"title": "t", "logsource": map[string]string{"product": "trial"}, "detection": detection})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// record makes a record that comes near the rule made last.
func (m *maker) record() map[string]string {
	record := map[string]string{}
	for _, name := range []string{"A", "B", "C"} {
		if m.IntN(4) == 0 {
			continue
		}
		value := m.text(4)
		if len(m.literals) > 1 && m.IntN(4) > 0 {
			value = strings.NewReplacer(`\*`, "*", `\?`, "?", `\\`, `\`, "*", m.pick("", "x\ny"), "?", m.pick("é", "q")).Replace(m.literals[m.IntN(len(m.literals)-1)])
		}
		if m.IntN(3) == 0 {
			value = m.pick("a", "Q ", "") + value + m.pick("", "b", " /")
		}
		if m.IntN(3) == 0 {
			value = strings.ToUpper(strings.ReplaceAll(value, "ß", "s"))
		}
		if value != "" {
			record[name] = value
		}
	}
	if n := m.IntN(22) - 5; n != 0 { // which YARA-L does not tell from none
		record["N"] = fmt.Sprint(n)
	}
	if m.IntN(4) > 0 {
		record["I"] = m.pick("10.2.3.4", "10.1.9.9", "192.0.2.1", "192.0.2.200", "198.51.100.7", "2001:db8::1")
	}
	return record
}

func sigmaHolds(rule *sigma.Rule, record map[string]string) bool {
	var r sigma.Record
	for _, name := range slices.Sorted(maps.Keys(record)) {
		r.Fields = append(r.Fields, event.Field{ID: event.Intern(name), Value: record[name]})
	}
	held := false
	sigma.Compile([]*sigma.Rule{rule}).NewMatcher().Match(&r, func(*sigma.Hit) { held = true })
	return held
}

// TestAgree: queries say of records what their rules say.
func TestAgree(t *testing.T) {
	known := trialTables(t)
	const rules = 600
	for _, language := range export.Languages() {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			m := &maker{Rand: rand.New(rand.NewPCG(1, uint64(language[0])))}
			e := exporter(t, language, known, export.StrictFields)
			written, held := 0, 0
			for range rules {
				text := m.rule(t)
				read := sigma.Parse("rule.yml", []byte(text), sigma.Options{})
				if len(read.Rules) == 0 {
					continue
				}
				query, err := e.Export(read.Rules[0])
				if err != nil {
					continue
				}
				written++
				for range 8 {
					record := m.record()
					want := sigmaHolds(read.Rules[0], record)
					if want {
						held++
					}
					if got := holds(t, language, query.Text, record); got != want {
						t.Fatalf("holds = %t, want %t\nrecord %q\n%s\n%s", got, want, record, query.Text, text)
					}
				}
			}
			t.Logf("%d of %d rules written; %d of %d records held", written, rules, held, 8*written)
			if written < rules/3 || held < written {
				t.Errorf("%d of %d rules written, %d records held: too few to tell", written, rules, held)
			}
		})
	}
}
