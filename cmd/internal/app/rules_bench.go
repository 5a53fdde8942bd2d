package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/ruletest"
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/event"
)

func newRulesBenchCommand(std Streams) *cobra.Command {
	var file string
	var events []string
	var asJSON bool
	b := bench{duration: span(2 * time.Second), top: 20}
	cmd := &cobra.Command{
		Use:   "bench [PATH...]",
		Short: "Measure what rules cost on events",
		Long: `Bench evaluates rules on events as the service does, on one processor, again and
again: CPU time and memory for each event, what it takes to read and to compile
the rules, and which rules cost most. Events are read with --events, as "vegress
rules why" reads them; without it, the cases beside the rules serve. An event is
shown only to rules of its log source; those that no rule looks at are counted.

What a single rule costs is what it takes beyond the look at the fields that all
rules share; it is measured with the clock, rule by rule, in passes of its own.`,
		Example: `  vegress rules bench
  vegress rules bench --events events.ndjson sigma/rules/
  vegress rules bench --events events.ndjson --for 10s --json | jq .cpu_ns_per_event`,
		Args: argCount(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if b.top < 0 {
				return usage(fmt.Errorf("--top is %d: want 0, for all, or more", b.top))
			}
			if err := b.prepare(cmd.Context(), std, file, args, events); err != nil {
				return err
			}
			result, err := b.run(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return oneJSON(std.Out, result)
			}
			_, err = std.Out.Write(result.text())
			return err
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringSliceVar(&events, "events", nil, "`file` of events as JSON, or - for standard input; once for each")
	cmd.Flags().Var(&b.duration, "for", "CPU time to spend on measuring, as 2s or 1m")
	cmd.Flags().IntVar(&b.top, "top", b.top, "how many of the costliest rules to show; 0: all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object")
	return cmd
}

// maxBenchEvents bounds the events that are kept to be evaluated again.
const maxBenchEvents = 500_000

// bench is rules and events to measure them with.
type bench struct {
	duration span
	top      int

	set    *stream.Set
	policy *stream.Policy
	events []*event.Event
	result benchResult
}

// benchResult is what bench measured. Times are CPU time.
type benchResult struct {
	Rules        int     `json:"rules"`
	Correlations int     `json:"correlations"`
	Refused      int     `json:"refused"`
	Load         float64 `json:"load_seconds"`    // to read and parse the rules
	Compile      float64 `json:"compile_seconds"` // to make them ready
	Memory       int64   `json:"memory_bytes"`    // that the rules, made ready, keep

	Events int `json:"events"` // read
	Shown  int `json:"shown"`  // of a log source that some rule is for
	Passes int `json:"passes"` // over all that are shown
	Hits   int `json:"hits"`   // of one pass

	CPU         benchTimes `json:"cpu_ns_per_event"`
	PerSecond   float64    `json:"events_per_second"` // and processor, by the median
	Allocations float64    `json:"allocations_per_event"`

	Costs []benchCost `json:"rules_by_cost"`
}

// benchTimes is over all passes.
type benchTimes struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
}

// benchCost is what one rule took beyond what all rules share.
type benchCost struct {
	ID    string  `json:"id"`
	Title string  `json:"title"`
	File  string  `json:"file"`
	Cost  float64 `json:"ns_per_event"` // over all events that are shown
	Looks float64 `json:"looked_at"`    // of how many events, 0 to 1
	Hits  int     `json:"hits"`
}

// prepare reads and compiles the rules, and reads the events.
func (b *bench) prepare(ctx context.Context, std Streams, file string, paths, events []string) (err error) {
	before := ownCPU()
	if b.set, err = ruleSet(file, paths); err != nil {
		return err
	}
	b.result.Load = (ownCPU() - before).Seconds()
	held := heldBytes()
	before = ownCPU()
	b.policy = stream.Compile(b.set, stream.Options{})
	b.result.Compile = (ownCPU() - before).Seconds()
	b.result.Memory = heldBytes() - held
	loaded := b.policy.Loaded()
	b.result.Rules, b.result.Correlations, b.result.Refused = loaded.Rules, loaded.Correlations, loaded.Refused
	if len(events) == 0 {
		b.readCases()
	}
	for _, name := range events {
		if err := b.read(ctx, std.In, name); err != nil {
			return err
		}
	}
	b.result.Events = len(b.events)
	evaluator := b.policy.NewEvaluator()
	b.events = slices.DeleteFunc(b.events, func(ev *event.Event) bool { return evaluator.Evaluate(ev, func(*sigma.Hit) {}) == 0 })
	b.result.Shown = len(b.events)
	switch {
	case b.result.Events == 0 && len(events) == 0:
		return usage(errors.New("there are no cases beside these rules: name events with --events"))
	case b.result.Shown == 0:
		return fmt.Errorf("none of %s is of a log source that one of %s is for", counted(b.result.Events, "event"), counted(b.result.Rules, "rule"))
	}
	return nil
}

// heldBytes is the heap in use.
func heldBytes() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func (b *bench) add(ev *event.Event) {
	if len(b.events) < maxBenchEvents {
		b.events = append(b.events, ev)
	}
}

func (b *bench) read(ctx context.Context, stdin io.Reader, name string) error {
	in, _, err := openInput(ctx, stdin, name)
	if err != nil {
		return err
	}
	n := 0
	err = jsonValues(in, func(value json.RawMessage) error {
		n++
		ev, err := eventOf(value)
		switch {
		case errors.Is(err, errFinding):
			return nil
		case err != nil:
			return fmt.Errorf("read %s: event %d: %w", name, n, err)
		}
		b.add(ev)
		return ctx.Err()
	}, func(err error) error { return fmt.Errorf("read %s: behind event %d: %w", name, n, err) })
	return errors.Join(err, in.Close())
}

// readCases takes the records of the cases beside the rules.
func (b *bench) readCases() {
	decode := lineDecoder()
	seen := map[string]bool{}
	for _, rule := range b.set.Rules.Rules {
		if seen[rule.File] {
			continue
		}
		seen[rule.File] = true
		content, err := fs.ReadFile(b.set.Files, casesOf(rule.File))
		if err != nil {
			continue // no cases: "vegress rules test" says so
		}
		cases, err := ruletest.Parse(content)
		if err != nil {
			continue
		}
		for _, c := range slices.Concat(cases.Hit, cases.Miss) {
			for _, step := range c.Steps() {
				if ev, err := step.Event(decode); err == nil {
					b.add(ev)
				}
			}
		}
	}
}

// What is measured at least: so often, so many evaluations each time, as the
// clock of CPU time counts whole microseconds.
const (
	minPasses   = 3
	minMeasured = 1000
)

func (b *bench) run(ctx context.Context) (*benchResult, error) {
	r := &b.result
	evaluator := b.policy.NewEvaluator()
	pass := func() {
		r.Hits = 0
		for _, ev := range b.events {
			evaluator.Evaluate(ev, func(*sigma.Hit) { r.Hits++ })
		}
	}
	pass() // what is kept for later events is made with the first
	rounds := max(1, minMeasured/len(b.events))
	var times []float64
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for start := ownCPU(); len(times) < minPasses || ownCPU()-start < time.Duration(b.duration); {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		from := ownCPU()
		for range rounds {
			pass()
		}
		times = append(times, float64(ownCPU()-from)/float64(rounds*len(b.events)))
	}
	runtime.ReadMemStats(&after)
	r.Passes = rounds * len(times)
	r.Allocations = float64(after.Mallocs-before.Mallocs) / float64(r.Passes*len(b.events))
	slices.Sort(times)
	r.CPU = benchTimes{Min: times[0], Median: times[len(times)/2]}
	if r.CPU.Median > 0 {
		r.PerSecond = 1e9 / r.CPU.Median
	}
	b.costs(ctx)
	return r, ctx.Err()
}

// costs measures rule by rule.
func (b *bench) costs(ctx context.Context) {
	type spent struct {
		took       time.Duration
		looks, hit int
	}
	by := map[*sigma.Rule]*spent{}
	of := func(rule *sigma.Rule) *spent {
		if by[rule] == nil {
			by[rule] = &spent{}
		}
		return by[rule]
	}
	evaluator := b.policy.NewEvaluator()
	evaluator.Cost = func(rule *sigma.Rule, took time.Duration) {
		s := of(rule)
		s.took += took
		s.looks++
	}
	passes := 0
	for start := ownCPU(); passes == 0 || ownCPU()-start < time.Duration(b.duration)/2; passes++ {
		if ctx.Err() != nil {
			return
		}
		for _, ev := range b.events {
			evaluator.Evaluate(ev, func(h *sigma.Hit) { of(h.Rule).hit++ })
		}
	}
	n := float64(passes * len(b.events))
	b.result.Costs = []benchCost{}
	for rule, s := range by {
		b.result.Costs = append(b.result.Costs, benchCost{
			ID: rule.Key(), Title: rule.Title, File: rule.File,
			Cost: float64(s.took) / n, Looks: float64(s.looks) / n, Hits: s.hit / passes,
		})
	}
	slices.SortFunc(b.result.Costs, func(x, y benchCost) int {
		return cmp.Or(cmp.Compare(y.Cost, x.Cost), strings.Compare(x.ID, y.ID))
	})
	if b.top > 0 {
		b.result.Costs = b.result.Costs[:min(b.top, len(b.result.Costs))]
	}
}

func (r *benchResult) text() []byte {
	var out bytes.Buffer
	say := func(what, format string, args ...any) {
		fmt.Fprintf(&out, "%-12s"+format+"\n", append([]any{what}, args...)...)
	}
	say("rules", "%d and %s, %d refused", r.Rules, counted(r.Correlations, "correlation"), r.Refused)
	say("load", "%.2f s CPU to read, %.2f s to compile", r.Load, r.Compile)
	say("memory", "%.1f MB that the compiled rules keep", float64(r.Memory)/1e6)
	say("events", "%d, %d of a log source with rules, %s in one pass of %d", r.Events, r.Shown, counted(r.Hits, "hit"), r.Passes)
	say("CPU", "%.2f us an event (median of passes), %.2f us at least; %.0f events a second on one processor", r.CPU.Median/1e3, r.CPU.Min/1e3, r.PerSecond)
	say("allocations", "%.3f an event", r.Allocations)
	fmt.Fprint(&out, "\nCostliest rules, beyond what all rules share\n")
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NS AN EVENT\tLOOKED AT\tHITS\tID\tTITLE")
	for _, c := range r.Costs {
		fmt.Fprintf(w, "%.1f\t%.1f %%\t%d\t%s\t%s\n", c.Cost, 100*c.Looks, c.Hits, cut(c.ID, widestSource), cut(c.Title, widestTitle))
	}
	_ = w.Flush() // into memory
	return out.Bytes()
}
