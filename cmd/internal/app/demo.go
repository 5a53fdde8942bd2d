package app

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/simulator"
)

type demoFlags struct {
	duration time.Duration
	json     bool
	keep     bool
	seed     uint64
	vcenter  string
	username string
	password string
}

func newDemoCommand(std Streams) *cobra.Command {
	var flags demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See all of it work: a simulated estate, its syslog, and what is found in it",
		Long: `Demo starts a simulated vCenter (vcsim) with hosts and VMs, runs vegress against
it, and lets the hosts send one night of syslog over UDP, TCP and TLS in a few
seconds: honest backups and patches, and some stories that should be found.
Findings are read back from NATS as any consumer would. It ends with a table of
what was found and what was missed; exit code 1 when something was missed or
found in error, or when Ctrl-C came before the end.`,
		Example: `  vegress demo
  vegress demo --for 1m --keep
  vegress demo --json | tail -n 1 | jq .summary
  vegress demo --vcenter https://127.0.0.1:8989/sdk    # a vcsim of your own`,
		Args: argCount(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.duration < shortestDemo {
				return usage(fmt.Errorf("--for is %s: a night needs %s at least", flags.duration, shortestDemo))
			}
			return demoTo(cmd.Context(), std, flags)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&flags.duration, "for", 20*time.Second, "wall time that the simulated night takes")
	f.BoolVar(&flags.json, "json", false, "write findings as JSON, one a line, and the summary last")
	f.BoolVar(&flags.keep, "keep", false, "go on until Ctrl-C, for a look at NATS and the metrics")
	f.Uint64Var(&flags.seed, "seed", 1, "the same seed gives the same night")
	f.StringVar(&flags.vcenter, "vcenter", "", "`URL` of a running vcsim to use instead of an own one")
	f.StringVar(&flags.username, "username", "user", "account on that vcsim")
	f.StringVar(&flags.password, "password", "pass", "its password")
	return cmd
}

// demoTo ends the demo when nobody reads it any more, as in vegress demo | head:
// quietly, but not before it has cleaned up.
func demoTo(ctx context.Context, std Streams, flags demoFlags) error {
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	std.Out = watched{std.Out, end}
	err := demo(ctx, std, flags)
	if unread := (said{}); errors.As(context.Cause(ctx), &unread) {
		return unread
	}
	return err
}

// watched is an output; what cannot be written ends the command.
type watched struct {
	io.Writer
	end context.CancelCauseFunc
}

// Write is for package io.
func (w watched) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		w.end(said{fmt.Errorf("write output: %w", err)})
	}
	return n, err
}

// shortestDemo is the least time for a night: in less, what a busy machine is
// late by is hours of simulated time, and cannot be told from silence.
const shortestDemo = 5 * time.Second

// show is a demo while it runs.
type show struct {
	flags   demoFlags
	std     Streams
	dir     string // gone with the show
	estate  *simulator.Estate
	traffic *simulator.Traffic
	flows   *simulator.Flows
	app     *App
	tls     *tls.Config // of the senders
	sensed  int64       // records of sensors that were posted

	mu       sync.Mutex
	findings map[string]*event.Finding // last revision, by uid
	seen     int64                     // revisions
	paths    logPaths
}

func demo(ctx context.Context, std Streams, flags demoFlags) (err error) {
	dir, err := os.MkdirTemp("", "vegress-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := &show{flags: flags, std: std, dir: dir, findings: map[string]*event.Finding{}}
	if s.estate, err = s.openEstate(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.estate.Close()) }()
	s.traffic = s.estate.Site.Traffic()
	s.flows = s.traffic.Flows(demoFlows)
	return s.run(ctx)
}

