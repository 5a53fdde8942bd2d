package app

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/vegress/vegress/analytics/hosts"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/simulator"
)

// logPaths is what a demo learns of the hosts' log paths: the states that were
// told, and how many records of each host are marked as cut.
type logPaths struct {
	mu    sync.Mutex
	told  map[string]map[event.PathState]bool // by host
	cut   map[string]int64
	count int64
}

// follow takes the states as they are told, until nc closes.
func (l *logPaths) follow(nc *nats.Conn) error {
	l.told, l.cut = map[string]map[event.PathState]bool{}, map[string]int64{}
	_, err := nc.Subscribe("vegress.hosts.>", func(m *nats.Msg) {
		var h event.HostPath
		if json.Unmarshal(m.Data, &h) != nil {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.told[h.Host] == nil {
			l.told[h.Host] = map[event.PathState]bool{}
		}
		l.told[h.Host][h.State] = true
		l.count++
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		return fmt.Errorf("follow the states of hosts: %w", err)
	}
	return nil
}

// settled says that all that is to be noted was, and that all states that were
// stored came back.
func (l *logPaths) settled(ctx context.Context, a *App, want []simulator.Path) bool {
	answer := make(chan []event.HostPath, 1)
	paths, ok := ask(ctx, a.floor, hosts.Ask(answer), answer)
	if !ok {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range paths {
		l.cut[paths[i].Host] = paths[i].Truncated
	}
	for i := range want {
		if !l.noted(&want[i]) {
			return false
		}
	}
	return l.count >= a.publisher.Stats().HostPaths
}

// noted says that the path was seen to be as it is. It needs the lock.
func (l *logPaths) noted(p *simulator.Path) bool {
	if p.Truncated > 0 {
		return l.cut[p.Host] == p.Truncated
	}
	return l.told[p.Host][event.PathState(p.State)]
}

// add holds what was noted against what there was to note.
func (r *stories) add(want []simulator.Path, l *logPaths) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Expected += len(want)
	for i := range want {
		if l.noted(&want[i]) {
			r.Found++
		} else {
			r.Missed = append(r.Missed, want[i].ID)
		}
	}
}
