package app

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/export"
	tables "github.com/vegress/vegress/configs/sigma/export"
	"github.com/vegress/vegress/event"
)

func newRulesExportCommand(std Streams) *cobra.Command {
	var x rulesExport
	cmd := &cobra.Command{
		Use:   "export --to LANGUAGE [PATH...]",
		Short: "Write rules as queries of another system",
		Long: `Export writes Sigma rules as queries: of Microsoft Sentinel and Defender XDR
(kql), Splunk (spl), Elastic (elastic: ES|QL), IBM QRadar (aql), Sumo Logic
(sumo), Google Security Operations (yaral: YARA-L 2.0) and CrowdStrike LogScale
(logscale). PATH is files, folders and archives of rules; without one it is the
rules that the configuration has, built-in ones included. Overrides, filters and
placeholders of the configuration hold for them too.

A query says what the rule says, or the rule is refused with the reason, on
standard error. Tables and fields are named by a mapping that --mapping adds to
(docs/rules-export.md). A field that it does not name keeps Sigma's own name,
with a note; with --fields strict the rule is refused instead.

Exit codes: 0 all written; 1 some were refused (0 with --skip); 2 wrong usage.`,
		Example: `  vegress rules export --to kql --skip
  vegress rules export --to spl --output queries/ sigma/rules/windows
  vegress rules export --to elastic --fields strict --json my-rules/ | jq '.[] | select(.refused)'
  vegress rules export --to logscale --mapping ours.yml detection.yml`,
		Args: argCount(cobra.ArbitraryArgs),
		RunE: func(_ *cobra.Command, args []string) error { return x.run(std, args) },
	}
	configFlag(cmd, &x.config)
	flags := cmd.Flags()
	flags.StringVar(&x.language, "to", "", "the `language`: "+strings.Join(export.Languages(), ", "))
	flags.StringVar(&x.fields, "fields", string(export.KeepFields), "fields and log sources without a mapping: keep Sigma's name, or strict, which refuses the rule")
	flags.StringArrayVar(&x.mappings, "mapping", nil, "`file` of log sources and fields that goes before the built-in mapping; repeatable")
	flags.StringVarP(&x.output, "output", "o", "", "write a file for each rule into this `folder`")
	flags.BoolVar(&x.asJSON, "json", false, "write a JSON array with id, title, file, level, query, notes and refused of each rule")
	flags.BoolVar(&x.skip, "skip", false, "refused rules are left out: exit 0")
	return cmd
}

// rulesExport is what "rules export" is asked for.
type rulesExport struct {
	config                   string
	language, fields, output string
	mappings                 []string
	asJSON, skip             bool
}

