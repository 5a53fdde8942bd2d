package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vegress/vegress/analytics/apiuse"
	"github.com/vegress/vegress/analytics/behavior"
	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/analytics/evidence"
	"github.com/vegress/vegress/analytics/fusion"
	"github.com/vegress/vegress/analytics/hosts"
	"github.com/vegress/vegress/analytics/names"
	"github.com/vegress/vegress/analytics/risk"
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/analytics/webservice"
	"github.com/vegress/vegress/analytics/webuse"
	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/configs/catalogue"
	"github.com/vegress/vegress/vsphere/inventory"
)

// policy is what a reload can change, compiled: it never changes itself.
type policy struct {
	egress    *egress.Policy
	behavior  *behavior.Policy
	apiuse    *apiuse.Policy
	evidence  evidence.Options
	hosts     hosts.Options
	catalogue *webservice.Catalogue
	roles     []inventory.Role
	rules     *stream.Policy
	webuse    *webuse.Policy
	fusion    fusion.Options
	risk      risk.Options
}

// compile makes the policy of a configuration; all that can fail does so here.
func compile(c *configs.Config) (*policy, error) {
	judge, err := egress.Compile(c.Egress)
	if err != nil {
		return nil, err
	}
	api, err := apiuse.Compile(c.APIUse, judge.External, c.Egress.Egress.QuietClose)
	if err != nil {
		return nil, err
	}
	habits, err := behavior.Compile(c.Behavior, behavior.Site{
		External: judge.External, Risky: egress.Risky, Domain: names.RegistrableDomain,
		Calendar: judge.Calendar, Quiet: c.Egress.Egress.QuietClose,
	})
	if err != nil {
		return nil, err
	}
	services, err := webservice.Load(catalogue.Files, c.Catalogue)
	if err != nil {
		return nil, fmt.Errorf("load the catalogue of web services: %w", err)
	}
	if wrong := unlisted(c, services); len(wrong) > 0 {
		return nil, wrong
	}
	set, err := loadRules(c.Rules)
	if err != nil {
		return nil, fmt.Errorf("load the rules: %w", err)
	}
	return &policy{
		rules: stream.Compile(set, c.Rules), egress: judge, behavior: habits, apiuse: api, evidence: c.Evidence, hosts: c.Hosts,
		catalogue: services, roles: c.Roles, fusion: c.Fusion, risk: c.Risk,
		webuse: webuse.Compile(c.WebUse(), webuse.Site{Risky: egress.Risky, Service: func(host string) (string, string) { return serviceAt(services, host) }}),
	}, nil
}

// serviceAt looks a host up in the catalogue.
func serviceAt(known *webservice.Catalogue, host string) (name, category string) {
	if s := known.Host(host); s != nil {
		return s.Name, s.Category
	}
	return "", ""
}

// unlisted finds destinations that are a category or a service which the
// catalogue does not have: they would justify nothing, and say so nowhere.
func unlisted(c *configs.Config, known *webservice.Catalogue) (all configs.Faults) {
	names := map[string][]string{}
	for _, s := range known.Services() {
		names["category"] = append(names["category"], s.Category)
		names["service"] = append(names["service"], s.Name)
	}
	for _, list := range names {
		slices.Sort(list)
	}
	names["category"] = slices.Compact(names["category"])
	for i, j := range c.Egress.Justifications {
		for _, d := range j.Destinations {
			kind, name, _ := strings.Cut(d, ":")
			list, ok := names[kind]
			if name = strings.TrimSpace(name); !ok || name == "" || slices.ContainsFunc(list, sameAs(name)) {
				continue
			}
			reason := fmt.Sprintf("the catalogue has no such %s%s", kind, configs.DidYouMean(name, list))
			if kind == "category" {
				reason += "; categories are " + strings.Join(list, ", ")
			}
			all = append(all, configs.Fault{
				Key: fmt.Sprintf("justifications[%d].destinations", i), Value: fmt.Sprintf("%q", d),
				Reason: fmt.Sprintf("%s (justification %q)", reason, j.Name),
			})
		}
	}
	return c.Place(all)
}

// sameAs finds a name of a service or a category as a justification does.
func sameAs(name string) func(string) bool {
	folded := egress.Fold(name)
	return func(other string) bool { return egress.Fold(other) == folded }
}
