// Command vegress takes the syslog of ESXi hosts and vCenters, says which VM,
// host and role is behind each connection, finds external HTTP(S) that nothing
// justifies, and forwards events and findings to NATS. See `vegress --help`.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // windows name time zones, and the machine may have none

	"github.com/vegress/vegress/cmd/internal/app"
)

func main() { os.Exit(run()) }

// run ends softly at the first SIGINT or SIGTERM: what is queued is drained.
// A second signal finds the default handler again and ends the process at
// once.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return app.Main(ctx, os.Args[1:], app.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}
