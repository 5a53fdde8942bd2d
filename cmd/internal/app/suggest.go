package app

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/vegress/vegress/analytics/behavior"
	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/analytics/names"
	"github.com/vegress/vegress/analytics/risk"
	"github.com/vegress/vegress/analytics/suggest"
	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
)

func newSuggestCommand(std Streams) *cobra.Command {
	var flags natsFlags
	var asJSON bool
	since := span(7 * 24 * time.Hour)
	cmd := &cobra.Command{
		Use:   "suggest [FILE...]",
		Short: "Propose roles and justifications for what is regular, as YAML",
		Long: `Suggest looks over the external connections that nothing justified, in the
events that a running service has stored, or in files of events as "vegress
replay" writes them ("-" is standard input). What is regular it proposes to
justify: entries for roles and justifications, ready to paste, each with who,
what, how often and when. What a finding of another kind, a risky service or a
machine that is not known has to do with, it lists apart, with the reason.

Read each proposal before you paste it: regular is not the same as allowed.`,
		Example: `  vegress suggest --since 7d
  vegress suggest --since 36h --json | jq .not_proposed
  vegress replay --inventory vms.json host.log | vegress suggest -`,
		Args: argCount(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && cmd.Flags().Changed("since") {
				return usage(errors.New("--since is for stored events: files are read whole"))
			}
			taken, err := namesTaken(flags.config)
			if err != nil {
				return usage(err)
			}
			s := newSurveyor(std.Err, taken)
			if len(args) > 0 {
				err = s.files(cmd.Context(), std.In, args)
			} else {
				err = s.stored(cmd.Context(), std, &flags, time.Now().Add(-time.Duration(since)))
			}
			if err != nil {
				return err
			}
			return s.write(std.Out, asJSON, time.Now())
		},
	}
	flags.register(cmd)
	cmd.Flags().Var(&since, "since", "look at what was stored so long ago, as 7d or 36h")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write the proposals, and what is not proposed, as one JSON object")
	return cmd
}

// namesTaken are the names of the roles and justifications that are configured.
func namesTaken(file string) (all []string, err error) {
	config, err := configs.Load(file, nil)
	if err != nil {
		return nil, err
	}
	for _, r := range config.Roles {
		all = append(all, r.Name)
	}
	for _, j := range config.Egress.Justifications {
		all = append(all, j.Name)
	}
	return all, nil
}

// span is a duration that also takes days: 7d.
type span time.Duration

func (s *span) String() string {
	if d := time.Duration(*s); d != 0 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return time.Duration(*s).String()
}

// Set is for package pflag.
func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n float64
		n, err = strconv.ParseFloat(days, 64)
		d = time.Duration(n * 24 * float64(time.Hour))
	}
	if err != nil || d <= 0 || d > maxSpan {
		return fmt.Errorf("want a duration above 0 and up to %s, as 7d or 36h", (*span)(new(maxSpan)))
	}
	*s = span(d)
	return nil
}

// maxSpan bounds how far suggest looks back.
const maxSpan = 366 * 24 * time.Hour

// Type is for package pflag.
func (s *span) Type() string { return "duration" }

// surveyor reads events and findings with several goroutines into a Survey:
// reading them is what takes the time.
type surveyor struct {
	mu     sync.Mutex
	survey *suggest.Survey
	events int64

	work    chan func(*[]event.Event)
	workers sync.WaitGroup
	watch   reading
}

// aboutEgress says that an analytic's findings are what suggest is about, or
// what such add up to.
func aboutEgress(analytic string) bool {
	return analytic == risk.Analytic || analytic == egress.Unjustified || analytic == behavior.Beacon || analytic == behavior.Volume || analytic == behavior.Hours
}

// raisedByAmount says that nothing but how much was sent, and when, raised a
// plain finding.
func raisedByAmount(f *event.Finding) bool {
	if f.Analytic.UID == egress.Unjustified {
		return egress.RaisedByAmount(f)
	}
	return behavior.RaisedByAmount(f)
}

// atOnceLines is how many lines of a file are one piece of work.
const atOnceLines = 256

func newSurveyor(to io.Writer, taken []string) *surveyor {
	s := &surveyor{
		survey: suggest.New(suggest.Options{
			Domain: names.RegistrableDomain, Risky: egress.Risky, ByAmount: raisedByAmount, Plain: aboutEgress, Taken: taken,
		}),
		work:  make(chan func(*[]event.Event), 2*runtime.GOMAXPROCS(0)),
		watch: reading{progress: newProgress(to, 1)},
	}
	for range runtime.GOMAXPROCS(0) {
		s.workers.Go(func() {
			var found []event.Event
			for job := range s.work {
				job(&found)
			}
		})
	}
	return s
}

