package app

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Bounds of what why shows of one line; --json has all of it.
const (
	maxWhyValues = 6
	widestWhy    = 200
)

// text is the answer for a person.
func (a *whyAnswer) text() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s, event %d: %q %s\n", plain(a.File), a.Event, plain(a.Title), holdsWord(a.Holds))
	fmt.Fprintf(&out, "  log source  %s", cut(a.LogSource, widestWhy))
	switch {
	case !a.Shown && len(a.EventIs) == 0:
		fmt.Fprint(&out, "; the event is of no log source that is known: the rule is not shown to it")
	case !a.Shown:
		fmt.Fprintf(&out, "; the event is of %s: the rule is not shown to it", cut(strings.Join(a.EventIs, ", "), widestWhy))
	}
	fmt.Fprintln(&out)
	for _, condition := range a.Condition {
		fmt.Fprintf(&out, "  condition   %s\n", cut(strings.TrimSpace(condition), widestWhy))
	}
	for i := range a.Selections {
		a.Selections[i].write(&out, a.Holds)
	}
	return out.Bytes()
}

func holdsWord(holds bool) string {
	if holds {
		return "holds"
	}
	return "does not hold"
}

// write marks with "x" what may stand in the way of a rule that does not hold:
// a search that is wanted and does not hold, or one that is not wanted and
// does.
func (s *whySearch) write(out io.Writer, ruleHolds bool) {
	note := ""
	mark := "x"
	switch {
	case s.Holds != s.Excluded:
		mark = "+"
	case ruleHolds:
		mark = "-"
	}
	if s.Excluded {
		note = ", and must not"
	}
	fmt.Fprintf(out, "  %s %s %s%s\n", mark, cut(s.Name, widestWhy), holdsWord(s.Holds), note)
	for i, lines := range s.Alternatives {
		if len(s.Alternatives) > 1 {
			fmt.Fprintf(out, "      %s\n", alternativeWord(i))
		}
		for k := range lines {
			lines[k].write(out)
		}
	}
}

func alternativeWord(i int) string {
	if i == 0 {
		return "either"
	}
	return "or"
}

func (l *whyLine) write(out io.Writer) {
	name := l.Field
	if name == "" {
		name = "(anywhere)"
	}
	name = strings.Join(append([]string{name}, l.Modifiers...), "|")
	word := "yes"
	if !l.Holds {
		word = "no "
	}
	fmt.Fprintf(out, "      %s %s\n", word, cut(name, widestWhy))
	fmt.Fprintf(out, "            wanted  %s\n", l.wantedWords())
	fmt.Fprintf(out, "            there   %s\n", l.thereWords())
}

// wantedWords shows the values that hold, and where all must the ones that do
// not, before the others.
func (l *whyLine) wantedWords() string {
	first := !slices.Contains(l.Modifiers, "all") || l.Holds
	values := slices.Clone(l.Wanted)
	slices.SortStableFunc(values, func(a, b whyWanted) int {
		switch {
		case a.Holds == b.Holds:
			return 0
		case a.Holds == first:
			return -1
		}
		return 1
	})
	var words []string
	for i, v := range values {
		if i == maxWhyValues {
			words = append(words, fmt.Sprintf("and %d more", len(values)-i))
			break
		}
		word := "null"
		if v.Value != nil {
			word = shownValue(*v.Value)
		}
		if len(values) > 1 && v.Holds {
			word += " (holds)"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func (l *whyLine) thereWords() string {
	var words []string
	for i, value := range l.There {
		if i == maxWhyValues {
			words = append(words, fmt.Sprintf("and %d more", len(l.There)-i))
			break
		}
		words = append(words, shownValue(value))
	}
	switch {
	case l.Null:
		words = append(words, "null")
	case len(words) == 0 && l.Field == "":
		words = append(words, "in no value of the record")
	case len(words) == 0:
		words = append(words, "no such field")
	}
	return strings.Join(words, ", ")
}

// shownValue is a value in quotation marks, with its backslashes as they are.
func shownValue(value string) string {
	text := plain(value)
	if runes := []rune(text); len(runes) > widestWhy {
		text = string(runes[:widestWhy-1]) + "…"
	}
	return "'" + text + "'"
}

// sum tells of several events together.
func (w *why) sum(to io.Writer) {
	if w.events > 1 {
		fmt.Fprintf(to, "\nit holds for %d of %s\n", w.held, counted(w.events, "event"))
	}
}
