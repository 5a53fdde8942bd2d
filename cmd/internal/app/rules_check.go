package app

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/source"
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/configs"
)

func newRulesCheckCommand(std Streams) *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [PATH...]",
		Short: "Say which rules cannot be used, and why",
		Long: `Check reads rules, filters and correlations, and says of each that is refused
where it stands and why. It warns of rules that can be used and can never hold:
their log source is none that the table of log sources has events for, or they
ask for a field that no event of it has, as far as the table knows the fields.

Exit code 0: all can be used; 1: some are refused.`,
		Example: `  vegress rules check
  vegress rules check my-rules/ other.yml
  vegress rules check --json sigma/rules/ | jq -r '.refused[].reason'`,
		Args: argCount(cobra.ArbitraryArgs),
		RunE: func(_ *cobra.Command, args []string) error {
			set, err := ruleSet(file, args)
			if err != nil {
				return err
			}
			checked := checkRules(set)
			if asJSON {
				err = oneJSON(std.Out, checked)
			} else {
				err = checked.write(std.Out)
			}
			if err == nil && len(checked.Refused) > 0 {
				err = said{errors.New("some rules are refused")}
			}
			return err
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&asJSON, "json", false, `write {"compiled":N,"refused":[{"file","line","id","reason"}]} and the warnings alike`)
	return cmd
}

// checkedRules is what check says.
type checkedRules struct {
	Compiled   int             `json:"compiled"` // rules and correlations
	Refused    []sigma.Refusal `json:"refused"`
	Warnings   []sigma.Refusal `json:"warnings"`
	Deprecated int             `json:"deprecated"` // left out for their status
	Disabled   int             `json:"disabled"`   // left out by an override
	Skipped    int             `json:"skipped"`    // documents that are not about Sigma
}

func checkRules(set *stream.Set) *checkedRules {
	c := &checkedRules{
		Compiled: len(set.Rules.Rules) + len(set.Correlations), Refused: set.Refusals, Warnings: []sigma.Refusal{},
		Deprecated: set.Deprecated, Disabled: set.Disabled, Skipped: set.Skipped,
	}
	if c.Refused == nil {
		c.Refused = []sigma.Refusal{}
	}
	for _, rule := range set.Rules.Rules {
		if !isCovered(set.Table, rule) {
			c.warn(rule, fmt.Sprintf("no events for its log source %s: it can never hold", logSource(rule.LogSource)))
		}
		for _, field := range strangeFields(set.Table, rule) {
			c.warn(rule, field)
		}
	}
	return c
}

// strangeFields says which fields of a rule are in no event of its log source.
// It can be told only where the table knows the names of all of them.
func strangeFields(table *source.Table, rule *sigma.Rule) (reasons []string) {
	var known []string
	for _, id := range sourcesOf(table, rule) {
		names, complete := table.Names(id)
		if !complete {
			return nil
		}
		known = append(known, names...)
	}
	if len(known) == 0 {
		return nil
	}
	var told []string
	for _, it := range rule.Items() {
		if it.Field == "" || slices.Contains(known, it.Field) || slices.Contains(told, it.Field) {
			continue
		}
		told = append(told, it.Field)
		reasons = append(reasons, fmt.Sprintf("no event of %s has a field %q%s", logSource(rule.LogSource), it.Field, configs.DidYouMean(it.Field, known)))
	}
	return reasons
}

func (c *checkedRules) warn(rule *sigma.Rule, reason string) {
	c.Warnings = append(c.Warnings, sigma.Refusal{File: rule.File, Line: rule.Line, ID: rule.ID, Reason: reason})
}

// isCovered says that the table has events for a rule.
func isCovered(table *source.Table, rule *sigma.Rule) bool {
	return len(sourcesOf(table, rule)) > 0
}

// sourcesOf gives the sources whose events a rule looks at.
func sourcesOf(table *source.Table, rule *sigma.Rule) []source.ID {
	l := rule.LogSource
	return table.Select(source.Source{Product: l.Product, Category: l.Category, Service: l.Service})
}

// write says all for a person: what is refused last, where it is seen.
func (c *checkedRules) write(to io.Writer) error {
	var failed error
	say := func(format string, args ...any) {
		if _, err := fmt.Fprintf(to, format, args...); failed == nil {
			failed = err
		}
	}
	for _, line := range c.warnings() {
		say("%s\n", plain(line))
	}
	for _, r := range c.Refused {
		say("%s\n", plain(r.Error()))
	}
	say("%s can be used, %d refused, %s", counted(c.Compiled, "rule"), len(c.Refused), counted(len(c.Warnings), "warning"))
	separator := "; left out: "
	for _, left := range []struct {
		n   int
		why string
	}{{c.Deprecated, "deprecated"}, {c.Disabled, "disabled by overrides"}, {c.Skipped, "no rules (cases are none)"}} {
		if left.n > 0 {
			say("%s%d %s", separator, left.n, left.why)
			separator = ", "
		}
	}
	say("\n")
	return failed
}

// warnings puts those together that say the same.
func (c *checkedRules) warnings() []string {
	var lines []string
	count := map[string]int{}
	for _, w := range c.Warnings {
		count[w.Reason]++
	}
	for _, w := range c.Warnings {
		reason, n := w.Reason, count[w.Reason]
		delete(count, reason)
		w.Reason = "warning: " + reason
		if n > 1 {
			w.Reason += fmt.Sprintf(" (and %d more alike)", n-1)
		}
		if n > 0 {
			lines = append(lines, w.Error())
		}
	}
	return lines
}

var techniqueForm = regexp.MustCompile(`(?i)^T\d{4}(\.\d{3})?$`)

func checkTechnique(technique string) error {
	if !techniqueForm.MatchString(technique) {
		return fmt.Errorf("--technique %q is no ATT&CK technique: want T1102 or T1102.001", technique)
	}
	return nil
}
