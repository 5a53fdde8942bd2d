package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere/inventory"
	"github.com/vegress/vegress/vsphere/session"
)

// awaitInventory holds the first line back until the inventory can answer, or
// inventory.wait is over.
//
// A vCenter that was never read and refuses the login is not waited for. When
// there is no other one, the start ends: every event would be judged without
// an inventory. Otherwise the service does what it can for the others.
func (a *App) awaitInventory(ctx context.Context) (err error) {
	defer func() { a.starting.Store(err != nil) }()
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
			a.complain(unread(a.inventory.Stats().VCenters).refused)
			return nil
		case <-look.C:
			switch u := unread(a.inventory.Stats().VCenters); {
			case u.waiting > 0 || len(u.refused) == 0:
			case u.known == 0:
				return refusal(u.refused)
			default:
				a.complain(u.refused)
				close(a.partial)
				return nil
			}
		}
	}
}

// first is how far the vCenters are at the start.
type first struct {
	known   int // read now, or by the snapshot
	waiting int // not read, and nothing speaks against it
	refused []inventory.VCenterStats
}

func unread(all []inventory.VCenterStats) (u first) {
	for _, v := range all {
		switch {
		case v.State != event.StateNever:
			u.known++
		case v.LoginsRefused > 0:
			u.refused = append(u.refused, v)
		default:
			u.waiting++
		}
	}
	return u
}

// refusal ends the start. As a fault of the configuration it has the exit code
// that a supervisor does not restart on: logging in again and again would lock
// the account.
func refusal(refused []inventory.VCenterStats) error {
	var all []error
	for _, v := range refused {
		all = append(all, errors.New(v.LastError))
	}
	return usage(fmt.Errorf("%w (mend it, then start again; it is not tried again by itself, which could lock the account)", errors.Join(all...)))
}

// complain says which vCenters the service starts without.
func (a *App) complain(refused []inventory.VCenterStats) {
	for _, v := range refused {
		a.log.Error("starting without this vcenter: what its machines do is judged unknown until the login works",
			"vcenter", v.Name, "error", v.LastError)
	}
}

// ailing are the vCenters that are away, in words.
func (a *App) ailing() (all []string) {
	for _, v := range a.inventory.Stats().VCenters {
		if v.LastError != "" && !v.Connected {
			all = append(all, fmt.Sprintf("vcenter %q is away (inventory %s): %s", v.Name, v.State, v.LastError))
		}
	}
	return all
}

// startLog is the inventory's log while the service starts: a refused login is
// left out, since awaitInventory says what follows from it.
type startLog struct {
	slog.Handler
	starting *atomic.Bool
}

// Handle is for package slog.
func (l startLog) Handle(ctx context.Context, r slog.Record) error {
	denied := false
	r.Attrs(func(attr slog.Attr) bool {
		denied = denied || attr.Key == "class" && attr.Value.String() == session.Denied.String()
		return true
	})
	if denied && l.starting.Load() {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

// WithAttrs is for package slog.
func (l startLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return startLog{l.Handler.WithAttrs(attrs), l.starting}
}

// WithGroup is for package slog.
func (l startLog) WithGroup(name string) slog.Handler {
	return startLog{l.Handler.WithGroup(name), l.starting}
}
