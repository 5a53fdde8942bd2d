package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
)

func newTailCommand(std Streams) *cobra.Command {
	var flags natsFlags
	var only tailFilter
	var events, asJSON bool
	var since time.Duration
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Follow findings, or events, of a running service",
		Long: `Tail shows findings as they are stored, or events with --events, until Ctrl-C
(exit code 0). Without --since it begins with what comes from now on. While the
server is away it waits, and then goes on where it was.

Filters can be joined; all must fit. --match looks into the names and addresses
of the machines at both ends, of the VMs and services behind them, and of the
host that wrote the line.`,
		Example: `  vegress tail
  vegress tail --since 24h --severity high
  vegress tail --since 24h --json | jq .finding_info.title
  vegress tail --events --verdict unjustified --match crm-app02
  vegress tail --nats tls://reader:PASSWORD@vegress.example.com:4222 --ca-file ca.pem`,
		Args: argCount(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if since < 0 {
				return usage(fmt.Errorf("--since is %s: must not be negative", since))
			}
			wanted, err := only.compile(events)
			if err != nil {
				return usage(err)
			}
			ctx, end := context.WithCancelCause(cmd.Context())
			defer end(nil)
			nc, err := flags.dial(std, end)
			if err != nil {
				return err
			}
			defer nc.Close()
			o := forward.FollowOptions{Events: events}
			if since > 0 {
				o.Since = time.Now().Add(-since)
			}
			return tail(ctx, std, nc, o, wanted, asJSON)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&events, "events", false, "follow events instead of findings")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write OCSF JSON, one object a line")
	cmd.Flags().DurationVar(&since, "since", 0, "begin with what was stored so long ago, as 90m or 24h")
	only.register(cmd)
	return cmd
}

// tail writes what comes until ctx ends. The cause of that is an error, unless
// it is the user's wish.
func tail(ctx context.Context, std Streams, nc *nats.Conn, o forward.FollowOptions, wanted func([]byte) bool, asJSON bool) error {
	show := findingsShown()
	switch {
	case asJSON:
		show = showLine
	case o.Events:
		show = showEvent
	}
	server := forward.Redacted(nc.ConnectedUrl())
	// Nobody waits for the answer of a server that is away.
	stop := context.AfterFunc(ctx, func() {
		if !nc.IsConnected() {
			nc.Close()
		}
	})
	defer stop()
	if err := hasStream(ctx, nc, o); ctx.Err() != nil {
		return denied(ctx, server)
	} else if err != nil {
		return hinted(fmt.Errorf("read from NATS at %s: %w", server, err))
	}
	out := bufio.NewWriter(std.Out)
	var away error
	for line, err := range forward.Follow(ctx, nc, o) {
		switch {
		case err != nil && hopeless(err):
			return hinted(fmt.Errorf("read from NATS at %s: %w", server, err))
		case err != nil && away == nil && ctx.Err() == nil: // once: it is tried again until it is back
			fmt.Fprintf(std.Err, "vegress: reading from NATS at %s: %v; trying again\n", server, err)
		case err == nil && away != nil:
			fmt.Fprintf(std.Err, "vegress: connected again\n")
		}
		if away = err; err != nil || !wanted(line) {
			continue
		}
		if err := errors.Join(show(out, line), out.Flush()); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	if ctx.Err() == nil { // it could not even begin
		return hinted(fmt.Errorf("read from NATS at %s: %w", server, away))
	}
	return denied(ctx, server)
}

// denied is why ctx ended, unless the user wished it.
func denied(ctx context.Context, server string) error {
	if cause := (deniedError{}); errors.As(context.Cause(ctx), &cause) {
		return fmt.Errorf("read from NATS at %s: %w", server, cause)
	}
	return nil
}

func showLine(to io.Writer, line []byte) error {
	_, err := fmt.Fprintf(to, "%s\n", line)
	return err
}

// maxShown bounds the findings whose severity findingsShown remembers.
const maxShown = 10000

// findingsShown writes findings for a person: the title, then the reasons,
// again when the severity has risen.
func findingsShown() func(io.Writer, []byte) error {
	severity := map[string]event.Severity{}
	return func(to io.Writer, line []byte) error {
		f, err := event.ParseFinding(line)
		if err != nil {
			return showLine(to, line)
		}
		was, known := severity[f.UID]
		if len(severity) >= maxShown {
			clear(severity)
		}
		severity[f.UID] = f.Severity
		return printFinding(to, &f, known && f.Severity > was)
	}
}

// clockTime is a time as people read it here: UTC, and saying so.
func clockTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// printFinding writes one revision; the reasons with the first one, and when
// they are asked for.
func printFinding(to io.Writer, f *event.Finding, withReasons bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-13s %-11s %s  [%s %.8s]\n", clockTime(f.LastSeen), f.Severity, activityWord(f), plain(f.Title), plain(f.Analytic.UID), plain(f.UID))
	if f.Activity == event.FindingCreate || withReasons {
		for _, sentence := range f.Explanation {
			fmt.Fprintf(&b, "    - %s\n", plain(sentence))
		}
	}
	_, err := io.WriteString(to, b.String())
	return err
}

func activityWord(f *event.Finding) string {
	switch f.Activity {
	case event.FindingCreate:
		return "new"
	case event.FindingClose:
		return fmt.Sprintf("closed x%d", f.Count)
	}
	return fmt.Sprintf("x%d", f.Count)
}

// showEvent writes an event for a person, on one line.
func showEvent(to io.Writer, line []byte) error {
	ev, err := event.Parse(line)
	if err != nil {
		return showLine(to, line)
	}
	_, err = fmt.Fprintf(to, "%s  %-16s %s%s  %s\n", clockTime(ev.Time), ev.Class.Name(),
		plain(ev.Device.Hostname), plain(connection(&ev)), plain(ev.Raw))
	return err
}

// connection is what vegress adds to a flow: who it was, and the verdict.
func connection(ev *event.Event) string {
	if ev.Justification.Verdict == event.VerdictNone {
		return ""
	}
	said := ev.Justification.Verdict.String()
	if reason := ev.Justification.Reason.String(); reason != "" {
		said += " (" + reason + ")"
	}
	return fmt.Sprintf("  %s -> %s %s", end(&ev.Src), end(&ev.Dst), said)
}

// end names one end of a connection as well as it is known.
func end(p *event.Endpoint) string {
	name := p.Hostname
	if p.Context.VM != nil {
		name = p.Context.VM.Name
	}
	if name == "" && p.IP.IsValid() {
		name = p.IP.String()
	}
	if p.Port != 0 {
		return net.JoinHostPort(name, strconv.Itoa(int(p.Port)))
	}
	return name
}

// plain keeps control characters of what came from the network off the
// terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
