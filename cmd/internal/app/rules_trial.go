package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/analytics/sigma/ruletest"
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

func newRulesTestCommand(std Streams) *cobra.Command {
	var file string
	var asJSON, failing bool
	cmd := &cobra.Command{
		Use:   "test [PATH...]",
		Short: "Try the cases beside rules: hits must hold, near misses must not",
		Long: `Test runs the cases in NAME.test.yml on the rules in NAME.yml beside it: each
hit must make them hold, no miss may. Syslog lines of cases go through the
decoder of the service. A rule without a hit and a miss fails, and so does one
that is refused. docs/rules.md has the format.

Exit code 0: all is as the cases say; 1: something is not.`,
		Example: `  vegress rules test
  vegress rules test my-rules/ --failing
  vegress rules test --json my-rules/coredump.yml | jq '.[].failures'`,
		Args: argCount(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := ruleSet(file, args)
			if err != nil {
				return err
			}
			tried, err := tryRules(cmd.Context(), set, std.Err)
			if err != nil {
				return err
			}
			return tried.report(std.Out, asJSON, failing)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write a JSON array with an object for each file")
	cmd.Flags().BoolVar(&failing, "failing", false, "show only what fails")
	return cmd
}

// triedFile is a file of rules and what became of its cases.
type triedFile struct {
	File     string      `json:"file"`
	Cases    string      `json:"cases"` // the file of the cases
	Rules    int         `json:"rules"` // that raise something
	Hits     int         `json:"hits"`
	Misses   int         `json:"misses"`
	OK       bool        `json:"ok"`
	Failures []triedCase `json:"failures"`
}

type triedCase struct {
	Case   string `json:"case"`
	Reason string `json:"reason"`
	Record string `json:"record,omitempty"`
}

type triedFiles []triedFile

// tryRules tries the cases of each file.
func tryRules(ctx context.Context, set *stream.Set, progressTo io.Writer) (triedFiles, error) {
	tried := triedFiles{}
	at := map[string]int{}
	of := func(file string) *triedFile {
		i, known := at[file]
		if !known {
			i = len(tried)
			at[file] = i
			tried = append(tried, triedFile{File: file, Cases: casesOf(file), Failures: []triedCase{}})
		}
		return &tried[i]
	}
	for _, rule := range set.Rules.Rules {
		if f := of(rule.File); !rule.Silent {
			f.Rules++
		}
	}
	for _, c := range set.Correlations {
		if f := of(c.File); !c.Silent {
			f.Rules++
		}
	}
	for _, r := range set.Refusals {
		f := of(r.File)
		f.Failures = append(f.Failures, triedCase{Case: fmt.Sprintf("line %d", r.Line), Reason: "refused: " + r.Reason})
	}
	bar := newProgress(progressTo, len(tried))
	defer bar.end()
	decode := lineDecoder()
	for i := range tried {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		tried[i].try(set, decode)
		bar.step(!tried[i].OK)
	}
	slices.SortStableFunc(tried, func(a, b triedFile) int { return strings.Compare(a.File, b.File) })
	return tried, nil
}

func casesOf(file string) string {
	return strings.TrimSuffix(strings.TrimSuffix(file, ".yml"), ".yaml") + ruletest.Suffix
}

// try runs the cases of one file.
func (f *triedFile) try(set *stream.Set, decode func(string) *event.Event) {
	if f.Rules > 0 {
		f.run(set, decode)
	}
	f.OK = len(f.Failures) == 0
}

func (f *triedFile) run(set *stream.Set, decode func(string) *event.Event) {
	fail := func(reason string) { f.Failures = append(f.Failures, triedCase{Case: "cases", Reason: reason}) }
	if strings.Contains(f.File, "!") {
		fail("cases are not looked for in archives: unpack it")
		return
	}
	content, err := fs.ReadFile(set.Files, f.Cases)
	if errors.Is(err, fs.ErrNotExist) {
		fail("no cases: a hit and a near miss belong into " + f.Cases)
		return
	}
	if err != nil {
		fail(err.Error())
		return
	}
	cases, err := ruletest.Parse(content)
	if err != nil {
		fail(f.Cases + ": " + err.Error())
		return
	}
	f.Hits, f.Misses = len(cases.Hit), len(cases.Miss)
	for _, failed := range ruletest.NewTrial(f.File, set.Rules, set.Table, decode).Run(cases) {
		f.Failures = append(f.Failures, triedCase{failed.Case, failed.Reason, failed.Record})
	}
}

// lineDecoder makes events of syslog lines as the service does. Lines without
// a year are of the year before this moment.
func lineDecoder() func(line string) *event.Event {
	decoder := newDecoder(vsphere.Options{Replay: true})
	parser := syslog.Parser{Reference: time.Now()}
	return func(line string) *event.Event {
		var m syslog.Message
		parser.Parse(line, &m)
		ev := new(event.Event)
		decoder.Decode(&m, ev)
		return ev
	}
}

func (t triedFiles) report(to io.Writer, asJSON, failing bool) error {
	failed := 0
	shown := triedFiles{}
	for i := range t {
		if !t[i].OK {
			failed++
		}
		if !failing || !t[i].OK {
			shown = append(shown, t[i])
		}
	}
	var err error
	if asJSON {
		err = oneJSON(to, shown)
	} else {
		err = t.table(to, shown, failed)
	}
	if err == nil && failed > 0 {
		err = said{errors.New("some rules fail their cases")}
	}
	return err
}

// widestRecord is how much of a case's record a table shows.
const widestRecord = 160

func (t triedFiles) table(to io.Writer, shown triedFiles, failed int) error {
	var rules, hits, misses int
	for i := range t {
		rules, hits, misses = rules+t[i].Rules, hits+t[i].Hits, misses+t[i].Misses
	}
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RESULT\tHITS\tMISSES\tFILE")
	for i := range shown {
		f := &shown[i]
		word := "ok"
		if !f.OK {
			word = "FAIL"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", word, f.Hits, f.Misses, plain(f.File))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	for i := range shown {
		for _, c := range shown[i].Failures {
			fmt.Fprintf(to, "%s: %s: %s\n", plain(shown[i].File), plain(c.Case), plain(c.Reason))
			if c.Record != "" {
				fmt.Fprintf(to, "    %s\n", cut(c.Record, widestRecord))
			}
		}
	}
	_, err := fmt.Fprintf(to, "\n%s, %s, %d near misses: %d of %s fail\n",
		counted(rules, "rule"), counted(hits, "hit"), misses, failed, counted(len(t), "file"))
	return err
}
