package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/simulator"
)

type simulateFlags struct {
	simulator.LoadOptions
	caFile   string
	insecure bool
	json     bool
}

func newSimulateCommand(std Streams) *cobra.Command {
	var flags simulateFlags
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Send simulated ESXi and vCenter syslog to a collector",
		Long: `Simulate writes the log lines of a vSphere estate to a syslog listener, to see
it work or to measure it. It sends to the address that --target names and stops
at --for, at --count, or at Ctrl-C, with exit code 0 when something was sent.
Where nobody listens it tries for half a minute.`,
		Example: `  vegress simulate --for 1m --rate 1000
  vegress simulate --target tcp://127.0.0.1:1514 --connections 8 --count 1000000
  vegress simulate --target udp://127.0.0.1:1514 --rate 10000 --for 30s --scenario firewall`,
		Args: argCount(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return simulate(cmd.Context(), std, &flags)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.Target, "target", "tcp://127.0.0.1:1514", "where to: tcp://, udp:// or tls://host:port")
	f.Int64Var(&flags.Rate, "rate", 0, "lines per second in all; 0: as fast as they are taken")
	f.Int64Var(&flags.Count, "count", 0, "stop after so many lines; 0: no end")
	f.DurationVar(&flags.For, "for", 0, "stop after so long; 0: no end")
	f.IntVar(&flags.Hosts, "hosts", 6, "hosts whose lines they are, 3 to 1000")
	f.IntVar(&flags.Connections, "connections", 1, "connections to spread them over, 1 to 1000")
	f.StringVar(&flags.Scenario, "scenario", simulator.ScenarioMix, "mix, firewall or stories")
	f.Uint64Var(&flags.Seed, "seed", 1, "the same seed gives the same estate")
	f.StringVar(&flags.caFile, "ca-file", "", "PEM `file` with the certificates to trust, for tls://")
	f.BoolVar(&flags.insecure, "insecure", false, "take any certificate, for tls://")
	f.BoolVar(&flags.json, "json", false, "write the counts as a JSON object")
	return cmd
}

func simulate(ctx context.Context, std Streams, flags *simulateFlags) error {
	var err error
	if err := flags.check(); err != nil {
		return usage(err)
	}
	if flags.TLS, err = flags.tls(); err != nil {
		return err
	}
	absent := flags.knock(ctx)
	if absent != nil {
		fmt.Fprintf(std.Err, "vegress: nobody takes lines at %s yet, is vegress run listening there? Trying on: %v\n", flags.Target, absent)
	}
	began := time.Now()
	sent, err := simulator.Load(ctx, flags.LoadOptions)
	took := time.Since(began)
	if err != nil && sent.Records == 0 && sent.Errors == 0 {
		return usage(err) // refused before anything was tried
	}
	if err == nil && sent.Records == 0 && (sent.Errors > 0 || absent != nil) {
		err = fmt.Errorf("nothing was sent: nobody takes lines at %s (is vegress run listening there?)", flags.Target)
	}
	if flags.json {
		return errors.Join(err, json.NewEncoder(std.Out).Encode(struct {
			simulator.Counts
			Seconds float64 `json:"seconds"`
		}{sent, took.Seconds()}))
	}
	fmt.Fprintf(std.Out, "%d lines, %d bytes in %.1f s (%.0f lines/s), %d errors, %d in doubt\n",
		sent.Records, sent.Bytes, took.Seconds(), float64(sent.Records)/took.Seconds(), sent.Errors, sent.InDoubt)
	return err
}

// knock sees whether somebody listens. Over UDP nobody can tell.
func (f *simulateFlags) knock(ctx context.Context) error {
	u, err := url.Parse(f.Target)
	if err != nil || u.Scheme != "tcp" && u.Scheme != "tls" || u.Port() == "" {
		return nil // for Load to say
	}
	conn, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return err
	}
	return conn.Close()
}

// check refuses numbers that mean nothing.
func (f *simulateFlags) check() error {
	switch {
	case f.Rate < 0:
		return fmt.Errorf("--rate is %d: must not be negative", f.Rate)
	case f.Count < 0:
		return fmt.Errorf("--count is %d: must not be negative", f.Count)
	case f.For < 0:
		return fmt.Errorf("--for is %s: must not be negative", f.For)
	case f.Connections < 1 || f.Connections > 1000:
		return fmt.Errorf("--connections is %d: must be 1 to 1000", f.Connections)
	case f.Hosts < 3 || f.Hosts > 1000:
		return fmt.Errorf("--hosts is %d: must be 3 to 1000", f.Hosts)
	}
	return nil
}

func (f *simulateFlags) tls() (*tls.Config, error) {
	if !strings.HasPrefix(f.Target, "tls://") {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: f.insecure}
	if f.caFile == "" {
		return config, nil
	}
	text, err := os.ReadFile(f.caFile)
	if err != nil {
		return nil, fmt.Errorf("read --ca-file: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca-file %s holds no PEM certificate", f.caFile)
	}
	return config, nil
}
