package configs

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/broker"
	"github.com/vegress/vegress/syslog/server"
	"github.com/vegress/vegress/vsphere/inventory"
	"github.com/vegress/vegress/vsphere/session"
)

// Validate checks each part with its room, and gives all that is wrong as
// Faults. Files are not opened.
func (c *Config) Validate() error {
	if all := c.validate(); len(all) > 0 {
		return all
	}
	return nil
}

func (c *Config) validate() (all Faults) {
	for _, check := range []func() error{c.validateOwn, c.validateListen, c.validateForward} {
		all = append(all, faults(check())...)
	}
	all = append(all, c.validateVCenters()...)
	all = append(all, c.validateRoles()...)
	_, err := egress.Compile(c.Egress)
	elements := c.WebUse()
	all = append(all, faults(errors.Join(err, c.Evidence.Validate(), c.APIUse.Validate(), c.Behavior.Validate(), elements.Validate(), c.Fusion.Validate(), c.Risk.Validate(),
		c.Hosts.Validate(), c.Rules.Validate()))...)
	all = append(all, c.validateJustified()...)
	return c.from.place(all)
}

func (c *Config) validateOwn() error {
	var errs []error
	if c.MaxSkew < time.Second || c.MaxSkew > 24*time.Hour {
		errs = append(errs, fmt.Errorf("max_skew is %s: want 1s to 24h", c.MaxSkew))
	}
	if c.Inventory.Wait < 0 || c.Inventory.Wait > time.Hour {
		errs = append(errs, fmt.Errorf("inventory.wait is %s: want 0 to 1h", c.Inventory.Wait))
	}
	if every := c.Inventory.LogHosts; every != 0 && (every < time.Minute || every > 24*time.Hour) {
		errs = append(errs, fmt.Errorf("inventory.log_hosts is %s: want 1m to 24h, or 0 for not at all", every))
	}
	if _, err := c.Log.SlogLevel(); err != nil {
		errs = append(errs, err)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		errs = append(errs, fmt.Errorf("log.format is %q: must be text or json", c.Log.Format))
	}
	if c.Listen.HTTP != "" {
		if _, port, err := net.SplitHostPort(c.Listen.HTTP); err != nil || !isPort(port) {
			errs = append(errs, fmt.Errorf("listen.http is %q: must be host:port, as 127.0.0.1:9514 or [::1]:9514, or empty for none", c.Listen.HTTP))
		}
	}
	return errors.Join(errs...)
}

func isPort(s string) bool {
	_, err := net.LookupPort("tcp", s)
	return err == nil && strings.Trim(s, "0123456789") == ""
}

// Where a room's Validate stops at its first fault, each part is shown to it
// alone.

