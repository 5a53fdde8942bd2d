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

	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
)

// natsFlags say which NATS server a command reads.
type natsFlags struct {
	config      string
	url         string
	credentials string
	caFile      string
}

func (f *natsFlags) register(cmd *cobra.Command) {
	configFlag(cmd, &f.config)
	cmd.Flags().StringVar(&f.url, "nats", "", "`URL` of the NATS server (default: the configured forward.listen); user:password@ goes before the host")
	cmd.Flags().StringVar(&f.credentials, "credentials", "", "NATS credentials `file`")
	cmd.Flags().StringVar(&f.caFile, "ca-file", "", "PEM `file` with the certificates to trust")
}

// dial connects to the server that the flags or the configuration name.
func (f *natsFlags) dial(std Streams) (*nats.Conn, error) {
	url := f.url
	if url == "" {
		config, err := configs.Load(f.config, nil)
		if err != nil {
			return nil, usage(err)
		}
		if url, err = listenURL(config.Forward.Broker.Listen); err != nil {
			return nil, usage(err)
		}
	}
	log, _, err := newLogger(std.Err, configs.Log{Level: "warn", Format: "text"})
	if err != nil {
		return nil, err
	}
	return forward.Dial(url, f.credentials, f.caFile, log)
}

func listenURL(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", errors.New("forward.listen is empty: the service takes no clients; name a server with --nats")
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return "nats://" + net.JoinHostPort(host, port), nil
}

func newTailCommand(std Streams) *cobra.Command {
	var flags natsFlags
	var events, asJSON bool
	var since time.Duration
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Follow findings, or events, of a running service",
		Example: `  vegress tail
  vegress tail --since 24h --json | jq .finding_info.title
  vegress tail --events --nats nats://127.0.0.1:4222`,
		Args: argCount(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			nc, err := flags.dial(std)
			if err != nil {
				return err
			}
			defer nc.Close()
			o := forward.FollowOptions{Events: events}
			if since > 0 {
				o.Since = time.Now().Add(-since)
			}
			return tail(cmd.Context(), std, nc, o, asJSON)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&events, "events", false, "follow events instead of findings")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write OCSF JSON, one object a line")
	cmd.Flags().DurationVar(&since, "since", 0, "begin with what was stored so long ago")
	return cmd
}

// tail writes what comes until ctx ends.
func tail(ctx context.Context, std Streams, nc *nats.Conn, o forward.FollowOptions, asJSON bool) error {
	show := findingsShown()
	switch {
	case asJSON:
		show = showLine
	case o.Events:
		show = showEvent
	}
	out := bufio.NewWriter(std.Out)
	away := false
	for line, err := range forward.Follow(ctx, nc, o) {
		if err != nil {
			if !away { // once: it is tried again until it is back
				fmt.Fprintf(std.Err, "vegress: reading from NATS at %s: %v; trying again\n", nc.ConnectedUrlRedacted(), err)
			}
			away = true
			continue
		}
		if away {
			away = false
			fmt.Fprintf(std.Err, "vegress: connected again\n")
		}
		if err := errors.Join(show(out, line), out.Flush()); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
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
