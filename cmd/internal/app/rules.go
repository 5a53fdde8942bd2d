package app

import (
	"fmt"
	"io"
	"sync"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/configs/rules"
	table "github.com/vegress/vegress/configs/sigma"
)

// loadRules reads the rules that a configuration names, the built-in ones
// among them, and the table of log sources. Rules that cannot be used are the
// Set's Refusals; an error is of a file or folder as a whole.
func loadRules(o stream.Options) (*stream.Set, error) {
	if o.Builtin && !o.Deprecated && len(o.Paths)+len(o.Overrides)+len(o.Placeholders)+len(o.Taxonomies)+len(o.LogSources) == 0 {
		return builtinRules()
	}
	return loadAll(o)
}

func loadAll(o stream.Options) (*stream.Set, error) {
	return stream.Load(stream.Builtin{Rules: rules.Files, Sources: table.Files}, o)
}

// builtinRules are what most configurations name, read once: they are part of
// the binary, and a Set is not changed.
var builtinRules = sync.OnceValues(func() (*stream.Set, error) { return loadAll(stream.Options{Builtin: true}) })

// maxRefusalsSaid bounds how many refusals are said one by one.
const maxRefusalsSaid = 50

// logRules says once which rules a policy brings, and of those that it does not
// where they stand and why.
func (a *App) logRules(p *stream.Policy) {
	refusals := p.Refusals()
	for _, r := range refusals[:min(len(refusals), maxRefusalsSaid)] {
		a.log.Warn("rule refused", "file", r.File, "line", r.Line, "id", r.ID, "reason", r.Reason)
	}
	l := p.Loaded()
	a.log.Info("rules in force", "rules", l.Rules, "correlations", l.Correlations, "refused", l.Refused,
		"disabled", l.Disabled, "deprecated", l.Deprecated, "blind", l.Blind)
}

// sayRefusals is the same for a person at a terminal.
func sayRefusals(to io.Writer, refusals []sigma.Refusal) {
	for _, r := range refusals[:min(len(refusals), maxRefusalsSaid)] {
		fmt.Fprintf(to, "vegress: warning: rule refused: %v\n", r)
	}
	if more := len(refusals) - maxRefusalsSaid; more > 0 {
		fmt.Fprintf(to, "vegress: warning: %d more rules refused\n", more)
	}
}

// ruleSummary is what replay says of the rules.
type ruleSummary struct {
	Rules        int   `json:"rules"`
	Correlations int   `json:"correlations"`
	Refused      int   `json:"refused"`
	Hits         int64 `json:"hits"` // of rules and correlations
	Throttled    int64 `json:"throttled"`
}

// String says it to a person.
func (s ruleSummary) String() string {
	text := fmt.Sprintf("rules: %d and %d correlations, %d refused; %d hits", s.Rules, s.Correlations, s.Refused, s.Hits)
	if s.Throttled > 0 {
		text += fmt.Sprintf(", of which %d throttled", s.Throttled)
	}
	return text
}

func (r *replayer) countRules() ruleSummary {
	l := r.policy.rules.Loaded()
	s := ruleSummary{Rules: l.Rules, Correlations: l.Correlations, Refused: l.Refused}
	for _, list := range [][]stream.RuleStats{r.analysis.rules.Stats().Rules, r.floor.rules.Stats().Rules} {
		for _, one := range list {
			s.Hits, s.Throttled = s.Hits+one.Hits, s.Throttled+one.Throttled
		}
	}
	return s
}
