package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/ruletest"
	"github.com/vegress/vegress/analytics/sigma/source"
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/event"
)

func newRulesWhyCommand(std Streams) *cobra.Command {
	var file string
	var paths []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "why RULE EVENT.json...",
		Short: "Say why a rule holds for an event, or why it does not",
		Long: `Why takes a rule and events, and says of each search of the rule, and of each of
its lines, whether it holds: the values that are wanted, and those that are
there.

RULE is the id, the name or the file of a rule. EVENT.json has events as JSON, any
number: those that "vegress replay" writes, or records with the field names that
Sigma uses, flat or nested as the Windows event log has them; "-" is standard
input. A record that names no log (Channel) counts as one of the rule's own log
source.

Exit code 0: the rule holds for one of the events at least; 1: for none.`,
		Example: `  vegress rules why hypervisor/esxi_ssh_enabled events.ndjson
  vegress rules why my-rules/coredump.yml event.json
  vegress replay host.log | vegress rules why 5d4d8c8e-3f0b-4a53-9c5e-0c0d8f0e2b11 --rules my-rules/ -
  vegress rules why my-rules/coredump.yml event.json --json | jq .selections`,
		Args: argCount(cobra.MinimumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			rule, table, err := oneRule(file, paths, args[0])
			if err != nil {
				return err
			}
			w := newWhy(rule, table)
			if err := w.files(cmd.Context(), std, args[1:], asJSON); err != nil {
				return err
			}
			if !asJSON {
				w.sum(std.Out)
			}
			if w.held == 0 {
				return said{errors.New("the rule does not hold")}
			}
			return nil
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringSliceVar(&paths, "rules", nil, "look for RULE in this `path` instead of the rules in force; once for each")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write a JSON object a line, one for each event")
	return cmd
}

// oneRule finds the rule that the user names.
func oneRule(file string, paths []string, name string) (*sigma.Rule, *source.Table, error) {
	isFile := false
	if info, err := os.Stat(name); err == nil && !info.IsDir() {
		isFile, paths = true, []string{name}
	}
	set, err := ruleSet(file, paths)
	if err != nil {
		return nil, nil, err
	}
	rules, correlations := namedRules(set, name, isFile)
	switch {
	case len(rules)+len(correlations) == 0 && isFile && len(set.Refusals) > 0:
		return nil, nil, fmt.Errorf("%s has no rule that can be used: %w", name, set.Refusals[0])
	case len(rules)+len(correlations) == 0:
		return nil, nil, usage(fmt.Errorf("no rule %q%s (want the id, the name or the file of a rule, as vegress rules list has them)", name, similarRule(set, name)))
	case len(rules)+len(correlations) > 1:
		return nil, nil, usage(fmt.Errorf("%q are several rules: give the id of one, with --rules where it is not in force: %s",
			name, strings.Join(append(keysOf(rules), keysOf(correlations)...), ", ")))
	case len(correlations) == 1:
		c := correlations[0]
		return nil, nil, usage(fmt.Errorf("%q is a correlation (%s) of several events, and why looks at one: ask it of a rule that is counted: %s",
			c.Title, c.Type, strings.Join(countedBy(set, c), ", ")))
	}
	return rules[0], set.Table, nil
}

// namedRules gives what has the name: by id or name exactly that; by file
// what raises something in it.
func namedRules(set *stream.Set, name string, isFile bool) (rules []*sigma.Rule, correlations []*sigma.Correlation) {
	for _, rule := range set.Rules.Rules {
		if rule.ID != "" && strings.EqualFold(rule.ID, name) || rule.Name != "" && rule.Name == name {
			return []*sigma.Rule{rule}, nil
		}
		if !rule.Silent && (isFile || isInFile(&rule.Meta, name)) {
			rules = append(rules, rule)
		}
	}
	for _, c := range set.Correlations {
		if c.ID != "" && strings.EqualFold(c.ID, name) || c.Name != "" && c.Name == name {
			return nil, []*sigma.Correlation{c}
		}
		if !c.Silent && (isFile || isInFile(&c.Meta, name)) {
			correlations = append(correlations, c)
		}
	}
	return rules, correlations
}

var errFinding = errors.New("is a finding, and no event")

// isInFile says that a name is that of the rule's file, with or without
// folders, without its extension.
func isInFile(m *sigma.Meta, name string) bool {
	if m.File == name { // as findings and list --json have it
		return true
	}
	short := strings.TrimSuffix(m.File, path.Ext(m.File))
	return short == name || strings.HasSuffix(short, "/"+name)
}

func keysOf[T interface{ Key() string }](some []T) []string {
	keys := make([]string, len(some))
	for i, one := range some {
		keys[i] = one.Key()
	}
	return keys
}

// countedBy gives the ids of the rules whose hits a correlation counts, itself
// or through others.
func countedBy(set *stream.Set, c *sigma.Correlation) (keys []string) {
	for _, key := range c.Refers() {
		below := slices.IndexFunc(set.Correlations, func(other *sigma.Correlation) bool { return other.Key() == key })
		if below < 0 {
			keys = append(keys, key)
			continue
		}
		keys = append(keys, countedBy(set, set.Correlations[below])...)
	}
	return keys
}

func similarRule(set *stream.Set, name string) string {
	var known []string
	for _, r := range listedRules(set) {
		known = append(known, r.ID, r.Name, strings.TrimSuffix(path.Base(r.File), path.Ext(r.File)))
	}
	return configs.DidYouMean(name, slices.DeleteFunc(known, func(s string) bool { return s == "" }))
}

// why tells of one event after the other why a rule holds.
type why struct {
	rule  *sigma.Rule
	table *source.Table
	view  *source.View
	of    []source.ID // the sources that the rule looks at

	events, held int
}

func newWhy(rule *sigma.Rule, table *source.Table) *why {
	return &why{rule: rule, table: table, view: table.NewView(), of: sourcesOf(table, rule)}
}

// whyAnswer is what why says of one event.
type whyAnswer struct {
	File      string `json:"file"`
	Event     int    `json:"event"` // in its file, from 1 on
	Rule      string `json:"rule"`  // key
	Title     string `json:"title"`
	Holds     bool   `json:"holds"`
	LogSource string `json:"log_source"`
	// Shown: the event is of the rule's log source, or names none.
	Shown      bool        `json:"shown"`
	EventIs    []string    `json:"event_is"` // the log sources of the event
	Condition  []string    `json:"condition"`
	Selections []whySearch `json:"selections"`
}

type whySearch struct {
	Name     string `json:"name"`
	Holds    bool   `json:"holds"`
	Excluded bool   `json:"excluded"` // the rule wants it not to hold
	// Alternatives: all lines of one of them must hold.
	Alternatives [][]whyLine `json:"alternatives"`
}

type whyLine struct {
	Field     string      `json:"field"` // empty: anywhere in the record
	Modifiers []string    `json:"modifiers"`
	Holds     bool        `json:"holds"`
	Wanted    []whyWanted `json:"wanted"`
	There     []string    `json:"there"`
	Null      bool        `json:"null"` // the field is there without a value
}

type whyWanted struct {
	Value *string `json:"value"` // null is null
	Holds bool    `json:"holds"`
}

func (w *why) files(ctx context.Context, std Streams, names []string, asJSON bool) error {
	for _, name := range names {
		in, _, err := openInput(ctx, std.In, name)
		if err != nil {
			return err
		}
		err = w.file(ctx, in, name, func(a *whyAnswer) error {
			if asJSON {
				return oneJSON(std.Out, a)
			}
			_, err := std.Out.Write(a.text())
			return err
		})
		if err = errors.Join(err, in.Close()); err != nil {
			return err
		}
	}
	if w.events == 0 {
		return fmt.Errorf("read %s: there is no event in it", strings.Join(names, ", "))
	}
	return nil
}

// file reads JSON values, one after the other or as an array.
func (w *why) file(ctx context.Context, in io.Reader, name string, tell func(*whyAnswer) error) error {
	n := 0
	return jsonValues(in, func(value json.RawMessage) error {
		n++
		if ctx.Err() != nil {
			return ctx.Err()
		}
		ev, err := eventOf(value)
		switch {
		case errors.Is(err, errFinding):
			return nil
		case err != nil:
			return fmt.Errorf("read %s: event %d: %w", name, n, err)
		}
		a := w.explain(ev)
		a.File, a.Event = name, n
		if w.events++; a.Holds {
			w.held++
		}
		return tell(a)
	}, func(err error) error { return fmt.Errorf("read %s: behind event %d: %w", name, n, err) })
}

// jsonValues tells of each JSON value; those of an array at the top one by one.
func jsonValues(in io.Reader, tell func(json.RawMessage) error, wrong func(error) error) error {
	decoder := json.NewDecoder(in)
	for {
		var value json.RawMessage
		switch err := decoder.Decode(&value); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return wrong(err)
		}
		values := []json.RawMessage{value}
		if value[0] == '[' {
			if err := json.Unmarshal(value, &values); err != nil {
				return wrong(err)
			}
		}
		for _, one := range values {
			if err := tell(one); err != nil {
				return err
			}
		}
	}
}

