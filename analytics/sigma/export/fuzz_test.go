package export_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/export"
)

// folds says that text has letters for which lower case and Unicode's simple
// folding are not the same, such as the long s and the Kelvin sign.
func folds(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool {
		other := unicode.SimpleFold(r)
		return other != r && (unicode.SimpleFold(other) != r || unicode.ToLower(r) != unicode.ToLower(other) || r == 'k' || r == 'K' || r == 's' || r == 'S') &&
			r > unicode.MaxASCII
	}) >= 0
}

// FuzzExport: whatever stands in a value or a title, it stays in its literal
// and its comment, and means what it means in the rule.
func FuzzExport(f *testing.F) {
	for i, value := range []string{
		`C:\Windows\*`, `\\?\x\\*`, `" or 1==1 //`, `' OR 1=1 --`, "`| delete", "/ or x=/", `a\`, `\"`, `\\"`, `%`, `_`, `100%_\`, "a\nb", "x\r\n| where true", "\x1b[0m",
		`*`, `?`, `\*`, `a*b?c`, "\u2028", "\u0085", "``` ```", "*/ x /*", "–a /b", `(?i)x`, `[a]`, "{x}", "$e", "#event", "é", "日本", "\\Q", `'''`, `"""`, "-- x", "\ufeff",
	} {
		f.Add(value, uint8(i))
	}
	known := trialTables(f)
	exporters := map[string]*export.Exporter{}
	for _, language := range export.Languages() {
		exporters[language] = exporter(f, language, known, export.StrictFields)
	}
	modifiers := []string{"", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased", "|windash", "|contains|windash", "|re", "|re|i"}
	f.Fuzz(func(t *testing.T, value string, modifier uint8) {
		if !utf8.ValidString(value) || len(value) > 200 || folds(value) {
			t.Skip()
		}
		key := "A" + modifiers[int(modifier)%len(modifiers)]
		text, err := json.Marshal(map[string]any{
			"title": "t " + value, "description": value, "logsource": map[string]string{"product": "trial"},
			"detection": map[string]any{
				"s": map[string]any{key: value}, "u": map[string]any{strings.Replace(key, "A", "B", 1): []string{value, "x" + value}},
				"condition": "s or not u",
			},
		})
		if err != nil {
			t.Skip()
		}
		read := sigma.Parse("rule.yml", text, sigma.Options{})
		if len(read.Rules) != 1 {
			t.Skip()
		}
		records := []map[string]string{{}, {"A": "q"}, {"B": "x" + value}, {"B": "q"}, {"A": value, "B": value}, {"A": "é" + value + "b", "B": "x"}}
		if value == "" {
			records = records[:2]
		}
		for language, e := range exporters {
			if comment := e.Comment(value); strings.ContainsAny(comment, "\n\r\x00\u2028\u2029\u0085") || !strings.HasPrefix(comment, e.Comment("")[:2]) {
				t.Errorf("%s: comment %q", language, comment)
			}
			query, err := e.Export(read.Rules[0])
			if err != nil {
				continue
			}
			for _, record := range records {
				if value == "" && (language == "kql" || language == "yaral") {
					continue // an empty field and an absent one are the same there
				}
				if got, want := holds(t, language, query.Text, record), sigmaHolds(read.Rules[0], record); got != want {
					t.Errorf("%s holds = %t, want %t\nrecord %q\n%s\n%s", language, got, want, record, query.Text, text)
				}
			}
		}
	})
}
