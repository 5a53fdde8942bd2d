package app

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/event"
)

// tailFilter says what tail shows of all that comes.
type tailFilter struct {
	severity, analytic, verdict, match string
}

func (f *tailFilter) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.severity, "severity", "", "only findings as severe, or more: informational, low, medium, high, critical")
	cmd.Flags().StringVar(&f.analytic, "analytic", "", "only findings of this analytic, as egress.unjustified")
	cmd.Flags().StringVar(&f.verdict, "verdict", "", "only what was judged so: justified, unjustified, unknown")
	cmd.Flags().StringVar(&f.match, "match", "", "only what has this `text` in the name or address of a machine, VM or service")
}

// severities and verdicts by the words for them.
var (
	severities = []event.Severity{
		event.SeverityInformational, event.SeverityLow, event.SeverityMedium,
		event.SeverityHigh, event.SeverityCritical, event.SeverityFatal,
	}
	verdicts = []event.Verdict{event.VerdictJustified, event.VerdictUnjustified, event.VerdictUnknown}
)

// compile gives what holds for the lines to show.
func (f *tailFilter) compile(events bool) (wanted func(line []byte) bool, err error) {
	least, err := oneOf("severity", f.severity, severities)
	if err != nil {
		return nil, err
	}
	verdict, err := oneOf("verdict", f.verdict, verdicts)
	if err != nil {
		return nil, err
	}
	if events && f.severity+f.analytic != "" {
		return nil, fmt.Errorf("--severity and --analytic are for findings: leave out --events")
	}
	if *f == (tailFilter{}) {
		return func([]byte) bool { return true }, nil
	}
	text, analytic := strings.ToLower(f.match), event.Slug(f.analytic)
	judged := func(j *event.Justification) bool { return f.verdict == "" || j.Verdict == verdict }
	if events {
		return func(line []byte) bool {
			ev, err := event.Parse(line)
			return err == nil && judged(&ev.Justification) && has(text, &ev.Device, &ev.Src, &ev.Dst)
		}, nil
	}
	return func(line []byte) bool {
		found, err := event.ParseFinding(line)
		return err == nil && found.Severity >= least && judged(&found.Justification) &&
			(f.analytic == "" || event.Slug(found.Analytic.UID) == analytic) &&
			has(text, &found.Device, &found.Src, &found.Dst)
	}, nil
}

// oneOf finds the value that a flag names; its zero when it names none.
func oneOf[T fmt.Stringer](flag, word string, all []T) (value T, err error) {
	if word == "" {
		return value, nil
	}
	var known []string
	for _, v := range all {
		if strings.EqualFold(v.String(), word) {
			return v, nil
		}
		known = append(known, strings.ToLower(v.String()))
	}
	return value, fmt.Errorf("--%s is %q: must be one of %s", flag, word, strings.Join(known, ", "))
}

// has looks for a text, in lower case, in the names of a connection's ends.
func has(text string, d *event.Device, ends ...*event.Endpoint) bool {
	in := func(s string) bool { return strings.Contains(strings.ToLower(s), text) }
	if text == "" || in(d.Hostname) {
		return true
	}
	for _, p := range ends {
		c := &p.Context
		if in(p.Hostname) || in(p.Service) || p.IP.IsValid() && in(p.IP.String()) ||
			c.VM != nil && in(c.VM.Name) || c.Host != nil && in(c.Host.Name) {
			return true
		}
	}
	return false
}