// eventOf makes an event of an event in OCSF as vegress writes it, or of a
// record with Sigma's field names. errFinding: replay wrote it between them.
func eventOf(value json.RawMessage) (*event.Event, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, value); err != nil {
		return nil, err
	}
	ev := new(event.Event)
	line := compact.Bytes()
	if !bytes.HasPrefix(line, markEvent) {
		return ev, source.ReadJSON(value, ev)
	}
	if bytes.Contains(line[:min(len(line), 64)], markFinding) {
		return nil, errFinding
	}
	parsed, err := event.Parse(line)
	return &parsed, err
}

// explain asks for each of the sources by which the rule sees the event, and
// takes the first for which it holds.
func (w *why) explain(ev *event.Event) *whyAnswer {
	a := &whyAnswer{
		Rule: w.rule.Key(), Title: w.rule.Title, LogSource: logSource(w.rule.LogSource), Condition: w.rule.Condition,
		EventIs: []string{},
	}
	ids := slices.Clone(w.view.Look(ev))
	sources := w.table.Sources()
	for _, id := range ids {
		s := sources[id]
		a.EventIs = append(a.EventIs, logSource(sigma.LogSource{Product: s.Product, Category: s.Category, Service: s.Service}))
	}
	for record := range ruletest.Records(w.view, ev, ids, w.of) {
		a.Shown = true
		if results, holds := sigma.Why(w.rule, record); a.Selections == nil || holds {
			a.Selections, a.Holds = searchesOf(results), holds
		}
		if a.Holds {
			return a
		}
	}
	if !a.Shown { // it cannot hold; but what would it say?
		record := sigma.Record{Fields: ev.Fields, Text: ev.Raw}
		if len(w.of) > 0 {
			record.Typed = w.view.Typed(w.of[0])
		}
		results, _ := sigma.Why(w.rule, &record)
		a.Selections = searchesOf(results)
	}
	return a
}

func searchesOf(results []sigma.SearchResult) []whySearch {
	searches := make([]whySearch, len(results))
	for i := range results {
		r := &results[i]
		searches[i] = whySearch{Name: r.Name, Holds: r.Holds, Excluded: r.Excluded}
		for _, lines := range r.Alternatives {
			all := make([]whyLine, len(lines))
			for k := range lines {
				all[k] = lineOf(&lines[k])
			}
			searches[i].Alternatives = append(searches[i].Alternatives, all)
		}
	}
	return searches
}

func lineOf(r *sigma.ItemResult) whyLine {
	line := whyLine{Field: r.Field, Modifiers: append([]string{}, r.Modifiers...), Holds: r.Holds, There: append([]string{}, r.There...), Null: r.Null}
	for i, v := range r.Values {
		wanted := whyWanted{Holds: r.Held[i]}
		if !v.Null {
			wanted.Value = &r.Values[i].Text
		}
		line.Wanted = append(line.Wanted, wanted)
	}
	return line
}
