package inventory

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/event"
)

// Inventory answers what is behind an endpoint. Enrich, SetRoles, Stats and
// Export are safe for concurrent use.
type Inventory struct {
	opts    Options
	sources []*source
	loops   []*loop // one a source; none with a static inventory
	index   *index
	hosts   atomic.Pointer[hostTable]
	worst   atomic.Uint64 // freshness for an endpoint that nothing is known of
	hits    [event.ViaName + 1]atomic.Uint64
	host    atomic.Uint64
	missed  atomic.Uint64
	unclear atomic.Uint64

	moved        atomic.Int64  // when a VM last came to another host
	contradicted atomic.Uint64 // ports of a switch and addresses that mean two VMs

	mu      sync.Mutex // guards all writing
	roles   *roles
	graves  []grave
	worlds  int // that are known now
	taught  int // world ids learned
	buried  int // graves given up before their time
	changed bool
	saved   time.Time
	saveErr uint64
	started bool

	ready     chan struct{}
	readyOnce sync.Once
	kicks     []chan struct{} // one a source: poll tags now

	now      func() time.Time
	sleep    func(context.Context, time.Duration) error
	waitFor  time.Duration // longest wait of one call for updates
	tickWait time.Duration
}

// New makes an inventory of the vCenters and, when there is a snapshot, of
// what it holds. Without a vCenter it answers that none is configured. A
// snapshot that cannot be read is an error in the log, not here: the vCenter
// has everything.
func New(opts Options) (*Inventory, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	inv, err := newInventory(opts.withDefaults())
	if err != nil {
		return nil, err
	}
	if err := inv.addLoops(); err != nil {
		return nil, err
	}
	if inv.opts.SnapshotFile != "" {
		inv.loadSnapshot()
	}
	inv.refresh(inv.now())
	inv.checkReady()
	return inv, nil
}

func newInventory(opts Options) (*Inventory, error) {
	r, err := newRoles(opts.Roles)
	if err != nil {
		return nil, err
	}
	inv := &Inventory{
		opts: opts, index: newIndex(), roles: r, ready: make(chan struct{}),
		now: time.Now, sleep: sleep, waitFor: time.Minute, tickWait: time.Second,
	}
	inv.hosts.Store(newHostTable(&inv.index.hash, 0))
	for _, v := range opts.VCenters {
		inv.addSource(v)
	}
	return inv, nil
}

func (inv *Inventory) addSource(v VCenter) *source {
	s := newSource(inv, v)
	inv.sources = append(inv.sources, s)
	inv.kicks = append(inv.kicks, make(chan struct{}, 1))
	return s
}

// Ready is closed when every vCenter has been read once, in this process or,
// by the snapshot, in an earlier one.
func (inv *Inventory) Ready() <-chan struct{} { return inv.ready }

func (inv *Inventory) checkReady() {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for _, s := range inv.sources {
		if !s.synced && !s.loaded {
			return
		}
	}
	inv.readyOnce.Do(func() { close(inv.ready) })
}

// errRunTwice reports a second Run.
var errRunTwice = errors.New("inventory: Run was called before")

// Run keeps the copies up to date until ctx ends, then writes the snapshot and
// returns nil. It logs in and out of every vCenter, comes back after failures
// by itself, and may be called once.
func (inv *Inventory) Run(ctx context.Context) error {
	inv.mu.Lock()
	again := inv.started
	inv.started = true
	inv.mu.Unlock()
	if again {
		return errRunTwice
	}
	var wg sync.WaitGroup
	for _, l := range inv.loops {
		wg.Go(func() { l.run(ctx) })
	}
	inv.keep(ctx)
	wg.Wait()
	inv.save(0)
	return nil
}

// keep does what is due with time: ages, tombstones, the snapshot.
func (inv *Inventory) keep(ctx context.Context) {
	tick := time.NewTicker(inv.tickWait)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := inv.now()
		inv.refresh(now)
		inv.prune(now)
		inv.save(inv.opts.SnapshotEvery)
	}
}

// SetRoles puts other roles in force, at once for all VMs. With an error,
// nothing has changed.
func (inv *Inventory) SetRoles(list []Role) error {
	r, err := newRoles(list)
	if err != nil {
		return err
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.roles = r
	now := inv.now().UnixNano()
	for i, s := range inv.sources {
		s.rerole()
		s.commitNow(now)
		select {
		case inv.kicks[i] <- struct{}{}: // other roles may ask for other tags
		default:
		}
	}
	return nil
}

// rerole has roles given anew to all VMs and hosts by the next commit.
func (s *source) rerole() {
	s.allDirty, s.hostsDirty = true, true
	for _, h := range s.hosts {
		if h.loaded {
			st := *h.state
			st.Roles = s.hostRoles(&st)
			h.state = &st
		}
	}
}

// grave is what a VM had and has no more: keys, or a host.
type grave struct {
	obj  *vmObject
	keys []key
	past *past
	at   int64
}

// maxGraves bounds the tombstones; beyond it the oldest go before their time.
const maxGraves = 200_000

// end closes claims and buries them for the retention time.
func (inv *Inventory) end(o *vmObject, keys []key, at int64) {
	if len(keys) == 0 {
		return
	}
	for _, k := range keys {
		inv.index.end(k, o, at)
	}
	inv.bury(grave{obj: o, keys: keys, at: at})
}

func (inv *Inventory) bury(g grave) {
	if len(inv.graves) >= maxGraves {
		inv.dropGraves(maxGraves / 10)
		inv.buried += maxGraves / 10
	}
	inv.graves = append(inv.graves, g)
}

// prune drops tombstones after their time, and VMs that no sync has seen for
// long.
func (inv *Inventory) prune(now time.Time) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	n, limit := 0, now.Add(-inv.opts.Retention).UnixNano()
	for n < len(inv.graves) && inv.graves[n].at < limit {
		n++
	}
	inv.dropGraves(n)
	for _, s := range inv.sources {
		s.dropMissing(now.UnixNano())
	}
}

func (inv *Inventory) dropGraves(n int) {
	for _, g := range inv.graves[:n] {
		for _, k := range g.keys {
			inv.index.drop(k, g.obj, g.at)
		}
		if g.past != nil {
			g.past.vm.Store(nil)
		}
	}
	clear(inv.graves[:n])
	if inv.graves = inv.graves[n:]; len(inv.graves) == 0 {
		inv.graves = nil
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// loadSnapshot takes what the snapshot file has of the configured vCenters.
func (inv *Inventory) loadSnapshot() {
	f, err := os.Open(inv.opts.SnapshotFile)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err == nil {
		defer f.Close()
		err = inv.load(f, false)
	}
	if err != nil {
		inv.opts.Logger.Warn("inventory snapshot not used", "file", inv.opts.SnapshotFile, "error", err)
	}
}
