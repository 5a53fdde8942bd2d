package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/net/netutil"

	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/broker"
	"github.com/vegress/vegress/syslog/server"
	"github.com/vegress/vegress/vsphere/inventory"
)

const (
	// startTimeout bounds the start of the store and its streams.
	startTimeout = 30 * time.Second
	maxShards    = 8
	// maxWeb bounds the connections to listen.http at a time. Others wait.
	maxWeb = 512
	// snapshotName is the inventory's file in the data folder.
	snapshotName = "inventory.json.gz"
)

// openStore starts the embedded NATS server, with its streams, and the
// publisher into them.
func (a *App) openStore(ctx context.Context) error {
	if err := os.MkdirAll(a.config.DataDir, 0o700); err != nil {
		return fmt.Errorf("data_dir: %w (name a folder that this user may write to)", err)
	}
	opts := a.config.Forward.Broker
	opts.StoreDir = filepath.Join(a.config.DataDir, "nats")
	opts.ServerName = "vegress-" + event.Slug(a.config.Collector)
	opts.Logger = a.log.With("component", "nats")
	var err error
	if a.broker, err = broker.Start(opts); err != nil {
		return err
	}
	a.onStop("nats", func(context.Context) error { a.broker.Stop(); return nil })
	if a.conn, err = forward.Connect(a.broker, a.log); err != nil {
		return err
	}
	a.onStop("nats connection", func(context.Context) error { a.conn.Close(); return nil })
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := a.ensureStreams(ctx); err != nil {
		return err
	}
	return a.openPublisher(ctx)
}

func (a *App) ensureStreams(ctx context.Context) error {
	room, err := a.broker.Room()
	if err != nil {
		return err
	}
	given, err := forward.Ensure(ctx, a.conn, a.forwardOptions(), room)
	if err != nil {
		return err
	}
	if given.Capped {
		a.log.Warn("streams get less room than configured: at most half of what the disk has free",
			"events_bytes", given.Events, "findings_bytes", given.Findings, "data_dir", a.config.DataDir)
	}
	return a.broker.SyncStore()
}

func (a *App) forwardOptions() forward.Options {
	o := a.config.Forward.Streams
	o.Collector = a.config.Collector
	o.Logger = a.log.With("component", "forward")
	return o
}

func (a *App) openPublisher(ctx context.Context) error {
	var err error
	if a.publisher, err = forward.NewPublisher(ctx, a.forwardOptions(), a.conn); err != nil {
		return err
	}
	a.onStop("publisher", a.publisher.Close)
	if a.ring, err = forward.NewRingWatch(a.conn, a.log); err != nil {
		return err
	}
	if a.directory, err = forward.NewDirectory(ctx, a.conn); err != nil {
		return err
	}
	if a.hostBook, err = forward.NewHostBook(ctx, a.conn); err != nil {
		return err
	}
	if u := a.config.Forward.Uplink; u.URL != "" {
		a.uplink = forward.NewUplink(u, a.forwardOptions(), a.conn)
	}
	return nil
}

func (a *App) openInventory(context.Context) error {
	var err error
	a.inventory, err = inventory.New(inventory.Options{
		VCenters:     a.config.VCenters,
		Roles:        a.config.Roles,
		SnapshotFile: filepath.Join(a.config.DataDir, snapshotName),
		UserAgent:    "vegress/" + buildVersion(),
		Logger:       slog.New(startLog{a.log.Handler(), &a.starting}),
	})
	return err
}

// openPipeline makes the shards, with the findings that were open when the
// service last ran, and the collector in front of them.
func (a *App) openPipeline(ctx context.Context) error {
	p, err := compile(&a.config)
	if err != nil {
		return err
	}
	open, left, err := forward.OpenFindings(ctx, a.conn)
	if err != nil {
		return err
	}
	if left > 0 {
		a.log.Warn("some open findings are not taken up again", "left", left)
	}
	shards := make([]*shard, a.shardCount())
	a.floor = newFloor(len(shards), p, func(f *event.Finding) { _ = a.publisher.Finding(f) }) // a refusal is counted there
	for i := range shards {
		packer, err := a.publisher.Packer()
		if err != nil {
			return err
		}
		shards[i] = newShard(share{i, len(shards), rand.Uint64()}, p, packer, a.clock, a.floor.in)
	}
	a.openHosts(p, shards)
	a.restore(shards, open)
	a.load(evidenceName, func(data []byte) error { return loadEvidence(shards, data) })
	shards[0].keep = a.keep(evidenceName, shards[0].analysis.evidence)
	a.load(apiuseName, a.floor.api.Load)
	a.floor.keep = a.keep(apiuseName, a.floor.api)
	a.collector = newCollector(shards, a.inventory.Enrich, a.config.MaxSkew, a.clock)
	a.collector.pieceWait = a.pieceWait
	return nil
}

// shardCount is one without an inventory: the one finding that then stands in
// for all unknown machines belongs to one shard.
func (a *App) shardCount() int {
	if len(a.config.VCenters) == 0 {
		return 1
	}
	return min(runtime.GOMAXPROCS(0), maxShards)
}

// restore gives each shard the open findings of its entities, and the floor
// all: which are whose goes by the analytic.
func (a *App) restore(shards []*shard, open []*event.Finding) {
	mine := make([][]event.Finding, len(shards))
	all := make([]event.Finding, len(open))
	for i, f := range open {
		s := shardOfKey(f.Entity, len(shards))
		mine[s] = append(mine[s], *f)
		all[i] = *f
	}
	for i, s := range shards {
		s.analysis.detectors.Restore(mine[i])
	}
	a.floor.restore(all)
}

func (a *App) openListeners(context.Context) error {
	o := a.serverOptions(&a.config)
	var err error
	if a.server, err = server.New(o, a.collector); err != nil {
		return err
	}
	a.onStop("syslog sockets", func(context.Context) error { a.server.Close(); return nil })
	if err := a.openFlows(); err != nil {
		return err
	}
	if a.config.Listen.HTTP == "" {
		return nil
	}
	web, err := net.Listen("tcp", a.config.Listen.HTTP)
	if err != nil {
		return fmt.Errorf("listen.http: %w (name a free address, or \"\" for none)", err)
	}
	a.admin = netutil.LimitListener(web, maxWeb)
	a.onStop("http socket", func(context.Context) error { return closeOnce(a.admin) })
	return nil
}

// openFlows binds the sockets for flows, where there are any.
func (a *App) openFlows() error {
	o := a.flowOptions(&a.config)
	if len(o.Listen) == 0 {
		return nil
	}
	a.flows = &flowCollector{
		collector: a.collector, options: a.flowing, exporter: a.exporter, log: a.log.With("component", "ipfix"),
	}
	a.flows.options.MaxSkew = a.config.MaxSkew
	var err error
	if a.exports, err = server.New(o, a.flows); err != nil {
		return err
	}
	a.onStop("flow sockets", func(context.Context) error { a.exports.Close(); return nil })
	return nil
}

// flowOptions is what the server for flows needs of a configuration.
func (a *App) flowOptions(c *configs.Config) server.Options {
	o := c.Listen.Flows()
	o.Logger = a.log
	return o
}

// serverOptions is what the syslog server needs of a configuration. Port 514
// is for the privileged, and a default: without the right to it the others do.
func (a *App) serverOptions(c *configs.Config) server.Options {
	o := c.Listen.Syslog
	o.Limits = c.Limits
	o.Optional = []string{"udp://:514"}
	o.Logger = a.log
	return o
}

// closeOnce closes a listener that its server may have closed already.
func closeOnce(l net.Listener) error {
	if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
