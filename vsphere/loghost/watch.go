package loghost

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/vegress/vegress/vsphere/session"
)

// Watcher reads the log hosts of vCenters again and again, and hands them on.
// It writes nothing, and has no session between two readings.
type Watcher struct {
	VCenters []session.Options
	// Every is the time between two readings of a vCenter; more than 0.
	Every time.Duration
	// Take gets what a vCenter said, also when that was an error. It is called
	// from one goroutine at a time.
	Take   func(VCenter)
	Logger *slog.Logger

	mu sync.Mutex // around Take
}

// deniedEvery is the time to the next reading when the login was refused: the
// inventory tries too, and failed logins lock an account.
const deniedEvery = time.Hour

// Run reads each vCenter at once, and then each Every, until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, o := range w.VCenters {
		all.Go(func() { w.follow(ctx, o) })
	}
	all.Wait()
}

func (w *Watcher) follow(ctx context.Context, o session.Options) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		v := Read(ctx, o)
		if ctx.Err() != nil {
			return // half of an answer
		}
		if v.Error != said && v.Error != "" {
			w.Logger.Warn("the log hosts of a vcenter could not be read", "vcenter", v.Name, "error", v.Error)
		}
		said = v.Error
		w.mu.Lock()
		w.Take(v)
		w.mu.Unlock()
		if v.Denied {
			timer.Reset(max(w.Every, deniedEvery))
		} else {
			timer.Reset(w.Every)
		}
	}
}
