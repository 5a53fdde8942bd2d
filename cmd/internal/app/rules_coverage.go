package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/coverage"
	"github.com/vegress/vegress/configs/rules"
)

func newRulesCoverageCommand(std Streams) *cobra.Command {
	var file, technique string
	var asJSON, published bool
	top := 20
	cmd := &cobra.Command{
		Use:   "coverage [PATH...]",
		Short: "Say what a set of rules is about: techniques, sources, fields, values",
		Long: `Coverage counts a set of rules: ATT&CK tactics and techniques, log sources, the
events that they look at by provider and id, the fields that they filter most and
how, the values that they look for, and what they leave out. In each table a rule
counts once a row; the different names that vendors have for a field are one row;
REACH is how many rules of the whole set have a value, blank where it is unique.

With --published it prints, as Markdown, which published rules for ATT&CK T1102
the built-in rules cover, and why not the others.`,
		Example: `  vegress rules coverage
  vegress rules coverage --technique T1102 sigma/rules/
  vegress rules coverage --json sigma/rules/ | jq '.exclusions[:10]'
  vegress rules coverage --published > t1102-coverage.md`,
		Args: argCount(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if published {
				if len(args) > 0 || technique != "" {
					return usage(errors.New("--published is about the built-in rules and T1102: it takes no PATH and no --technique"))
				}
				return writePublished(std, asJSON)
			}
			if technique != "" {
				if err := checkTechnique(technique); err != nil {
					return usage(err)
				}
			}
			if top < 0 {
				return usage(fmt.Errorf("--top is %d: want 0, for all, or more", top))
			}
			set, err := ruleSet(file, args)
			if err != nil {
				return err
			}
			if asJSON && !cmd.Flags().Changed("top") {
				top = 0
			}
			report := coverage.Compute(set.Rules, set.Table, coverage.Options{Technique: technique})
			report.Cut(top)
			if asJSON {
				return oneJSON(std.Out, report)
			}
			_, err = std.Out.Write(coverageTables(report))
			return err
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&technique, "technique", "", "only rules of this ATT&CK technique, with its sub-techniques: T1102")
	cmd.Flags().IntVar(&top, "top", top, "rows of each table; 0: all, which is the default of --json")
	cmd.Flags().BoolVar(&published, "published", false, "print the page of published rules for T1102 and ours")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object; with --published an array")
	return cmd
}

// Widths of columns; --json has all of a text.
const (
	widestValue = 60
	widestNames = 50
)

// coverageTables is a report for a person.
func coverageTables(r *coverage.Report) []byte {
	var out bytes.Buffer
	if r.Technique == "" {
		fmt.Fprintf(&out, "%s, %d of them without a technique\n", counted(r.Rules, "rule"), r.Untagged)
	} else {
		fmt.Fprintf(&out, "%d of %s for %s\n", r.Rules, counted(r.Of, "rule"), r.Technique)
	}
	table := func(title, head string, n int, row func(i int) string) {
		fmt.Fprintf(&out, "\n%s\n", title)
		w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, head)
		for i := range n {
			fmt.Fprintln(w, row(i))
		}
		_ = w.Flush() // into memory
	}
	counts := func(title, head string, rows []coverage.Count) {
		table(title, "RULES\t"+head, len(rows), func(i int) string { return fmt.Sprintf("%d\t%s", rows[i].Rules, cut(rows[i].Name, widestValue)) })
	}
	counts("Levels", "LEVEL", r.Levels)
	counts("Tactics", "TACTIC", r.Tactics)
	counts("Techniques", "TECHNIQUE", r.Techniques)
	table("Log sources", "RULES\tPRODUCT\tCATEGORY\tSERVICE\tEVENTS", len(r.Sources), func(i int) string {
		s := &r.Sources[i]
		return fmt.Sprintf("%d\t%s\t%s\t%s\t%s", s.Rules, cut(s.Product, widestNames), cut(s.Category, widestNames), cut(s.Service, widestNames), yesNo(s.Known))
	})
	table("Events", "RULES\tPROVIDER\tID", len(r.Events), func(i int) string {
		return fmt.Sprintf("%d\t%s\t%s", r.Events[i].Rules, cut(r.Events[i].Provider, widestValue), cut(r.Events[i].ID, widestValue))
	})
	table("Fields filtered most", "ASK\tLEAVE OUT\tFIELD\tAS\tOPERATORS\tVALUES", len(r.Fields), func(i int) string {
		f := &r.Fields[i]
		return fmt.Sprintf("%d\t%d\t%s\t%s\t%s\t%s", f.Filtering, f.Excluding, cut(f.Name, widestNames), cut(strings.Join(f.As, " "), widestNames),
			cut(operatorWords(f.Operators), widestNames), cut("'"+strings.Join(f.Samples, "' '")+"'", widestValue))
	})
	values := func(title string, rows []coverage.Value) {
		table(title, "RULES\tREACH\tFIELD\tOPERATOR\tVALUE", len(rows), func(i int) string {
			v := &rows[i]
			reach := ""
			if v.Reach > 0 {
				reach = strconv.Itoa(v.Reach)
			}
			return fmt.Sprintf("%d\t%s\t%s\t%s\t%s", v.Rules, reach, cut(v.Field, widestNames), cut(v.Operator, widestNames), tableValue(v.Value))
		})
	}
	values("Values looked for", r.Values)
	values("Left out", r.Exclusions)
	return out.Bytes()
}