// run is the show between the estate's rise and its fall.
func (s *show) run(ctx context.Context) error {
	config, err := s.config()
	if err != nil {
		return err
	}
	log, _, err := newLogger(s.std.Err, config.Log)
	if err != nil {
		return err
	}
	o := Options{Config: config, Logger: log, Clock: s.traffic.Clock, Flows: demoBounds, Exporter: s.flows.Exporter}
	if s.app, err = New(ctx, o); err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.app.Run(running) }()
	played, err := s.play(ctx, ended)
	if err != nil {
		stop()
		return errors.Join(err, <-ended)
	}
	result := s.result(played)
	err = s.report(&result)
	if s.flags.keep {
		s.note("\nStill running, until Ctrl-C:\n  vegress tail --nats %s --since 24h\n  curl http://%s/metrics\n", s.app.broker.ClientURL(), s.app.adminAddr())
		<-ctx.Done()
	}
	stop()
	return errors.Join(err, <-ended, result.err())
}

// play sends the night and waits until all of it has arrived at the end.
func (s *show) play(ctx context.Context, ended chan error) (simulator.Played, error) {
	if err := s.await(ctx, ended, s.app.health.ready.Load); err != nil {
		return simulator.Played{}, fmt.Errorf("start vegress: %w", err)
	}
	if !s.app.health.ready.Load() {
		return simulator.Played{}, errors.New("start vegress: not ready in time")
	}
	s.introduce()
	nc, err := forward.Dial(s.app.broker.ClientURL(), "", "", s.app.log)
	if err != nil {
		return simulator.Played{}, err
	}
	following, stop := context.WithCancel(ctx)
	var follower sync.WaitGroup
	defer func() { stop(); follower.Wait(); nc.Close() }()
	follower.Go(func() {
		// From the beginning: the stream is the demo's own.
		o := forward.FollowOptions{Since: time.Unix(1, 0)}
		for line, err := range forward.Follow(following, nc, o) {
			s.finding(line, err)
		}
	})
	if err := s.paths.follow(nc); err != nil {
		return simulator.Played{}, err
	}
	exporting, sensing := make(chan error, 1), make(chan error, 1)
	follower.Go(func() { exporting <- s.playFlows(following) })
	follower.Go(func() { sensing <- s.playGuests(following) })
	played, err := s.traffic.Play(ctx, simulator.PlayOptions{Targets: s.targets(), TLS: s.tls, For: s.flags.duration})
	if err != nil {
		return played, fmt.Errorf("send the simulated lines: %w", err)
	}
	if err := errors.Join(<-exporting, <-sensing); err != nil {
		return played, err
	}
	sent := played.Records + int64(s.flows.Truth().Records) + s.sensed
	if err := s.await(ctx, ended, func() bool { return s.settled(sent) }); err != nil {
		return played, err
	}
	return played, s.await(ctx, ended, func() bool { return s.paths.settled(ctx, s.app, s.traffic.Truth().Paths) })
}

// settled says that all records sent are accounted for, and all findings that
// were stored came back.
func (s *show) settled(sent int64) bool {
	a := s.app.account()
	lost := int64(s.app.listenerStats().KernelDrops)
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.InFlight == 0 && a.Received+lost >= sent && s.seen >= s.app.publisher.Stats().Findings
}

// await polls until the condition holds; at most half a minute. It ends early
// when the service does.
func (s *show) await(ctx context.Context, ended chan error, holds func() bool) error {
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return nil // what is missing then shows in the summary
		case err := <-ended:
			ended <- err
			return errors.New("the service ended")
		case <-look.C:
		}
	}
	return nil
}

