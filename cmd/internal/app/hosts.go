package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/hosts"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog/server"
)

// habitsName is the file in the data folder that keeps what was learned of the
// machines that send logs. It is no NATS bucket: consumers can have those
// written to.
const habitsName = "hosts.json"

const (
	// inventoryEvery is how far behind the watch over hosts is with what
	// vCenters know of them.
	inventoryEvery = time.Second
	// bookEvery is how far behind the bucket of log paths is.
	bookEvery = 2 * time.Second
	// habitsEvery is how much of what was learned a crash may cost.
	habitsEvery = 5 * time.Minute
	// stalled is how many beats late a pulse must be to mean that this process
	// did not get to run.
	stalled = 5
	// refusing is for how long after a connection was refused over the limits
	// nobody's silence counts: it may be theirs. refusingMost bounds that, or
	// whoever opens connections could have nobody's silence noticed.
	refusing, refusingMost = 5 * time.Minute, time.Hour
)

// openHosts makes the watch over all machines that send logs, with what was
// known of them when the service last ran.
func (a *App) openHosts(p *policy, shards []*shard) {
	a.hosts = hosts.New(p.hosts, func(h *event.HostPath) { _ = a.publisher.HostPath(h) }) // a refusal is counted there
	file := filepath.Join(a.config.DataDir, habitsName)
	data, err := os.ReadFile(file)
	if err == nil {
		err = a.hosts.Load(data)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		a.log.Warn("the habits of hosts are learned anew", "file", file, "error", err)
	}
	a.floor.keyed = append(a.floor.keyed, a.hosts)
	for _, s := range shards {
		s.analysis.scouts = append(s.analysis.scouts, hosts.NewScout())
	}
}

// saveHabits writes down what was learned.
func (a *App) saveHabits(data []byte, err error) {
	if err == nil {
		err = replaceFile(filepath.Join(a.config.DataDir, habitsName), data)
	}
	if err != nil {
		a.log.Warn("the habits of hosts are not kept for the next start", "error", err)
	}
}

// watchHosts tells the second floor that time goes on, and writes down what it
// knows, until stop is called, which must be before the floor ends.
func (a *App) watchHosts() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { a.pulse(ctx) })
	wg.Go(func() { a.keepHosts(ctx) })
	wg.Go(func() { a.watchLogHosts(ctx) })
	return func() { cancel(); wg.Wait() }
}

// pulse says at each beat that time went on, and whether lines could be taken.
// It never waits for the floor: a floor that is behind shows as a pause.
func (a *App) pulse(ctx context.Context) {
	every := beat
	if a.clock.of != nil {
		every /= 5 // hours pass in seconds
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	e := ears{app: a, stalled: stalled * every}
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return
		case now = <-tick.C:
		}
		told := []analytics.Observation{hosts.Pulse{At: a.clock.at(now), Deaf: e.deaf(now)}}
		if now.Sub(e.listed) >= inventoryEvery {
			all, fresh := a.inventory.Hosts()
			told = append(told, hosts.Inventory{Hosts: all, Fresh: fresh})
		}
		select {
		case a.floor.in <- message{shard: theService, told: told}:
			e.last = now
			if len(told) > 1 {
				e.listed = now
			}
		default:
		}
	}
}

// keepHosts writes log paths to their bucket, and habits to their file.
func (a *App) keepHosts(ctx context.Context) {
	tick := time.NewTicker(bookEvery)
	defer tick.Stop()
	saved := time.Now()
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return
		case now = <-tick.C:
		}
		paths := make(chan []event.HostPath, 1)
		if list, ok := ask(ctx, a.floor, hosts.Ask(paths), paths); ok {
			if _, err := a.hostBook.Update(ctx, now, list); err != nil && ctx.Err() == nil {
				a.log.Warn("the bucket of log paths is behind", "error", err)
			}
		}
		if now.Sub(saved) < habitsEvery {
			continue
		}
		saved = now
		habits := make(chan hosts.Saved, 1)
		if s, ok := ask(ctx, a.floor, hosts.AskHabits(habits), habits); ok {
			a.saveHabits(s.Data, s.Err)
		}
	}
}

// ask puts a question to the second floor, and waits for the answer until ctx
// ends.
func ask[T any](ctx context.Context, f *floor, question analytics.Observation, answer <-chan T) (got T, ok bool) {
	select {
	case f.in <- message{shard: theService, told: []analytics.Observation{question}}:
	case <-ctx.Done():
		return got, false
	}
	select {
	case got = <-answer:
		return got, true
	case <-ctx.Done():
		return got, false
	}
}

// ears say whether the service takes lines.
type ears struct {
	app     *App
	stalled time.Duration
	last    time.Time // of the pulse that was taken
	listed  time.Time // when hosts were last listed

	stalls  int64
	looked  time.Time // at the counters of the sockets
	drops   uint64
	refused uint64
	// When connections were last refused over the limits, and since when that
	// goes on.
	refusal, refusals time.Time
}

// deaf is why lines could not be taken at some time since the last pulse; empty:
// they could.
func (e *ears) deaf(now time.Time) string {
	paused := !e.last.IsZero() && now.Sub(e.last) > e.stalled
	full := e.full()
	stalls := e.app.publisher.Stats().Stalls
	blocked := stalls != e.stalls
	e.stalls = stalls
	dropped := e.sockets(now)
	switch {
	case paused:
		return "the process did not run"
	case full:
		return "queues are full"
	case blocked:
		return "the store does not take more"
	case dropped:
		return "the sockets are full"
	case !e.refusal.IsZero() && now.Sub(e.refusal) < refusing && now.Sub(e.refusals) < refusingMost:
		return "connections are refused over the limits"
	}
	return ""
}

func (e *ears) full() bool {
	for _, s := range e.app.collector.shards {
		if len(s.in) == cap(s.in) {
			return true
		}
	}
	return false
}

// sockets looks at the counters of the syslog sockets once a second: whether
// the kernel dropped datagrams, and connections were refused.
func (e *ears) sockets(now time.Time) (dropped bool) {
	if now.Sub(e.looked) < time.Second {
		return false
	}
	first := e.looked.IsZero()
	e.looked = now
	st := e.app.server.Stats()
	refused := over(&st.Refused)
	dropped = !first && st.KernelDrops != e.drops
	if !first && refused != e.refused {
		if now.Sub(e.refusal) >= refusing {
			e.refusals = now
		}
		e.refusal = now
	}
	e.drops, e.refused = st.KernelDrops, refused
	return dropped
}

// over counts connections that were refused over the limits.
func over(r *server.Refused) uint64 { return r.Connections + r.PerSource }
