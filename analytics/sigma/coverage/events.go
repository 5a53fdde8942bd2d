package coverage

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/source"
)

type eventKey struct{ provider, id string }

func compareEvents(a, b eventKey) int {
	return cmp.Or(strings.Compare(a.provider, b.provider), compareIDs(a.id, b.id))
}

// compareIDs puts numbers in their order.
func compareIDs(a, b string) int {
	if isNumber(a) && isNumber(b) {
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	}
	return strings.Compare(a, b)
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// eventsOf says which kinds of events a rule looks at: those that its lines
// name, of the provider that they or the log source name; else all that the
// log source stands for.
func (c *counter) eventsOf(rule *sigma.Rule) []eventKey {
	l := rule.LogSource
	kinds := c.kindsOf(source.Source{Product: l.Product, Category: l.Category, Service: l.Service})
	ids, providers := named(rule)
	if len(ids) == 0 {
		return kinds
	}
	if len(providers) == 0 {
		if known := slices.DeleteFunc(slices.Clone(kinds), func(k eventKey) bool { return !slices.Contains(ids, k.id) }); len(known) > 0 {
			return known
		}
		for _, k := range kinds {
			if !slices.Contains(providers, k.provider) {
				providers = append(providers, k.provider)
			}
		}
		if len(providers) > maxProviders {
			providers = []string{label(l)}
		}
	}
	var events []eventKey
	for _, provider := range providers {
		for _, id := range ids {
			events = append(events, eventKey{provider, id})
		}
	}
	return events
}

// maxProviders is how many logs a log source may stand for and still be told
// by them.
const maxProviders = 4

// named gives the ids and the providers that a rule's lines ask for.
func named(rule *sigma.Rule) (ids, providers []string) {
	for _, it := range rule.Items() {
		for _, t := range testsOf(&it) {
			if t.excluded || t.operator != "equals" || t.value == "" {
				continue
			}
			switch t.field {
			case "event.code", "event.action":
				ids = append(ids, t.value)
			case "event.provider", "log.channel":
				providers = append(providers, t.value)
			}
		}
	}
	return ids, providers
}

// kindsOf gives the kinds of events that a log source stands for by the table;
// of one that the table does not know, its own name.
func (c *counter) kindsOf(of source.Source) []eventKey {
	var keys []eventKey
	for _, id := range c.table.Select(of) {
		for _, k := range c.table.Kinds(id) {
			keys = append(keys, keysOf(&k, c.table.Sources()[id])...)
		}
	}
	if len(keys) == 0 || of.Category == "" && of.Service == "" {
		return []eventKey{{provider: label(sigma.LogSource{Product: of.Product, Category: of.Category, Service: of.Service})}}
	}
	return keys
}

// keysOf names a kind by its log and event id; what vegress decodes itself by
// the event's class and activity.
func keysOf(k *source.Kind, of source.Source) (keys []eventKey) {
	switch ids := k.Fields["EventID"]; {
	case len(ids) > 0:
		for _, log := range k.Logs {
			for _, id := range ids {
				keys = append(keys, eventKey{log, id})
			}
		}
	case k.Class != "" && len(k.Activities) > 0:
		for _, activity := range k.Activities {
			keys = append(keys, eventKey{k.Class, activity})
		}
	case k.Class != "":
		keys = append(keys, eventKey{provider: k.Class})
	case len(k.Logs) > 0 && len(k.Logs) <= maxProviders:
		for _, log := range k.Logs {
			keys = append(keys, eventKey{provider: log})
		}
	default:
		keys = append(keys, eventKey{provider: label(sigma.LogSource{Product: of.Product, Category: of.Category, Service: of.Service})})
	}
	return keys
}

func label(l sigma.LogSource) string {
	parts := slices.DeleteFunc([]string{l.Product, l.Category, l.Service}, func(part string) bool { return part == "" })
	return strings.Join(parts, "/")
}
