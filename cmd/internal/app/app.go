package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/vegress/vegress/analytics/hosts"
	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/broker"
	"github.com/vegress/vegress/forward/ingest"
	"github.com/vegress/vegress/syslog/server"
	"github.com/vegress/vegress/vsphere/inventory"
	"github.com/vegress/vegress/vsphere/ipfix"
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
	// Flows bounds the memory of the decoders of flows; its MaxSkew is the
	// configuration's.
	Flows ipfix.Options
	// Exporter gives the address of an exporter that is known by another one
	// than that which its datagrams come from; nil: none is.
	Exporter func(netip.AddrPort) netip.AddrPort
	// PieceWait is how long a record waits for its other pieces;
	// 0: syslog.HoldTime.
	PieceWait time.Duration
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
	pieceWait  time.Duration
	flowing    ipfix.Options
	exporter   func(netip.AddrPort) netip.AddrPort

	broker    *broker.Server
	conn      *nats.Conn
	publisher *forward.Publisher
	uplink    *forward.Uplink // nil: none
	ring      *forward.RingWatch
	directory *forward.Directory
	hostBook  *forward.HostBook
	inventory *inventory.Inventory
	collector *collector
	floor     *floor
	hosts     *hosts.Detector
	server    *server.Server
	flows     *flowCollector // nil: none are received
	exports   *server.Server // that receives flows; nil: none
	intake    *nats.Conn     // for telemetry
	reader    *ingest.Reader // of its stream
	telemetry *telemetry
	sending   *ingest.HTTP // telemetry by HTTP; nil: none is taken
	admin     net.Listener // nil: none

	logHosts logHosts
	health   health
	starting atomic.Bool   // until the inventory answers, or was waited for
	partial  chan struct{} // closed: some vCenters will not be read, the others are
	stopped  bool          // the shards' queues are closed; guarded by collector.gate
	cleanups []cleanup
}

type cleanup struct {
	name string
	stop func(ctx context.Context) error
}

// stopTimeout bounds the drain, unless Options says otherwise, and what is
// stopped after it.
const stopTimeout = 30 * time.Second

// New opens the store, binds the sockets and compiles the policy. Nothing is
// received before Run.
func New(ctx context.Context, o Options) (*App, error) {
	a := &App{
		config: o.Config, log: o.Logger, level: cmp.Or(o.Level, new(slog.LevelVar)), clock: clock{of: o.Clock},
		stopWithin: cmp.Or(o.StopWithin, stopTimeout), pieceWait: o.PieceWait, partial: make(chan struct{}),
		flowing: o.Flows, exporter: o.Exporter,
	}
	a.starting.Store(true)
	for _, build := range []func(context.Context) error{a.openStore, a.openInventory, a.openPipeline, a.openIngest, a.openListeners} {
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
	parts.Go(func() { a.reportRules(ctx) })
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
	web := newWeb(a.handler())
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

// newWeb makes the server of listen.http. Whoever is slow loses the connection.
func newWeb(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
	}
}

// listeners are the bound syslog sockets, as the configuration writes them.
func (a *App) listeners() []string {
	var all []string
	for _, addr := range a.server.Addrs() {
		all = append(all, addr.Network()+"://"+addr.String())
	}
	return all
}

// flowListeners are the bound sockets for flows.
func (a *App) flowListeners() []string {
	if a.exports == nil {
		return nil
	}
	var all []string
	for _, addr := range a.exports.Addrs() {
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
