package stream

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/event"
)

// hitWords describe the finding of a rule. They implement analytics.Describer.
type hitWords struct {
	rule  *rule
	hit   *sigma.Hit
	flood int
}

// Describe writes the title and the reasons, once.
func (w *hitWords) Describe(f *event.Finding, ev *event.Event, all, _ uint32) {
	w.rule.rate(f)
	if all&noteFlood != 0 {
		w.rule.floods(f, w.flood, "entities")
		return
	}
	f.Title = w.rule.Title + " (" + nameOf(ev) + ")"
	for _, sentence := range matched(w.hit.Evidence()) {
		analytics.Explain(f, sentence)
	}
	w.rule.explain(f)
}

// correlatedWords describe the finding of a correlation.
type correlatedWords struct {
	rule  *rule
	hit   *sigma.Correlated
	flood int
}

// Describe writes the title and the reasons, once.
func (w *correlatedWords) Describe(f *event.Finding, ev *event.Event, all, _ uint32) {
	w.rule.rate(f)
	if all&noteFlood != 0 {
		w.rule.floods(f, w.flood, "groups")
		return
	}
	f.Title = w.rule.Title + " (" + nameOf(ev) + ")"
	of := groupName(w.hit.Group)
	if of != "" {
		of = "For " + clip(of, maxShown) + ": "
	}
	analytics.Explain(f, of+w.hit.Explanation+".")
	w.rule.explain(f)
}

// rate puts in how sure and how grave it is.
func (r *rule) rate(f *event.Finding) {
	f.Confidence = 2
	switch r.Status {
	case "stable":
		f.Confidence = 3
	case "experimental":
		f.Confidence = 1
	}
	f.Risk = max(f.Risk, analytics.RiskOf(f.Severity))
}

// floods says that more is counted here than the finding names.
func (r *rule) floods(f *event.Finding, flood int, of string) {
	f.Title = fmt.Sprintf("%s: more than %d %s in a minute", r.Title, flood, of)
	analytics.Explain(f, fmt.Sprintf("The rule floods: it opened %d findings within a minute. What it holds for beyond that is counted here, whatever its entity.", flood))
	analytics.Explain(f, "An override in the configuration can exclude what is meant to be there, or disable the rule (rules.overrides).")
	r.explain(f)
}

// explain adds what the rule says of itself.
func (r *rule) explain(f *event.Finding) {
	if r.analytic.Desc != "" {
		analytics.Explain(f, r.analytic.Desc)
	}
	if len(r.FalsePositives) > 0 {
		analytics.Explain(f, "May be harmless: "+clip(oneLine(strings.Join(r.FalsePositives, "; ")), maxDesc)+".")
	}
	of := ""
	if r.of != "" {
		of = ", for " + r.of
	}
	analytics.Explain(f, ruleSentence(r.uid)+r.File+of+".")
}

// ruleSentence begins the sentence that every finding of a rule has.
func ruleSentence(uid string) string { return "Rule " + uid + " of " }

// IsRule says that f is the finding of a rule or a correlation.
func IsRule(f *event.Finding) bool {
	return f.Analytic.Rule && slices.ContainsFunc(f.Explanation, func(sentence string) bool {
		return strings.HasPrefix(sentence, ruleSentence(f.Analytic.UID))
	})
}

// Quiets gives the configuration that keeps findings like f away, as YAML;
// empty for findings that are not of a rule.
func Quiets(f *event.Finding) string {
	if !IsRule(f) {
		return ""
	}
	return fmt.Sprintf("rules:\n  overrides:\n"+
		"    - {ids: [%q], disable: true}    # better, what is meant to be there alone: exclude: [\"{User: svc-x}\"]\n", f.Analytic.UID)
}

// maxShown bounds a value in a sentence, in bytes.
const maxShown = 200

// matched makes a sentence of each search that holds: the fields with their
// values.
func matched(evidence []sigma.Evidence) (sentences []string) {
	var parts []string
	for i, e := range evidence {
		if e.Field == "" {
			parts = append(parts, `the record has "`+clip(e.Value, maxShown)+`"`)
		} else {
			parts = append(parts, e.Field+` is "`+clip(e.Value, maxShown)+`"`)
		}
		if i+1 == len(evidence) || evidence[i+1].Selection != e.Selection {
			sentences = append(sentences, e.Selection+": "+strings.Join(parts, ", ")+".")
			parts = nil
		}
	}
	return sentences
}

// nameOf names who acts in ev, for a person.
func nameOf(ev *event.Event) string {
	entity := ev.Entity()
	if vm := ev.Src.Context.VM; vm != nil && vm.Key == entity.Key {
		return vm.Name
	}
	if name, ok := strings.CutPrefix(entity.Key, "host:"); ok {
		return name
	}
	if entity.Addr.IsValid() {
		return entity.Addr.String()
	}
	return entity.String()
}

// clip gives the beginning of s, in at most limit bytes and whole characters.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
