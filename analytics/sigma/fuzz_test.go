package sigma_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/sigma"
)

// FuzzParse: whatever a file has, reading it ends, and what was accepted
// compiles and can be evaluated.
func FuzzParse(f *testing.F) {
	f.Add(oneRule("a:\n    F|contains|windash: [x, '*y?']\n    G|re: 'a.*b'\nb: [k, {H: null}]\ncondition: a and not 1 of b*"))
	f.Add("title: c\nname: c\ncorrelation:\n    type: value_count\n    rules: [t]\n    group-by: [a]\n    timespan: 5m\n    condition: {gte: 3, field: x}\n    aliases: {a: {t: F}}\n---\n" + oneRule("a: {F: x}\ncondition: a"))
	f.Add("title: f\nlogsource: {product: test}\nfilter:\n    rules: [t]\n    s: {F|cidr: 10.0.0.0/8}\n    condition: s\n---\n" + oneRule("a: {F|hour|gt: 3}\ncondition: a"))
	f.Add("a: &a [*a]\n---\nb: *a\n--- {}\n...\n%YAML 1.1")
	f.Fuzz(func(t *testing.T, text string) {
		read := sigma.Parse("f.yml", []byte(text), sigma.Options{Placeholders: madePlaceholders})
		r := record("F=x; G=ab; H=-y/; F; =k")
		sigma.Compile(read.Rules).NewMatcher().Match(&r, func(h *sigma.Hit) { h.Evidence() })
	})
}

// FuzzCondition: a condition is refused, or says what the naive reader says.
func FuzzCondition(f *testing.F) {
	for _, seed := range []string{"a and not b or c", "1 of a*", "all of them", "not (a or (b and c))", "a | count() > 1", "((((a", "NOT a", "any of *c*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, condition string) {
		if strings.ContainsAny(condition, "|\x00\uFEFF\u0085") || strings.ToValidUTF8(condition, "") != condition {
			return
		}
		text := oneRule("a: {F: a}\nab: {G: b}\nc: {H: c}\n_d: {I: d}\ncondition: " + quoteYAML(condition))
		read := sigma.Parse("f.yml", []byte(text), sigma.Options{})
		if len(read.Rules) == 0 || strings.Contains(strings.ToLower(condition), "of _") {
			return
		}
		naive, err := parseNaive([]byte(text), nil)
		if err != nil {
			t.Skip(err)
		}
		for i := range 16 {
			r := record(strings.Join([]string{[]string{"", "F=a"}[i&1], []string{"", "G=b"}[i>>1&1], []string{"", "H=c"}[i>>2&1], []string{"", "I=d"}[i>>3&1]}, "; "))
			if got, want := holds(read.Rules[0], r), naive[0].holds(newNaiveRecord(r.Fields, "")); got != want {
				t.Errorf("%q of %v: %t, naively %t", condition, describe(&r), got, want)
			}
		}
	})
}

// FuzzWildcard: a value of a rule matches what the naive matcher matches.
func FuzzWildcard(f *testing.F) {
	for _, seed := range [][2]string{{"a*b?c", "axxbyc"}, {`\*`, "*"}, {`\\*`, `\x`}, {"*é?", "É日"}, {"a**b", "ab"}, {"", ""}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if strings.Count(pattern, "*") > 6 || len(text) > 200 {
			return // the naive matcher tries every way
		}
		detection := oneRule("a:\n    F: " + quoteYAML(pattern) + "\ncondition: a")
		read := sigma.Parse("f.yml", []byte(detection), sigma.Options{})
		naive, err := parseNaive([]byte(detection), nil)
		if len(read.Rules) == 0 || err != nil {
			return // no YAML
		}
		r := record("")
		r.Fields = record("F=").Fields
		r.Fields[0].Value = text
		if got, want := holds(read.Rules[0], r), naive[0].holds(newNaiveRecord(r.Fields, "")); got != want {
			t.Errorf("%q on %q: %t, naively %t", pattern, text, got, want)
		}
	})
}

// FuzzRegex: an expression that was rewritten or gated matches what it
// matched before.
func FuzzRegex(f *testing.F) {
	for _, seed := range [][2]string{
		{".{3,}", "abc"}, {"[^/]{3,}$", "a/bcd"}, {"a.*b.*c", "a b c"}, {"^abc$", "abc"}, {"(?i)K[Ss]x+", "\u212aſxx"},
		{"(?:ab|cd)?e{2,3}", "cdee"}, {`\s[a-f0-9]{8}\s`, " 0123abcd "}, {"(?s)a.b", "a\nb"}, {"(?m)^b$", "a\nb"}, {"", ""},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, source, text string) {
		detection := oneRule("a:\n    F|re: " + quoteYAML(source) + "\ncondition: a")
		read := sigma.Parse("f.yml", []byte(detection), sigma.Options{})
		re, err := regexp.Compile(source)
		if len(read.Rules) == 0 || err != nil {
			return
		}
		naive, err := parseNaive([]byte(detection), nil)
		if err != nil || len(naive[0].searches) != 1 {
			return
		}
		r := record("F=")
		r.Fields[0].Value = text
		if want := re.MatchString(text); want != naive[0].holds(newNaiveRecord(r.Fields, "")) {
			return // YAML reads the source otherwise
		} else if got := holds(read.Rules[0], r); got != want {
			t.Errorf("%q on %q: %t, want %t", source, text, got, want)
		}
	})
}