// tableValue shows blanks at the ends of a value.
func tableValue(value string) string {
	if value != strings.TrimSpace(value) {
		value = "'" + value + "'"
	}
	return cut(value, widestValue)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "none"
}

func operatorWords(operators []coverage.Count) string {
	words := make([]string, len(operators))
	for i, o := range operators {
		words[i] = fmt.Sprintf("%s %d", o.Name, o.Rules)
	}
	return strings.Join(words, ", ")
}

// writePublished prints docs/t1102-coverage.md.
func writePublished(std Streams, asJSON bool) error {
	content, err := fs.ReadFile(rules.Files, "t1102.yml")
	if err != nil {
		return err
	}
	list, err := coverage.ParsePublished(content, sigma.Load(rules.Files, []string{"."}, sigma.Options{}))
	if err != nil {
		return err
	}
	if asJSON {
		return oneJSON(std.Out, list)
	}
	_, err = std.Out.Write(publishedPage(list))
	return err
}

func publishedPage(list []coverage.Published) []byte {
	var out bytes.Buffer
	out.WriteString("# Published rules for ATT&CK T1102, and ours\n\n" +
		"The published detection rules for [T1102, Web Service](https://attack.mitre.org/techniques/T1102/), and what covers each here. " +
		"This page is what `vegress rules coverage --published` prints, from `configs/rules/t1102.yml`; " +
		"the rules are in `configs/rules/web_service` ([rules.md](rules.md)).\n\n| verdict | rules | meaning |\n|---|---|---|\n")
	for _, verdict := range coverage.Verdicts {
		n := 0
		for _, p := range list {
			if p.Verdict == verdict.Name {
				n++
			}
		}
		fmt.Fprintf(&out, "| %s | %d | %s |\n", verdict.Name, n, verdict.Meaning)
	}
	out.WriteString("\n| # | vendor | rule | platform | verdict | covered by | note |\n|---|---|---|---|---|---|---|\n")
	for i, p := range list {
		by := make([]string, len(p.By), len(p.By)+1)
		for k := range p.By {
			by[k] = "`" + p.By[k] + "`"
		}
		if p.Analytic != "" {
			by = append(by, "[`"+p.Analytic+"`](analytics.md)")
		}
		fmt.Fprintf(&out, "| %d | %s | %s | %s | %s | %s | %s |\n", i+1, p.Vendor, p.Title, p.Platform, p.Verdict, strings.Join(by, ", "), p.Note)
	}
	return out.Bytes()
}
