package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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
	show := showFinding
	switch {
	case asJSON:
		show = showLine
	case o.Events:
		show = showEvent
	}
	out := bufio.NewWriter(std.Out)
	for line, err := range forward.Follow(ctx, nc, o) {
		if err != nil {
			fmt.Fprintf(std.Err, "vegress: %v\n", err)
			continue
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

// showFinding writes a finding for a person: the title, then the reasons.
func showFinding(to io.Writer, line []byte) error {
	f, err := event.ParseFinding(line)
	if err != nil {
		return showLine(to, line)
	}
	return printFinding(to, &f)
}

func printFinding(to io.Writer, f *event.Finding) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-13s %-7s %s  [%s]\n", f.LastSeen.UTC().Format("2006-01-02 15:04:05"), plain(f.Severity.String()),
		activityWord(f), plain(f.Title), f.Analytic.UID)
	if f.Activity == event.FindingCreate {
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
	verdict := ""
	if ev.Justification.Verdict != event.VerdictNone {
		verdict = "  " + ev.Justification.Verdict.String()
	}
	_, err = fmt.Fprintf(to, "%s  %-16s %s  %s%s\n", ev.Time.UTC().Format("2006-01-02 15:04:05"), ev.Class.Name(),
		plain(ev.Device.Hostname), plain(ev.Raw), verdict)
	return err
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
