package app

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/coverage"
	"github.com/vegress/vegress/analytics/sigma/stream"
)

func newRulesListCommand(std Streams) *cobra.Command {
	var file string
	var asJSON, stats bool
	var filter ruleFilter
	var server natsFlags
	cmd := &cobra.Command{
		Use:   "list [PATH...]",
		Short: "List rules, all or those that are asked for",
		Long: `List shows the rules that are in force, or those of PATH: id, level, techniques,
log source, title. What is refused is not among them: "vegress rules check" says
why. A rule of kind "part" raises nothing by itself; it only feeds a
correlation.

With --stats it also reads what the rules of the running service did since its
start: hits, those of them that were counted in one finding because the rule
floods, and seconds of CPU, estimated from samples.

Several values of one flag are alternatives; several flags must all fit.`,
		Example: `  vegress rules list
  vegress rules list --level high,critical --product vmware_esxi
  vegress rules list --stats --nats nats://127.0.0.1:4222
  vegress rules list --technique T1102 --json sigma/rules/ | jq -r '.[].title'`,
		Args: argCount(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := filter.check(); err != nil {
				return usage(err)
			}
			set, err := ruleSet(file, args)
			if err != nil {
				return err
			}
			all := listedRules(set)
			if stats {
				server.config = file
				use, err := server.readRuleUse(cmd.Context(), std)
				if err != nil {
					return err
				}
				use.put(all)
			}
			chosen := slices.DeleteFunc(slices.Clone(all), func(r listedRule) bool { return !filter.fits(&r) })
			if asJSON {
				return oneJSON(std.Out, chosen)
			}
			_, err = std.Out.Write(ruleTable(chosen, len(all), stats))
			return err
		},
	}
	configFlag(cmd, &file)
	filter.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write the rules as a JSON array")
	cmd.Flags().BoolVar(&stats, "stats", false, "show what the rules of the running service did, from NATS")
	server.registerServer(cmd, "")
	return cmd
}

// listedRule is a rule or a correlation as list shows it.
type listedRule struct {
	ID         string       `json:"id"`
	Name       string       `json:"name,omitempty"`
	Title      string       `json:"title"`
	Kind       string       `json:"kind"` // rule, correlation or part
	Level      string       `json:"level"`
	Status     string       `json:"status"`
	Tactics    []string     `json:"tactics"`
	Techniques []string     `json:"techniques"`
	Tags       []string     `json:"tags"`
	LogSources []ruleSource `json:"log_sources"` // of a correlation, those of its rules
	Known      bool         `json:"known"`       // the table has events for it
	Filters    []string     `json:"filters,omitempty"`
	File       string       `json:"file"`
	Line       int          `json:"line"`

	// By --stats; nil: not asked for.
	Hits      *int64   `json:"hits,omitempty"`
	Throttled *int64   `json:"throttled,omitempty"`
	Seconds   *float64 `json:"seconds,omitempty"`

	uid, description string
}

// put writes to each rule what it did.
func (u *ruleUse) put(rules []listedRule) {
	for i := range rules {
		did := u.rules[rules[i].uid]
		rules[i].Hits, rules[i].Throttled, rules[i].Seconds = &did.Hits, &did.Throttled, &did.Seconds
	}
}

type ruleSource struct {
	Product  string `json:"product"`
	Category string `json:"category"`
	Service  string `json:"service"`
}

// listedRules gives rules and correlations in the order in which they were
// read.
func listedRules(set *stream.Set) []listedRule {
	all := make([]listedRule, 0, len(set.Rules.Rules)+len(set.Correlations))
	byKey := map[string]*listedRule{}
	add := func(m *sigma.Meta, kind string, silent bool) *listedRule {
		if silent {
			kind = "part"
		}
		all = append(all, listedRule{
			ID: m.ID, Name: m.Name, Title: m.Title, Kind: kind, Level: m.Level, Status: m.Status, Tags: append([]string{}, m.Tags...),
			Tactics: coverage.Tactics(m.Tags), Techniques: coverage.Techniques(m.Tags), File: m.File, Line: m.Line,
			LogSources: []ruleSource{}, Known: true, description: m.Description,
		})
		byKey[m.Key()] = &all[len(all)-1]
		return byKey[m.Key()]
	}
	for _, rule := range set.Rules.Rules {
		r := add(&rule.Meta, "rule", rule.Silent)
		r.uid = stream.UID(&rule.Meta, rule.LogSource)
		r.LogSources = append(r.LogSources, ruleSource{rule.LogSource.Product, rule.LogSource.Category, rule.LogSource.Service})
		r.Known, r.Filters = isCovered(set.Table, rule), rule.Filters
	}
	for _, c := range set.Correlations {
		r := add(&c.Meta, "correlation", c.Silent)
		r.uid = stream.UID(&c.Meta, sigma.LogSource{})
		for _, key := range c.Refers() {
			r.take(byKey[key])
		}
	}
	return all
}

// take adds what a correlation has from a rule that it refers to.
func (r *listedRule) take(below *listedRule) {
	for _, s := range below.LogSources {
		if !slices.Contains(r.LogSources, s) {
			r.LogSources = append(r.LogSources, s)
		}
	}
	r.Known = r.Known && below.Known
}

