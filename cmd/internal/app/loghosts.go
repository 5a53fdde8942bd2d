package app

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/hosts"
	"github.com/vegress/vegress/vsphere/loghost"
)

// logHosts is what the vCenters last said of where their hosts send their
// syslog.
type logHosts struct {
	mu   sync.Mutex
	last map[string]loghost.VCenter // by name
}

// watchLogHosts reads each inventory.log_hosts where hosts send their syslog,
// until ctx ends.
func (a *App) watchLogHosts(ctx context.Context) {
	if a.config.Inventory.LogHosts == 0 || len(a.config.VCenters) == 0 {
		return
	}
	w := loghost.Watcher{
		Every: a.config.Inventory.LogHosts, Logger: a.log.With("component", "loghost"),
		Take: func(v loghost.VCenter) { a.takeLogHosts(ctx, v) },
	}
	for _, v := range a.config.VCenters {
		o := v.Options
		o.UserAgent = "vegress/" + buildVersion()
		w.VCenters = append(w.VCenters, o)
	}
	w.Run(ctx)
}

// takeLogHosts keeps what a vCenter said, and tells the watch over hosts. When
// it could not be read, what it said before stays.
func (a *App) takeLogHosts(ctx context.Context, v loghost.VCenter) {
	if v.Error != "" {
		return
	}
	a.logHosts.mu.Lock()
	if a.logHosts.last == nil {
		a.logHosts.last = map[string]loghost.VCenter{}
	}
	a.logHosts.last[v.Name] = v
	a.logHosts.mu.Unlock()
	select {
	case a.floor.in <- message{shard: theService, told: logTargets(&v, a.clock.at(time.Now()))}:
	case <-ctx.Done():
	}
}

// logTargets are the log hosts of each host that vCenter knows them of, and its
// own, without the options of format: another format is no other place.
func logTargets(v *loghost.VCenter, at time.Time) (told []analytics.Observation) {
	tell := func(host string, targets []loghost.Target) {
		t := hosts.Targets{Host: host, VCenter: v.Name, Targets: []string{}, At: at}
		for _, one := range targets {
			if one.Fault == "" {
				t.Targets = append(t.Targets, one.Endpoint())
			} else {
				t.Targets = append(t.Targets, one.Raw)
			}
		}
		told = append(told, t)
	}
	for i := range v.Hosts {
		if h := &v.Hosts[i]; h.Read && h.Connected() {
			tell(h.Name, h.Targets)
		}
	}
	if v.ForwardingRead {
		name := v.Address // as the inventory names it
		if _, err := netip.ParseAddr(name); err == nil {
			name = v.Host()
		}
		tell(name, v.Forwarding)
	}
	return told
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
