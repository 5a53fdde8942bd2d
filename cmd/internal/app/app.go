package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/broker"
	"github.com/vegress/vegress/syslog/server"
	"github.com/vegress/vegress/vsphere/inventory"
)

// Options is what an App is made of.
type Options struct {
	Config configs.Config
	Logger *slog.Logger
	// Level is that of Logger, for a reload to change; nil: it stays.
	Level *slog.LevelVar
	// Clock gives the events' time at a moment of the wall's; nil: the same.
	Clock func(wall time.Time) time.Time
	// StopWithin bounds the drain at the end of Run; 0: 30 s. What is not
	// acknowledged by then is dropped, counted, and an error of Run.
	StopWithin time.Duration
}

// App is the running service: everything between the sockets and NATS. New
// builds it from its end to its beginning, Run serves, and what was built is
// stopped in the reverse order.
type App struct {
	config     configs.Config
	log        *slog.Logger
	level      *slog.LevelVar
	clock      clock
	stopWithin time.Duration

	broker    *broker.Server
	conn      *nats.Conn
	publisher *forward.Publisher
	uplink    *forward.Uplink // nil: none
	ring      *forward.RingWatch
	directory *forward.Directory
	inventory *inventory.Inventory
	collector *collector
	server    *server.Server
	admin     net.Listener // nil: none

	health   health
	stopped  bool // the shards' queues are closed; guarded by collector.gate
	cleanups []cleanup
}

type cleanup struct {
	name string
	stop func(ctx context.Context) error
}

// Bounds of starting and stopping.
const (
	startTimeout = 30 * time.Second
	stopTimeout  = 30 * time.Second
	maxShards    = 8
	// directoryEvery is how far the bucket of VMs may be behind.
	directoryEvery = 15 * time.Second
)

// snapshotName is the inventory's file in the data folder.
const snapshotName = "inventory.json.gz"

// New opens the store, binds the sockets and compiles the policy. Nothing is
// received before Run.
func New(ctx context.Context, o Options) (*App, error) {
	a := &App{
		config: o.Config, log: o.Logger, level: cmp.Or(o.Level, new(slog.LevelVar)), clock: clock{of: o.Clock},
		stopWithin: cmp.Or(o.StopWithin, stopTimeout),
	}
	for _, build := range []func(context.Context) error{a.openStore, a.openInventory, a.openPipeline, a.openListeners} {
		if err := build(ctx); err != nil {
			return nil, errors.Join(err, a.stop())
		}
	}
	return a, nil
}

// onStop registers how to undo what was just built.
func (a *App) onStop(name string, stop func(ctx context.Context) error) {
	a.cleanups = append(a.cleanups, cleanup{name, stop})
}

// stop undoes what was built, last first, within one timeout.
func (a *App) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var errs []error
	for _, c := range slices.Backward(a.cleanups) {
		if err := c.stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", c.name, err))
		}
	}
	a.cleanups = nil
	return errors.Join(errs...)
}

// openStore starts the embedded NATS server, with its streams, and the
// publisher into them.
func (a *App) openStore(ctx context.Context) error {
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
		Logger:       a.log,
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
	shards := make([]*shard, min(runtime.GOMAXPROCS(0), maxShards))
	for i := range shards {
		packer, err := a.publisher.Packer()
		if err != nil {
			return err
		}
		shards[i] = newShard(i, newAnalysis(p), packer, a.clock)
	}
	restore(shards, open)
	a.collector = newCollector(shards, a.inventory.Enrich, a.config.MaxSkew, a.clock)
	return nil
}

// restore gives each shard the open findings of its entities.
func restore(shards []*shard, open []*event.Finding) {
	mine := make([][]event.Finding, len(shards))
	for _, f := range open {
		s := shardOfKey(f.Entity, len(shards))
		mine[s] = append(mine[s], *f)
	}
	for i, s := range shards {
		s.analysis.detectors.Restore(mine[i])
	}
}

func (a *App) openListeners(context.Context) error {
	o := a.serverOptions(&a.config)
	var err error
	if a.server, err = server.New(o, a.collector); err != nil {
		return err
	}
	a.onStop("syslog sockets", func(context.Context) error { a.server.Close(); return nil })
	if a.config.Listen.HTTP == "" {
		return nil
	}
	if a.admin, err = net.Listen("tcp", a.config.Listen.HTTP); err != nil {
		return fmt.Errorf("listen.http: %w", err)
	}
	a.onStop("http socket", func(context.Context) error { return closeOnce(a.admin) })
	return nil
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

// Run serves until ctx ends, then drains: sockets close, queues empty, packs
// are acknowledged, and only then the store closes. It returns nil after a
// clean stop.
func (a *App) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	background, cancel := context.WithCancel(context.Background())
	defer cancel()
	a.background(background, &parts)
	err := a.serve(ctx)
	cancel()
	parts.Wait()
	return errors.Join(err, a.stop())
}

