package sigma_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/sigma"
)

// write spells a rule's logic out.
func write(l sigma.Logic) string {
	var parts []string
	for _, part := range l.Parts() {
		parts = append(parts, write(part))
	}
	switch l.Operator() {
	case sigma.OperatorAnd:
		return "(" + strings.Join(parts, " and ") + ")"
	case sigma.OperatorOr:
		return "(" + strings.Join(parts, " or ") + ")"
	case sigma.OperatorNot:
		return "not " + parts[0]
	}
	t := l.Test()
	switch t.Kind {
	case sigma.TestText:
		var values []string
		for _, p := range t.Patterns {
			value := ""
			for _, piece := range p {
				value += map[sigma.PieceKind]string{sigma.PieceOne: "?", sigma.PieceMany: "*"}[piece.Kind] + piece.Text
			}
			values = append(values, value)
		}
		return fmt.Sprintf("%s~%q cased=%t dash=%t", t.Field, values, t.Cased, t.Windash)
	case sigma.TestRegex:
		return t.Field + "~/" + t.Regex + "/"
	case sigma.TestCIDR:
		return fmt.Sprint(t.Field, " in ", t.Prefixes)
	case sigma.TestNumber:
		return fmt.Sprint(t.DatePart, " ", t.Field, t.Compare, t.Numbers)
	case sigma.TestRef:
		return fmt.Sprint(t.Field, " like ", t.Other, " ", t.Shape)
	case sigma.TestPresent:
		return t.Field + " present"
	}
	return t.Field + " exists"
}

func TestLogic(t *testing.T) {
	tests := []struct{ search, condition, want string }{
		{"Image: 'C:\\Über\\\\*.EXE'", "s", `Image~["C:\\Über\\*.EXE"] cased=false dash=false`},
		{"Image|endswith: [\\Cmd.exe, \\sh]", "not s", `not Image~["*\\Cmd.exe" "*\\sh"] cased=false dash=false`},
		{"Image|contains: a?B", "s", `Image~["*a?B*"] cased=false dash=false`},
		{"C|contains|windash|all: [' /A', ' –b']", "s", `(C~["* /A*"] cased=false dash=true and C~["* –b*"] cased=false dash=true)`},
		{"C|cased: aB", "s", `C~["aB"] cased=true dash=false`},
		{"C: ['', '*']", "s", `C~["" "*"] cased=false dash=false`},
		{"C: null", "s", "not C present"},
		{"C|exists: false", "s", "not C exists"},
		{"C|neq: x", "s", `not C~["x"] cased=false dash=false`},
		{"C|re|i: '^a[0-9]b'", "s", "C~/(?i)^a[0-9]b/"},
		{"C|cidr: [10.1.2.3/8, '::1']", "s", "C in [10.0.0.0/8 ::1/128]"},
		{"C|gte: [1, 2.50]", "s", " C>=[1 2.5]"},
		{"C|hour: 7", "s", "hour C=[7]"},
		{"C|hour|lt: 7", "s", "hour C<[7]"},
		{"C|fieldref|startswith: D", "s", "C like D 1"},
		{"x: 1\n  y: 2", "s or not s", `((x~["1"] cased=false dash=false and y~["2"] cased=false dash=false) or not (x~["1"] cased=false dash=false and y~["2"] cased=false dash=false))`},
	}
	for _, test := range tests {
		t.Run(test.search, func(t *testing.T) {
			rule := parseOne(t, "s:\n  "+test.search+"\ncondition: "+test.condition)
			if got := write(rule.Logic()); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if rule.Logic().Operator() == sigma.OperatorTest && rule.Logic().Selection() != "s" {
				t.Errorf("selection %q", rule.Logic().Selection())
			}
		})
	}
}