// source is the log sources in short.
func (r *listedRule) source() string {
	words := make([]string, len(r.LogSources))
	for i, s := range r.LogSources {
		words[i] = logSource(sigma.LogSource{Product: s.Product, Category: s.Category, Service: s.Service})
	}
	return strings.Join(words, ", ")
}

// Widths of columns; --json has all of a text.
const (
	widestTitle  = 80
	widestSource = 40
)

func ruleTable(rules []listedRule, of int, stats bool) []byte {
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	did := func(*listedRule) string { return "" }
	if stats {
		fmt.Fprint(w, "HITS\tTHROTTLED\tSECONDS\t")
		did = func(r *listedRule) string { return fmt.Sprintf("%d\t%d\t%.3f\t", *r.Hits, *r.Throttled, *r.Seconds) }
	}
	fmt.Fprintln(w, "ID\tKIND\tLEVEL\tSTATUS\tATT&CK\tLOG SOURCE\tTITLE")
	for i := range rules {
		r := &rules[i]
		source := r.source()
		if !r.Known {
			source += " (no events)"
		}
		fmt.Fprint(w, did(r))
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cut(r.ID, widestSource), r.Kind, cut(r.Level, widestSource), cut(r.Status, widestSource),
			cut(strings.Join(r.Techniques, " "), widestSource), cut(source, widestSource), cut(r.Title, widestTitle))
	}
	_ = w.Flush() // into memory
	fmt.Fprintf(&out, "\n%d of %s\n", len(rules), counted(of, "rule"))
	return out.Bytes()
}

// ruleFilter chooses rules. An empty member chooses all.
type ruleFilter struct {
	ids, levels, statuses, techniques, tactics, products, categories, services []string
	text                                                                       string
}

func (f *ruleFilter) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.ids, "id", nil, "only these ids (their beginning is enough) or names")
	flags.StringSliceVar(&f.levels, "level", nil, "only of these levels: informational, low, medium, high, critical")
	flags.StringSliceVar(&f.statuses, "status", nil, "only of this status: stable, test, experimental, deprecated")
	flags.StringSliceVar(&f.techniques, "technique", nil, "only of this ATT&CK technique, with its sub-techniques: T1102")
	flags.StringSliceVar(&f.tactics, "tactic", nil, "only of this ATT&CK tactic: command-and-control")
	flags.StringSliceVar(&f.products, "product", nil, "only of this log source's product: windows")
	flags.StringSliceVar(&f.categories, "category", nil, "only of this log source's category: process_creation")
	flags.StringSliceVar(&f.services, "service", nil, "only of this log source's service: security")
	flags.StringVar(&f.text, "text", "", "only with this text in title, description, tags, name or file")
}

// check refuses values that no rule can have.
func (f *ruleFilter) check() error {
	for flag, values := range map[string][]string{"level": f.levels, "status": f.statuses} {
		known := map[string][]string{"level": sigma.Levels(), "status": sigma.Statuses()}[flag]
		for _, value := range values {
			if !slices.Contains(known, value) {
				return fmt.Errorf("--%s %q is not one of %s", flag, value, strings.Join(known, ", "))
			}
		}
	}
	for _, technique := range f.techniques {
		if err := checkTechnique(technique); err != nil {
			return err
		}
	}
	return nil
}

func (f *ruleFilter) fits(r *listedRule) bool {
	return anyOf(f.ids, func(id string) bool {
		return r.Name == id || r.ID != "" && strings.HasPrefix(strings.ToLower(r.ID), strings.ToLower(id))
	}) &&
		anyOf(f.levels, func(level string) bool { return level == r.Level }) &&
		anyOf(f.statuses, func(status string) bool { return status == r.Status }) &&
		anyOf(f.techniques, func(technique string) bool { return coverage.HasTechnique(r.Tags, technique) }) &&
		anyOf(f.tactics, func(tactic string) bool { return slices.Contains(r.Tactics, coverage.Tactic(tactic)) }) &&
		r.hasSource(f.products, func(s *ruleSource) string { return s.Product }) &&
		r.hasSource(f.categories, func(s *ruleSource) string { return s.Category }) &&
		r.hasSource(f.services, func(s *ruleSource) string { return s.Service }) &&
		(f.text == "" || r.hasText(f.text))
}

func (r *listedRule) hasSource(wanted []string, part func(*ruleSource) string) bool {
	return anyOf(wanted, func(want string) bool {
		return slices.ContainsFunc(r.LogSources, func(s ruleSource) bool { return strings.EqualFold(part(&s), want) })
	})
}

func (r *listedRule) hasText(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(append([]string{r.Title, r.description, r.Name, r.ID, r.File}, r.Tags...), func(in string) bool {
		return strings.Contains(strings.ToLower(in), text)
	})
}

// anyOf says that one of values fits, or that there are none to ask for.
func anyOf(values []string, fits func(string) bool) bool {
	return len(values) == 0 || slices.ContainsFunc(values, fits)
}