// background starts what runs beside the way of a line, and ends after it.
func (a *App) background(ctx context.Context, parts *sync.WaitGroup) {
	parts.Go(func() {
		if err := a.inventory.Run(ctx); err != nil {
			a.log.Error("the inventory stopped", "error", err)
		}
	})
	parts.Go(func() { a.publishInventory(ctx) })
	parts.Go(func() {
		if err := a.ring.Run(ctx); err != nil {
			a.log.Error("the watch over the streams stopped", "error", err)
		}
	})
	if a.uplink != nil {
		parts.Go(func() {
			if err := a.uplink.Run(ctx); err != nil {
				a.log.Error("the uplink stopped", "error", err)
			}
		})
	}
	if a.admin == nil {
		return
	}
	web := &http.Server{Handler: a.handler(), ReadHeaderTimeout: 10 * time.Second}
	parts.Go(func() {
		if err := web.Serve(a.admin); err != nil && !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("the HTTP listener stopped", "error", err)
		}
	})
	parts.Go(func() {
		<-ctx.Done()
		_ = web.Close()
	})
}

// publishInventory keeps the bucket of VMs in line with the inventory, once
// that is known, until ctx ends.
func (a *App) publishInventory(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-a.inventory.Ready():
	}
	tick := time.NewTicker(directoryEvery)
	defer tick.Stop()
	for {
		if _, err := a.directory.Update(ctx, a.inventory.VMs()); err != nil && ctx.Err() == nil {
			a.log.Warn("the inventory's bucket is behind", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// serve is the way of the lines, from when the inventory can answer to the
// last line's acknowledgement.
func (a *App) serve(ctx context.Context) error {
	if err := a.awaitInventory(ctx); err != nil {
		return err
	}
	var shards sync.WaitGroup
	for _, s := range a.collector.shards {
		shards.Go(s.run)
	}
	drained := a.boundDrain(ctx)
	a.health.ready.Store(true)
	a.log.Info("ready", "syslog", a.listeners(), "nats", a.broker.ClientURL(), "http", a.adminAddr())
	err := a.server.Run(ctx)
	a.health.ready.Store(false)
	a.closeQueues()
	shards.Wait()
	err = errors.Join(err, a.publisher.Flush(context.Background())) // ends: see boundDrain
	return errors.Join(err, drained())
}

// boundDrain keeps the drain that begins when ctx ends within its time: a
// store that does not acknowledge holds up the shards, and they the sockets,
// until the publisher closes. The caller says when everything is drained, and
// is told what was lost.
func (a *App) boundDrain(ctx context.Context) (drained func() error) {
	done, lost := make(chan struct{}), make(chan error, 1)
	go func() {
		<-ctx.Done()
		limit, cancel := context.WithTimeout(context.Background(), a.stopWithin)
		defer cancel()
		select {
		case <-done:
			lost <- nil
			return
		case <-limit.Done():
		}
		if err := a.publisher.Close(limit); err != nil {
			lost <- fmt.Errorf("drain within %s: %w", a.stopWithin, err)
			return
		}
		lost <- nil
	}()
	return func() error { close(done); return <-lost }
}

// closeQueues lets the shards end, after the last session. No reload comes
// behind it.
func (a *App) closeQueues() {
	a.collector.gate.Lock()
	defer a.collector.gate.Unlock()
	a.stopped = true
	for _, s := range a.collector.shards {
		close(s.in)
	}
}

// awaitInventory holds the first line back until the inventory can answer, or
// inventory.wait is over. A vCenter that refuses the login of a fresh
// installation ends the start: every event would be judged without it.
func (a *App) awaitInventory(ctx context.Context) error {
	wait := time.NewTimer(a.config.Inventory.Wait)
	defer wait.Stop()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-a.inventory.Ready():
			return nil
		case <-ctx.Done():
			return nil
		case <-wait.C:
			a.log.Warn("starting without an inventory: what comes before the first sync is judged unknown",
				"waited", a.config.Inventory.Wait)
			return nil
		case <-look.C:
			if err := a.refusedLogin(); err != nil {
				return err
			}
		}
	}
}

// refusedLogin is the error of a vCenter that was never read and refuses the
// account.
func (a *App) refusedLogin() error {
	for _, v := range a.inventory.Stats().VCenters {
		if v.State == event.StateNever && v.LoginsRefused > 0 {
			return fmt.Errorf("%s (check username and password of vcenter %q)", v.LastError, v.Name)
		}
	}
	return nil
}

// listeners are the bound syslog sockets, as the configuration writes them.
func (a *App) listeners() []string {
	var all []string
	for _, addr := range a.server.Addrs() {
		all = append(all, addr.Network()+"://"+addr.String())
	}
	return all
}

func (a *App) adminAddr() string {
	if a.admin == nil {
		return ""
	}
	return a.admin.Addr().String()
}
