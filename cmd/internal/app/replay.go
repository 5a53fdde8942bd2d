package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/configs"
)

type replayFlags struct {
	config    string
	source    string
	inventory string
	rules     []string
	output    []string
	reference string
	json      bool
}

func newReplayCommand(std Streams) *cobra.Command {
	var flags replayFlags
	cmd := &cobra.Command{
		Use:   "replay FILE...",
		Short: "Run the whole pipeline over files",
		Long: `Replay reads recorded syslog, one record a line ("-" is standard input; gzip is
unpacked), or what --source names: telemetry of endpoints and network sensors
(one record a line, a list or pretty-printed objects of JSON, tab-separated logs
with their headers), a packet capture, or with --source ipfix exported flows:
messages of IPFIX or NetFlow 9 as they were sent, or a packet capture (pcap,
pcapng) of them. With --source auto it sees from the first record of a file
what that is, where that is certain, and takes it for syslog where not.

It writes what the service would have forwarded: events and findings as OCSF
JSON, one object a line, in the order of the input. A summary goes to standard
error. The same input gives the same bytes, always. Ctrl-C ends it with what it
has so far, and exit code 1.`,
		Example: `  vegress replay esx01.log
  vegress replay --inventory inventory.json --config vegress.yaml *.log.gz
  vegress replay --source ipfix --inventory inventory.json flows.pcap
  vegress replay --rules rules/ --rules more.yml --output findings esx01.log
  vegress replay --source winlog Sysmon.json
  vegress replay conn.log dns.log audit.log
  zcat esx01.log.gz | vegress replay --output findings -`,
		Args: argCount(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			return replay(cmd.Context(), std, flags, files)
		},
	}
	cmd.Flags().StringVar(&flags.config, "config", "", "configuration `file` (roles, justifications, networks, catalogue)")
	cmd.Flags().StringVar(&flags.source, "source", "auto", "what the files hold: "+strings.Join(replaySources(), ", "))
	cmd.Flags().StringVar(&flags.inventory, "inventory", "", "inventory `file`, as \"vegress inventory export\" writes it")
	cmd.Flags().StringArrayVar(&flags.rules, "rules", nil, "file, folder or archive of Sigma rules, as `path`: these only, instead of the built-in and the configured ones; may be repeated")
	cmd.Flags().StringSliceVar(&flags.output, "output", []string{"events", "findings"}, "what to write")
	cmd.Flags().StringVar(&flags.reference, "reference-time", "", "RFC 3339 time near which records without a year lie (default: the file's modification time)")
	cmd.Flags().BoolVar(&flags.json, "json", false, "write the summary as a JSON object")
	return cmd
}

// replaySummary is what replay says at its end, on standard error.
type replaySummary struct {
	Records    int64             `json:"records"`
	Events     int64             `json:"events"`
	Joined     int64             `json:"joined"`
	Malformed  map[string]int64  `json:"malformed"`
	Recognized map[string]uint64 `json:"recognized"` // by program
	Plain      uint64            `json:"plain"`      // other messages of known programs
	Unknown    uint64            `json:"unknown"`    // of no known program
	Findings   int64             `json:"findings"`   // revisions of findings
	Rules      ruleSummary       `json:"rules"`
	Flows      *flowSummary      `json:"flows,omitempty"`

	Sources map[string]sourceSummary `json:"sources,omitempty"` // of telemetry
}

func replay(ctx context.Context, std Streams, flags replayFlags, files []string) error {
	reference, err := flags.check()
	if err != nil {
		return usage(err)
	}
	r, err := newReplayer(std.Out, flags)
	if err != nil {
		return err
	}
	sayRefusals(std.Err, r.policy.rules.Refusals())
	for _, file := range files {
		if err := r.file(ctx, std.In, file, reference); err != nil {
			return errors.Join(err, r.out.Flush()) // whole lines, as far as it came
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	return r.summarize(std.Err, flags.json)
}

// overrides are the keys that flags stand in for.
func (f *replayFlags) overrides() map[string]any {
	if len(f.rules) == 0 {
		return nil
	}
	return map[string]any{"rules.builtin": false, "rules.paths": f.rules}
}

func (f *replayFlags) check() (reference time.Time, err error) {
	if known := replaySources(); !slices.Contains(known, f.source) {
		return reference, fmt.Errorf("--source is %q: must be one of %s%s", f.source, strings.Join(known, ", "), configs.DidYouMean(f.source, known))
	}
	for _, what := range f.output {
		if what != "events" && what != "findings" {
			return reference, fmt.Errorf("--output has %q: must be events, findings, or both with a comma", what)
		}
	}
	if f.reference == "" {
		return reference, nil
	}
	if reference, err = time.Parse(time.RFC3339, f.reference); err != nil {
		return reference, fmt.Errorf("--reference-time is %q: must be RFC 3339, as 2026-11-22T06:00:00Z", f.reference)
	}
	return reference, nil
}
