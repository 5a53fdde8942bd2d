package configs

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Fault is one thing that is wrong with a configuration: the key, its value
// where that says something, and what to do.
type Fault struct {
	// File that the value stands in, or the environment variable that it comes
	// from; empty: neither, it is a default.
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"` // in File; 0: not known
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Reason string `json:"reason"`
	// Warning: it works, but most likely not as it is meant.
	Warning bool `json:"warning,omitempty"`
	// Unreadable is a file that the configuration names: the configuration
	// itself may be good.
	Unreadable bool `json:"-"`
}

// String is the fault on one line.
func (f Fault) String() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		if f.Line > 0 {
			b.WriteString(":" + strconv.Itoa(f.Line))
		}
		b.WriteString(": ")
	}
	if f.Warning {
		b.WriteString("warning: ")
	}
	for _, part := range []string{f.Key, f.Value} {
		if part != "" {
			b.WriteString(part + ": ")
		}
	}
	b.WriteString(f.Reason)
	return b.String()
}

// Faults are all that is wrong, as an error. Its text has a line for each.
type Faults []Fault

// Error gives a line for each fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].String()
	}
	return strings.Join(lines, "\n")
}

// Split takes the faults apart from what is only a warning. The error is nil
// when there is no fault.
func (f Faults) Split() (warnings Faults, err error) {
	var wrong Faults
	for _, one := range f {
		if one.Warning {
			warnings = append(warnings, one)
		} else {
			wrong = append(wrong, one)
		}
	}
	if len(wrong) == 0 {
		return warnings, nil
	}
	return warnings, wrong
}

// OnlyFiles says that the configuration is good, and files that it names are
// not.
func (f Faults) OnlyFiles() bool {
	for _, one := range f {
		if !one.Unreadable {
			return false
		}
	}
	return true
}

// without leaves out what concerns a key that others are about already: it
// may follow from them.
func (f Faults) without(others Faults) (all Faults) {
	for _, one := range f {
		if !slices.ContainsFunc(others, func(other Fault) bool {
			return one.Key != "" && other.Key != "" && (within(one.Key, other.Key) || within(other.Key, one.Key))
		}) {
			all = append(all, one)
		}
	}
	return all
}

// within says that a key is another one or lies below it.
func within(key, of string) bool {
	rest, below := strings.CutPrefix(key, of)
	return below && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// keyed is how the rooms write their errors: the key, the value, what is
// wrong.
var keyed = regexp.MustCompile(`^([A-Za-z0-9_]+(?:\[\d+\])?(?:\.[A-Za-z0-9_]+(?:\[\d+\])?)*)(?: is |: | )` +
	`(?:("(?:[^"\\]|\\.)*"|-?\d[^\s:,]*)(?:[:,] | ))?(.+)$`)

// faults takes an error of a room apart, all that is joined in it.
func faults(err error) (all Faults) {
	for _, one := range leaves(err) {
		text := strings.Join(strings.Fields(one.Error()), " ")
		if part := keyed.FindStringSubmatch(text); part != nil {
			all = append(all, Fault{Key: part[1], Value: part[2], Reason: part[3]})
		} else {
			all = append(all, Fault{Reason: text})
		}
	}
	return all
}

// leaves are the errors that are joined in err.
func leaves(err error) []error {
	if err == nil {
		return nil
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []error{err}
	}
	var all []error
	for _, one := range joined.Unwrap() {
		all = append(all, leaves(one)...)
	}
	return all
}

// urlUser is what stands before the @ of a URL, anywhere in a text.
var urlUser = regexp.MustCompile(`://[^/\s"@]*@`)

// clean keeps user names and passwords in URLs out of what is said.
func (f Fault) clean() Fault {
	f.Value = urlUser.ReplaceAllString(f.Value, "://***@")
	f.Reason = urlUser.ReplaceAllString(f.Reason, "://***@")
	return f
}

// DidYouMean is "; did you mean X?" with what of known is most like word, or
// nothing when nothing is.
func DidYouMean(word string, known []string) string {
	best, least := "", max(2, len(word)/3)+1
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// maxWord bounds what is compared letter by letter.
const maxWord = 64

// distance is how many letters have to be changed, put in, taken out or
// exchanged with their neighbour to make b of a.
func distance(a, b string) int {
	if len(a) > maxWord || len(b) > maxWord {
		return maxWord
	}
	var before, last, row [maxWord + 1]int
	for j := range row {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