// exportedRule is one rule as --json shows it.
type exportedRule struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	File    string   `json:"file"`
	Level   string   `json:"level,omitempty"`
	Query   string   `json:"query,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	Refused string   `json:"refused,omitempty"` // why there is no query

	line int
	tags []string
}

func (x *rulesExport) run(std Streams, paths []string) error {
	exporter, err := x.exporter()
	if err != nil {
		return usage(err)
	}
	set, err := ruleSet(x.config, paths)
	if err != nil {
		return err
	}
	all := exportRules(exporter, set.Rules)
	if len(all) == 0 {
		return fmt.Errorf("read %s: no rules are there", strings.Join(paths, ", "))
	}
	switch {
	case x.output != "":
		err = x.writeFiles(exporter, all)
	case !x.asJSON:
		err = writeQueries(std, exporter, all)
	}
	if err == nil && x.asJSON {
		err = oneJSON(std.Out, all)
	}
	if err != nil {
		return err
	}
	return x.report(std, all)
}

func (x *rulesExport) exporter() (*export.Exporter, error) {
	if x.language == "" {
		return nil, fmt.Errorf("--to is missing: name one of %s", strings.Join(export.Languages(), ", "))
	}
	known, err := export.Load(tables.Files)
	if err != nil {
		return nil, err
	}
	for _, file := range x.mappings {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read --mapping: %w", err)
		}
		if err := known.Add(file, content); err != nil {
			return nil, err
		}
	}
	exporter, err := export.New(x.language, known, export.Fields(x.fields))
	if err != nil {
		return nil, fmt.Errorf("--to and --fields: %w", err)
	}
	return exporter, nil
}

// exportRules writes each rule and says of all others why they are none.
func exportRules(exporter *export.Exporter, loaded *sigma.Rules) []exportedRule {
	all := []exportedRule{}
	for _, rule := range loaded.Rules {
		one := exportedOf(&rule.Meta)
		query, err := exporter.Export(rule)
		switch {
		case rule.Silent:
			one.Refused = "it raises nothing by itself: it is a part of a correlation"
		case err != nil:
			one.Refused = err.Error()
		default:
			one.Query, one.Notes = query.Text, query.Notes
		}
		all = append(all, one)
	}
	for _, correlation := range loaded.Correlations {
		one := exportedOf(&correlation.Meta)
		one.Refused = fmt.Sprintf("a correlation (%s) is about several events", correlation.Type)
		all = append(all, one)
	}
	for _, r := range loaded.Refusals {
		all = append(all, exportedRule{ID: r.ID, File: r.File, line: r.Line, Refused: r.Reason})
	}
	return all
}

func exportedOf(m *sigma.Meta) exportedRule {
	return exportedRule{ID: m.ID, Title: m.Title, File: m.File, Level: m.Level, line: m.Line, tags: m.Tags}
}

// text is the query with its rule's name above it, as a comment.
func (r *exportedRule) text(exporter *export.Exporter) string {
	lines := []string{r.Title, "id: " + r.ID, "level: " + r.Level, "tags: " + strings.Join(r.tags, ", "), "rule: " + r.File}
	for _, note := range r.Notes {
		lines = append(lines, "note: "+note)
	}
	var b strings.Builder
	for _, line := range lines {
		if !strings.HasSuffix(line, ": ") {
			b.WriteString(exporter.Comment(line) + "\n")
		}
	}
	return b.String() + r.Query + "\n"
}

func writeQueries(std Streams, exporter *export.Exporter, all []exportedRule) error {
	between := ""
	for i := range all {
		if all[i].Query == "" {
			continue
		}
		if _, err := fmt.Fprint(std.Out, between+all[i].text(exporter)); err != nil {
			return err
		}
		between = "\n"
	}
	return nil
}

// writeFiles writes a file for each query, named after the rule's file, and
// where another has that name, after its id or place, too.
func (x *rulesExport) writeFiles(exporter *export.Exporter, all []exportedRule) error {
	if err := os.MkdirAll(x.output, 0o755); err != nil {
		return err
	}
	taken := map[string]bool{}
	for i := range all {
		r := &all[i]
		if r.Query == "" {
			continue
		}
		base := event.Slug(strings.TrimSuffix(path.Base(filepath.ToSlash(r.File)), path.Ext(r.File)))
		name := base
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", base, n)
		}
		taken[name] = true
		file := filepath.Join(x.output, name+export.Extension(x.language))
		if err := os.WriteFile(file, []byte(r.text(exporter)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// report says what was refused, a line each, and sums up.
func (x *rulesExport) report(std Streams, all []exportedRule) error {
	refused, noted := 0, 0
	for _, r := range all {
		if len(r.Notes) > 0 {
			noted++
		}
		if r.Refused == "" {
			continue
		}
		refused++
		if !x.asJSON {
			fmt.Fprintf(std.Err, "vegress: refused: %s\n", sigma.Refusal{File: r.File, Line: r.line, ID: r.ID, Reason: r.Refused}.Error())
		}
	}
	fmt.Fprintf(std.Err, "vegress: %d rules written in %s, %d of them with notes; %d refused\n", len(all)-refused, x.language, noted, refused)
	if refused > 0 && !x.skip {
		return said{errors.New("rules were refused")}
	}
	return nil
}