// stored reads what a service has stored: the findings that are open, or were
// since then, and the events.
func (s *surveyor) stored(ctx context.Context, std Streams, flags *natsFlags, since time.Time) error {
	defer s.done()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	nc, err := flags.dial(std, end)
	if err != nil {
		return err
	}
	defer nc.Close()
	open, _, err := forward.OpenFindings(ctx, nc)
	if err != nil {
		return cmp.Or(context.Cause(ctx), hinted(err))
	}
	for _, f := range open {
		s.survey.Finding(f) // no other goroutine has work yet
	}
	for _, o := range []forward.FollowOptions{{Since: since}, {Events: true, Since: since}} {
		if err := s.history(ctx, nc, o); err != nil {
			return cmp.Or(context.Cause(ctx), hinted(err))
		}
	}
	return nil
}

func (s *surveyor) history(ctx context.Context, nc *nats.Conn, o forward.FollowOptions) error {
	total := uint64(0)
	_, err := forward.History(ctx, nc, o, func(m forward.Stored) {
		total = max(total, m.Waiting+1)
		s.watch.show(total-m.Waiting, total)
		s.work <- func(found *[]event.Event) {
			*found = (*found)[:0]
			n := int64(0)
			for line, err := range m.Lines() {
				if err != nil {
					break
				}
				n++
				s.line(line, found)
			}
			s.add(n, *found)
		}
	})
	return err
}

// files reads events and findings, a line of JSON each.
func (s *surveyor) files(ctx context.Context, stdin io.Reader, names []string) error {
	err := s.eachFile(ctx, stdin, names)
	s.done()
	if err == nil && s.survey.Unread > 0 && s.survey.Unread == s.events {
		return fmt.Errorf("read %s: none of the %d lines is an event or a finding; name files of what vegress replay writes", strings.Join(names, ", "), s.events)
	}
	return err
}

func (s *surveyor) eachFile(ctx context.Context, stdin io.Reader, names []string) error {
	for _, name := range names {
		in, _, err := openInput(ctx, stdin, name)
		if err != nil {
			return err
		}
		err = s.lines(ctx, in)
		if err = errors.Join(err, in.Close()); err != nil && ctx.Err() == nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	return ctx.Err()
}

// maxLine bounds a line of JSON, in bytes: a finding is below 256 KiB.
const maxLine = 1 << 20

func (s *surveyor) lines(ctx context.Context, in io.Reader) error {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(make([]byte, 1<<16), maxLine)
	var text []byte
	n := int64(0)
	send := func() {
		piece, count := text, n
		text, n = nil, 0
		s.work <- func(found *[]event.Event) {
			*found = (*found)[:0]
			for line := range bytes.Lines(piece) {
				s.line(bytes.TrimSuffix(line, []byte("\n")), found)
			}
			s.add(count, *found)
		}
	}
	for scanner.Scan() && ctx.Err() == nil {
		if len(scanner.Bytes()) == 0 {
			continue
		}
		text = append(append(text, scanner.Bytes()...), '\n')
		if n++; n == atOnceLines {
			send()
		}
	}
	send()
	return scanner.Err()
}

// Marks of the lines that are worth reading as JSON; most are not.
var (
	markEvent       = []byte(`{"class_uid":`) // as every event and finding begins
	markFinding     = []byte(`"class_uid":2004`)
	markUnjustified = []byte(`"verdict":"unjustified"`)
	markUnknown     = []byte(`"verdict":"unknown"`)
)

// line reads one line; it is called by several goroutines.
func (s *surveyor) line(line []byte, found *[]event.Event) {
	switch {
	case !bytes.HasPrefix(line, markEvent):
		s.mu.Lock()
		s.survey.Unread++
		s.mu.Unlock()
	case bytes.Contains(line[:min(len(line), 64)], markFinding):
		f, err := event.ParseFinding(line)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			s.survey.Unread++
			return
		}
		s.survey.Finding(&f)
	case bytes.Contains(line, markUnjustified), bytes.Contains(line, markUnknown):
		ev, err := event.Parse(line)
		if err == nil {
			*found = append(*found, ev)
			return
		}
		s.mu.Lock()
		s.survey.Unread++
		s.mu.Unlock()
	}
}

func (s *surveyor) add(n int64, found []event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events += n
	for i := range found {
		s.survey.Add(&found[i])
	}
}

func (s *surveyor) done() {
	close(s.work)
	s.workers.Wait()
	s.watch.end()
}

func (s *surveyor) write(to io.Writer, asJSON bool, now time.Time) error {
	s.survey.Events = s.events
	if s.survey.Last.After(now) {
		now = s.survey.Last
	}
	report := s.survey.Propose(now)
	if asJSON {
		return json.NewEncoder(to).Encode(report)
	}
	_, err := io.WriteString(to, report.YAML())
	return err
}

// reading shows how far reading is, on a terminal.
type reading struct {
	*progress
	last time.Time
}

const showEvery = 200 * time.Millisecond

func (r *reading) show(n, total uint64) {
	if r.to == nil || time.Since(r.last) < showEvery {
		return
	}
	r.last = time.Now()
	fmt.Fprintf(r.to, "\rreading  %3d %%  (%d of %d packs)\x1b[K", 100*n/max(total, 1), n, total)
}