// finding takes a revision that came back from NATS, and shows it.
func (s *show) finding(line []byte, err error) {
	if err != nil {
		fmt.Fprintf(s.std.Err, "vegress: %v\n", err)
		return
	}
	f, err := event.ParseFinding(line)
	if err != nil {
		fmt.Fprintf(s.std.Err, "vegress: %v\n", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen++
	s.findings[f.UID] = &f
	if s.flags.json {
		_ = showLine(s.std.Out, line)
	} else if f.Activity == event.FindingCreate {
		_ = printFinding(s.std.Out, &f, false)
	}
}

// note tells a person something; programs are not told.
func (s *show) note(format string, args ...any) {
	if !s.flags.json {
		fmt.Fprintf(s.std.Out, format, args...)
	}
}

func (s *show) introduce() {
	site := s.estate.Site
	s.note("A vSphere estate of %d hosts and %d VMs behind vCenter %s,\n", len(site.Hosts), len(site.VMs), s.estate.URL())
	s.note("one night of its syslog (%s to %s) in %s, to %s;\n", s.traffic.Start().Format("2006-01-02 15:04"),
		s.traffic.End().Format("15:04"), s.flags.duration, strings.Join(s.targets(), ", "))
	s.note("of its flows (IPFIX, NetFlow) to %s,\n", s.app.flowListeners()[0])
	s.note("and of the sensors in some guests to http://%s/ingest.\n", s.app.adminAddr())
	s.note("Findings, as they arrive on NATS (%s)\n\n", s.app.broker.ClientURL())
}

// result is what the demo says at its end.
type result struct {
	Sent         int64            `json:"sent"`
	Received     int64            `json:"received"`
	Forwarded    int64            `json:"forwarded"`
	Joined       int64            `json:"joined"`
	Deduplicated int64            `json:"deduplicated"`
	Dropped      map[string]int64 `json:"dropped"`
	Sensed       int64            `json:"sensed"` // of them, records of sensors in guests
	Flows        flowResult       `json:"flows"`
	Stories      stories          `json:"stories"`
}

// stories holds what was found against what there was to find.
type stories struct {
	Expected int      `json:"expected"`
	Found    int      `json:"found"`
	Missed   []string `json:"missed"`
	False    []string `json:"false"`
}

func (s *show) result(played simulator.Played) result {
	a := s.app.account()
	r := result{
		Received: a.Received, Forwarded: a.Forwarded, Joined: a.Joined,
		Deduplicated: a.Deduplicated, Dropped: map[string]int64{}, Flows: s.flowResult(),
	}
	r.Sent, r.Sensed = played.Records+r.Flows.Sent+s.sensed, s.sensed
	for reason, n := range a.Dropped {
		if n > 0 {
			r.Dropped[reason] = n
		}
	}
	if n := s.app.listenerStats().KernelDrops; n > 0 {
		r.Dropped["udp_kernel"] = int64(n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Stories = judge(s.told(), s.findings)
	r.Stories.add(s.traffic.Truth().Paths, &s.paths)
	return r
}

// err is what makes the demo a failure.
func (r *result) err() error {
	if len(r.Stories.Missed)+len(r.Stories.False) == 0 {
		return nil
	}
	return fmt.Errorf("%d stories missed, %d false findings", len(r.Stories.Missed), len(r.Stories.False))
}

func (s *show) report(r *result) error {
	if s.flags.json {
		return json.NewEncoder(s.std.Out).Encode(map[string]*result{"summary": r})
	}
	return r.print(s.std.Out, s.told(), s.traffic.Truth().Paths)
}

func (r *result) print(to io.Writer, told []simulator.Story, paths []simulator.Path) error {
	var b strings.Builder
	b.WriteString("\nStories\n")
	line := func(found, id, title string) {
		if slices.Contains(r.Stories.Missed, id) {
			found = "MISSED"
		}
		fmt.Fprintf(&b, "  %s  %-22s %s\n", found, id, title)
	}
	for i := range told {
		story := &told[i]
		line("found ", story.ID, story.Title)
		for _, sign := range story.Signs {
			if id := signID(story, sign); slices.Contains(r.Stories.Missed, id) {
				line("found ", id, "")
			} else {
				line("found ", "", "by more, too: "+sign.Title)
			}
		}
	}
	for _, path := range paths {
		line("noted ", path.ID, path.Title+" (no finding, state "+path.State+")")
	}
	for _, title := range r.Stories.False {
		fmt.Fprintf(&b, "  FALSE   %s\n", title)
	}
	fmt.Fprintf(&b, "\n  stories %d   found %d   missed %d   false %d\n", r.Stories.Expected, r.Stories.Found,
		len(r.Stories.Missed), len(r.Stories.False))
	fmt.Fprintf(&b, "  records sent %d   received %d   forwarded %d   joined %d   deduplicated %d   dropped %d\n", r.Sent,
		r.Received, r.Forwarded, r.Joined, r.Deduplicated, sum(r.Dropped))
	r.Flows.print(&b)
	_, err := io.WriteString(to, b.String())
	return err
}

func sum(counts map[string]int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}