func (c *Config) validateListen() error {
	flows := c.Listen.Flows()
	flows.AllowedSources = nil // as for syslog, see below
	errs := []error{
		server.Options{Listen: c.Listen.Syslog.Listen, TLS: c.Listen.Syslog.TLS}.Validate(), flows.Validate(), c.Limits.Validate(),
		c.Ingest.Validate(c.Listen.HTTP),
	}
	for _, s := range c.Listen.Syslog.AllowedSources {
		errs = append(errs, server.Options{AllowedSources: []string{s}}.Validate())
	}
	for i, spec := range c.Listen.Syslog.Listen {
		if slices.Contains(c.Listen.Syslog.Listen[:i], spec) && !strings.HasSuffix(spec, ":0") {
			errs = append(errs, fmt.Errorf("listen.syslog: %q: is listed twice", spec))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) validateForward() error {
	b, s := c.Forward.Broker, c.Forward.Streams
	errs := []error{broker.Options{Durability: b.Durability}.Validate()}
	tls := broker.Options{TLS: b.TLS}.Validate()
	if tls == nil {
		tls = broker.Options{Listen: b.Listen, TLS: b.TLS, UsersFile: b.UsersFile}.Validate()
	}
	return errors.Join(append(errs, tls,
		forward.Options{Compression: s.Compression}.Validate(),
		forward.Options{Partitions: s.Partitions}.Validate(),
		forward.Options{Events: s.Events}.Validate(),
		forward.Options{Findings: s.Findings}.Validate(),
		c.Forward.Uplink.Validate(),
	)...)
}

func (c *Config) validateVCenters() (all Faults) {
	seen := map[string]bool{}
	for i := range c.VCenters {
		v := &c.VCenters[i]
		key := func(name string) string { return fmt.Sprintf("vcenters[%d].%s", i, name) }
		good := session.Options{Name: "vcenter", URL: "https://vcenter/sdk", Username: "user"}
		named := good
		named.Name = v.Name
		if err := (&inventory.VCenter{Options: named}).Validate(); err != nil {
			all = append(all, Fault{Key: key("name"), Reason: err.Error()})
			named.Name = fmt.Sprintf("%d", i)
		} else if seen[v.Name] {
			all = append(all, Fault{Key: key("name"), Value: fmt.Sprintf("%q", v.Name), Reason: "is the name of another vCenter too"})
		}
		seen[v.Name] = true
		parts := []struct {
			key string
			put func(*inventory.VCenter)
		}{
			{"url", func(p *inventory.VCenter) { p.URL = v.URL }},
			{"username", func(p *inventory.VCenter) { p.Username = v.Username }},
			{"thumbprint", func(p *inventory.VCenter) { p.Thumbprint, p.CAFile = v.Thumbprint, v.CAFile }},
			{"tag_poll", func(p *inventory.VCenter) { p.TagPoll = v.TagPoll }},
		}
		for _, part := range parts {
			probe := inventory.VCenter{Options: named}
			part.put(&probe)
			if err := probe.Validate(); err != nil {
				f := faults(err)[0]
				f.Key, f.Reason = key(part.key), ofVCenter.ReplaceAllString(f.Reason, `$2 (vCenter $1)`)
				all = append(all, f)
			}
		}
	}
	return all
}

// ofVCenter is how the room of vCenters begins what it has to say.
var ofVCenter = regexp.MustCompile(`^of vcenter ("[^"]*"): (.*)$`)

func (c *Config) validateRoles() (all Faults) {
	for i, r := range c.Roles {
		if j := slices.IndexFunc(c.Roles[:i], func(o inventory.Role) bool { return strings.EqualFold(o.Name, r.Name) }); j >= 0 && r.Name != "" {
			all = append(all, Fault{
				Key: fmt.Sprintf("roles[%d].name", i), Value: fmt.Sprintf("%q", r.Name),
				Reason: fmt.Sprintf("is the name of roles[%d] too: one role can have the patterns of both", j),
			})
		}
		whole := r.Validate()
		if whole == nil {
			continue
		}
		key := fmt.Sprintf("roles[%d]", i)
		named := inventory.Role{Name: cmp.Or(r.Name, fmt.Sprint(i)), Annotation: "*"}
		var found Faults
		for _, part := range []struct {
			key string
			put func(*inventory.Role)
		}{
			{"name", func(p *inventory.Role) { p.Name = r.Name }},
			{"tags", func(p *inventory.Role) { p.Tags = r.Tags }},
			{"names", func(p *inventory.Role) { p.Names = r.Names }},
			{"folders", func(p *inventory.Role) { p.Folders = r.Folders }},
			{"pools", func(p *inventory.Role) { p.Pools = r.Pools }},
			{"attributes", func(p *inventory.Role) { p.Attributes = r.Attributes }},
		} {
			probe := named
			part.put(&probe)
			if err := probe.Validate(); err != nil {
				found = append(found, Fault{Key: key + "." + part.key, Reason: err.Error()})
			}
		}
		if len(found) == 0 { // no part, but that there is none
			found = Faults{{Key: key, Reason: whole.Error()}}
		}
		all = append(all, found...)
	}
	return all
}

// builtinRoles are what hosts, vCenters and, with the last, all machines have
// without being given it.
var builtinRoles = []string{"management", "hypervisor", "vcenter", "any"}

// validateJustified refuses a justification for a role that nothing can have:
// it would justify nothing, and say so nowhere.
func (c *Config) validateJustified() (all Faults) {
	var known []string
	for _, r := range c.Roles {
		known = append(known, r.Name)
	}
	known = append(known, builtinRoles...)
	for i, j := range c.Egress.Justifications {
		if j.Role == "" || slices.ContainsFunc(known, func(name string) bool { return strings.EqualFold(name, j.Role) }) {
			continue
		}
		all = append(all, Fault{
			Key: fmt.Sprintf("justifications[%d].role", i), Value: fmt.Sprintf("%q", j.Role),
			Reason: fmt.Sprintf("is neither configured nor built in%s; roles are %s (justification %q)",
				DidYouMean(j.Role, known), strings.Join(known, ", "), j.Name),
		})
	}
	return all
}
