package app

import (
	"context"
	"sync"

	"github.com/vegress/vegress/vsphere/loghost"
)

// logHosts is what the vCenters last said of where their hosts send their
// syslog.
type logHosts struct {
	mu   sync.Mutex
	last map[string]loghost.VCenter // by name
}

// watchLogHosts reads each inventory.log_hosts where hosts send their syslog,
// once the inventory is known, until ctx ends.
func (a *App) watchLogHosts(ctx context.Context) {
	if a.config.Inventory.LogHosts == 0 || len(a.config.VCenters) == 0 {
		return
	}
	select {
	case <-ctx.Done():
		return
	case <-a.inventory.Ready():
	case <-a.partial:
	}
	w := loghost.Watcher{Every: a.config.Inventory.LogHosts, Take: a.takeLogHosts, Logger: a.log.With("component", "loghost")}
	for _, v := range a.config.VCenters {
		o := v.Options
		o.UserAgent = "vegress/" + buildVersion()
		w.VCenters = append(w.VCenters, o)
	}
	w.Run(ctx)
}

// takeLogHosts keeps what a vCenter said. When it could not be read, what it
// said before stays.
func (a *App) takeLogHosts(v loghost.VCenter) {
	if v.Error != "" {
		return
	}
	a.logHosts.mu.Lock()
	defer a.logHosts.mu.Unlock()
	if a.logHosts.last == nil {
		a.logHosts.last = map[string]loghost.VCenter{}
	}
	a.logHosts.last[v.Name] = v
}

// logHostStates counts the hosts of each vCenter by how their log host is set.
func (a *App) logHostStates() map[string]map[string]int {
	a.logHosts.mu.Lock()
	defer a.logHosts.mu.Unlock()
	all := map[string]map[string]int{}
	for name, v := range a.logHosts.last {
		count := map[string]int{"set": 0, "unset": 0, "blocked": 0, "unread": 0}
		for i := range v.Hosts {
			count[logHostState(&v.Hosts[i])]++
		}
		all[name] = count
	}
	return all
}

func logHostState(h *loghost.Host) string {
	switch {
	case !h.Read:
		return "unread"
	case len(h.Targets) == 0:
		return "unset"
	case h.RuleSet == loghost.Off:
		return "blocked"
	}
	return "set"
}
