package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere/loghost"
	"github.com/vegress/vegress/vsphere/session"
)

// pointWorkers do plans, some at the same time.
type pointWorkers struct {
	pointing *pointing
	pointers map[string]*loghost.Pointer // by vCenter
	report   *pointReport
	progress *progress

	mu       sync.Mutex
	outcomes []loghost.Outcome
	noted    map[string]bool // notes that were shown: most hosts have the same
}

// workers prepares the accounts that write, and what waits for lines.
func (p *pointing) workers(ctx context.Context, report *pointReport, todo int) (*pointWorkers, error) {
	w := &pointWorkers{pointing: p, pointers: map[string]*loghost.Pointer{}, report: report, progress: newProgress(p.std.Err, todo), noted: map[string]bool{}}
	confirm := p.arrivals(ctx)
	for _, o := range p.vcenters {
		pointer, err := loghost.NewPointer(p.flags.asWriter(o))
		if err != nil {
			w.close()
			return nil, usage(err)
		}
		pointer.Confirm = confirm
		w.pointers[o.Name] = pointer
	}
	return w, nil
}

// asWriter is the same vCenter for the account that writes.
func (f *pointFlags) asWriter(o session.Options) session.Options {
	o.Username, o.PasswordFile = f.writer.Username, f.writer.PasswordFile
	o.PasswordVar = strings.TrimSuffix(o.PasswordEnv(), "PASSWORD") + "WRITE_PASSWORD"
	return o
}

func (w *pointWorkers) close() {
	for _, p := range w.pointers {
		p.Close()
	}
}

// do does the plans, and gives back when all have an outcome.
func (w *pointWorkers) do(ctx context.Context, todo []loghost.Plan) {
	queue := make(chan loghost.Plan)
	var workers sync.WaitGroup
	for range min(w.pointing.flags.parallel, len(todo)) {
		workers.Go(func() {
			for plan := range queue {
				w.take(w.pointers[plan.VCenter].Do(ctx, plan))
			}
		})
	}
	for _, plan := range todo {
		queue <- plan // after Ctrl-C each has its outcome at once
	}
	close(queue)
	workers.Wait()
	w.progress.end()
}

// take notes and shows one outcome.
func (w *pointWorkers) take(o loghost.Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outcomes = append(w.outcomes, o)
	w.report.write(&o)
	if !w.pointing.flags.json {
		w.progress.clear()
		_, _ = io.WriteString(w.pointing.std.Out, w.words(&o))
	}
	w.progress.step(o.Failed())
}

// words is an outcome for a person.
func (w *pointWorkers) words(o *loghost.Outcome) string {
	arrived := ""
	if o.Confirmed {
		arrived = ", a line came"
	}
	text := fmt.Sprintf("%-9s  %s%s: has %s\n", o.State, plain(o.Host), arrived, cmp.Or(plain(o.LogHost), "no log host"))
	if o.Error != "" {
		text += "           " + plain(o.Error) + "\n"
	}
	for _, note := range o.Notes {
		if !w.noted[note] {
			w.noted[note] = true
			text += "           note, shown once: " + plain(note) + "\n"
		}
	}
	return text
}

// lookEvery is how often the service is asked while hosts are waited for.
const lookEvery = 2 * time.Second

// arrivals gives what waits for the first line of a host; nil when nobody is to
// wait, or no service can tell.
func (p *pointing) arrivals(ctx context.Context) func(context.Context, *loghost.Plan) error {
	if p.flags.wait == 0 {
		return nil
	}
	a := &arrivals{flags: p.flags, std: p.std}
	before, err := a.look(ctx)
	if err != nil {
		fmt.Fprintf(p.std.Err, "vegress: lines are not waited for, since no service answers: %s\n", oneLine(err))
		return nil
	}
	a.before = before
	return a.wait
}

// arrivals asks the service what arrives, once for all who wait.
type arrivals struct {
	flags  *pointFlags
	std    Streams
	before paths

	mu    sync.Mutex
	known paths
	at    time.Time
	err   error
}

// look is what arrives, at most lookEvery old.
func (a *arrivals) look(ctx context.Context) (paths, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at.IsZero() || time.Since(a.at) >= lookEvery {
		a.known, a.err = a.flags.nats.livePaths(ctx, a.std)
		a.at = time.Now()
	}
	return a.known, a.err
}

// wait waits for a line of the host: of one that was never seen, any; of
// another one, a newer than there was when its list had been set.
func (a *arrivals) wait(ctx context.Context, p *loghost.Plan) error {
	ctx, cancel := context.WithTimeoutCause(ctx, a.flags.wait, fmt.Errorf("no line came within %s", a.flags.wait))
	defer cancel()
	tick := time.NewTicker(lookEvery / 4)
	defer tick.Stop()
	var base *event.HostPath
	if was := a.before.of(p.Host); was != nil && !was.LastSeen.IsZero() {
		base = was
		if now, err := a.look(ctx); err == nil && now.of(p.Host) != nil {
			base = now.of(p.Host)
		}
	}
	for {
		known, err := a.look(ctx)
		if now := known.of(p.Host); err == nil && now != nil && !now.LastSeen.IsZero() && (base == nil || now.LastSeen.After(base.LastSeen)) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if err != nil && !errors.Is(err, context.Canceled) {
				return fmt.Errorf("%w, and the service did not answer: %s", context.Cause(ctx), oneLine(err))
			}
			return context.Cause(ctx)
		}
	}
}

// progress is a bar on a terminal, and nothing elsewhere.
type progress struct {
	to            io.Writer // nil: no terminal
	done, of, bad int
}

func newProgress(to io.Writer, of int) *progress {
	file, ok := to.(*os.File)
	if !ok || of == 0 {
		return &progress{}
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return &progress{}
	}
	return &progress{to: file, of: of}
}

const barWidth = 30

func (p *progress) step(bad bool) {
	if p.done++; bad {
		p.bad++
	}
	if p.to == nil {
		return
	}
	full := p.done * barWidth / p.of
	fmt.Fprintf(p.to, "\r[%s%s] %d of %d, %d failed", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), p.done, p.of, p.bad)
}

// clear makes room for a line of output.
func (p *progress) clear() {
	if p.to != nil {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}

func (p *progress) end() { p.clear() }
