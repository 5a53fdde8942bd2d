package app

import (
	"context"
	"errors"
	"os"
	"reflect"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/configs"
)

// reloadAt reloads at each signal until ctx ends.
func (a *App) reloadAt(ctx context.Context, signals <-chan os.Signal, load func() (configs.Config, error)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		config, err := load()
		if err == nil {
			err = a.reload(config)
		}
		if err != nil {
			a.log.Error("reload refused: nothing has changed", "error", oneLine(err))
			continue
		}
		a.log.Info("reloaded", "roles", len(config.Roles), "justifications", len(config.Egress.Justifications))
		if keys := a.restartKeys(&config); len(keys) > 0 {
			a.log.Warn("changed, but in force only after a restart", "keys", keys)
		}
	}
}

// errStopping refuses a reload that comes while the service ends.
var errStopping = errors.New("the service is stopping")

// reload puts a new configuration in force, as far as that goes without a
// restart. The gate keeps batches out meanwhile: all that was enriched with
// the old roles is queued before the policy, all that follows after it.
func (a *App) reload(c configs.Config) error {
	p, err := compile(&c)
	if err != nil {
		return err
	}
	access, err := c.Ingest.Open()
	if err != nil {
		return err
	}
	a.collector.gate.Lock()
	defer a.collector.gate.Unlock()
	if a.stopped {
		return errStopping
	}
	if err := a.server.Reload(a.serverOptions(&c)); err != nil {
		return err
	}
	if a.exports != nil {
		o := a.flowOptions(&c)
		if err := a.exports.Reload(o); err != nil {
			return err
		}
	}
	if err := a.inventory.SetRoles(p.roles); err != nil {
		return err
	}
	// Without ingest.http a token may be missing where it is still needed: the
	// way in stays open until a restart.
	if a.sending != nil && c.Ingest.HTTP {
		a.sending.Use(access)
	}
	for _, s := range a.collector.shards {
		s.in <- delivery{policy: p}
	}
	a.floor.in <- message{shard: theService, policy: p}
	a.floor.in <- message{shard: theService, told: []analytics.Observation{p.hosts}}
	a.logRules(p.rules)
	return setLevel(a.level, c.Log)
}

// restartKeys names what differs in c from the configuration that the service
// was started with, and a reload leaves as it was.
func (a *App) restartKeys(c *configs.Config) []string {
	was := &a.config
	var keys []string
	for _, k := range []struct {
		name     string
		was, now any
	}{
		{"data_dir", was.DataDir, c.DataDir},
		{"collector", was.Collector, c.Collector},
		{"max_skew", was.MaxSkew, c.MaxSkew},
		{"listen.syslog", was.Listen.Syslog.Listen, c.Listen.Syslog.Listen},
		{"listen.ipfix", was.Listen.IPFIX, c.Listen.IPFIX},
		{"listen.http", was.Listen.HTTP, c.Listen.HTTP},
		{"ingest.http", was.Ingest.HTTP, c.Ingest.HTTP},
		{"vcenters", was.VCenters, c.VCenters},
		{"inventory", was.Inventory, c.Inventory},
		{"forward", was.Forward, c.Forward},
		{"log.format", was.Log.Format, c.Log.Format},
	} {
		if !reflect.DeepEqual(k.was, k.now) {
			keys = append(keys, k.name)
		}
	}
	return keys
}
