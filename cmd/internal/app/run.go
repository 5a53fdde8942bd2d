package app

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/configs"
)

func newRunCommand(std Streams) *cobra.Command {
	var file string
	var listen []string
	var dataDir string
	var flows bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the service",
		Long: `Run receives syslog, enriches, judges, and stores events and findings in the
embedded NATS JetStream server. It works without a configuration file.

SIGHUP reads the configuration again and puts in force what needs no restart:
roles, justifications, networks, egress, business hours, catalogue, rules, limits,
allowed sources, the certificate of the listeners, and the log's level. A bad
file changes nothing. SIGTERM and Ctrl-C drain and stop, with exit code 0; a
second one ends at once.`,
		Example: `  vegress run
  vegress run --config /etc/vegress/vegress.yaml
  vegress run --listen udp://:1514 --listen tcp://:1514 --data-dir /var/lib/vegress`,
		Args: argCount(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			overrides := map[string]any{}
			if cmd.Flags().Changed("listen") {
				overrides["listen.syslog"] = listen
			}
			if flows {
				overrides["listen.ipfix"] = []string{defaultFlows}
			}
			if cmd.Flags().Changed("data-dir") {
				overrides["data_dir"] = dataDir
			}
			return run(cmd.Context(), std, func() (configs.Config, error) { return configs.Load(file, overrides) })
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&flows, "ipfix", false, "take flows (IPFIX, NetFlow 9) at "+defaultFlows+", instead of where listen.ipfix says")
	cmd.Flags().StringSliceVar(&listen, "listen", nil, "syslog `addresses` instead of the configured ones: udp://host:port, tcp://.., tls://..")
	cmd.Flags().StringVar(&dataDir, "data-dir", "", "`folder` for the streams and the inventory's snapshot")
	return cmd
}

// defaultFlows is where --ipfix listens: the port that IANA gave IPFIX.
const defaultFlows = "udp://:4739"

// collectEvery lets the heap grow to three times what is live before garbage is
// collected: little is live, and half the collections are saved. GOGC in the
// environment overrules it.
const collectEvery = 200

// run serves until ctx ends, and reloads at each SIGHUP.
func run(ctx context.Context, std Streams, load func() (configs.Config, error)) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectEvery)
	}
	config, warnings, err := checked(load)
	if err != nil {
		return err
	}
	log, level, err := newLogger(std.Err, config.Log)
	if err != nil {
		return usage(err)
	}
	for _, one := range warnings {
		log.Warn("the configuration works, but look at this", "key", one.Key, "value", strings.Trim(one.Value, `"`), "reason", one.Reason)
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	a, err := New(ctx, Options{Config: config, Logger: log, Level: level})
	if err != nil {
		return err
	}
	reloading, cancel := context.WithCancel(ctx)
	defer cancel()
	var reloads sync.WaitGroup
	reloads.Go(func() { a.reloadAt(reloading, hangup, load) })
	err = a.Run(ctx)
	cancel()
	reloads.Wait()
	return err
}

// newLogger makes the service's own log; its level can be changed later.
func newLogger(to io.Writer, o configs.Log) (*slog.Logger, *slog.LevelVar, error) {
	level := new(slog.LevelVar)
	if err := setLevel(level, o); err != nil {
		return nil, nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	if o.Format == "json" {
		return slog.New(slog.NewJSONHandler(to, options)), level, nil
	}
	return slog.New(slog.NewTextHandler(to, options)), level, nil
}

func setLevel(of *slog.LevelVar, o configs.Log) error {
	level, err := o.SlogLevel()
	if err == nil {
		of.Set(level)
	}
	return err
}
