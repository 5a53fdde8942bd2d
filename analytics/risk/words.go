package risk

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// words describes an incident by all that it is made of.
type words struct {
	sum  *sum
	at   time.Time
	half time.Duration
}

// Bounds of what an incident names.
const (
	maxNamed      = 20 // findings, in sentences
	maxTechniques = 16
)

// severity is high, and critical when a finding is, or when the sum is far
// over the threshold.
func (w *words) severity(threshold int) event.Severity {
	total, _ := w.sum.weigh(w.at, w.half)
	critical := slices.ContainsFunc(w.sum.parts, func(p part) bool { return p.severity >= event.SeverityCritical })
	if critical || total >= 2*float64(threshold) {
		return event.SeverityCritical
	}
	return event.SeverityHigh
}

// Describe implements analytics.Describer. It writes all words anew: they
// name the findings in the order of their time.
func (w *words) Describe(f *event.Finding, _ *event.Event, _, _ uint32) {
	parts := slices.Clone(w.sum.parts)
	slices.SortStableFunc(parts, func(a, b part) int {
		return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.uid, b.uid))
	})
	total, kinds := w.sum.weigh(w.at, w.half)
	whole := int(math.Round(total))
	f.Title = fmt.Sprintf("%s: %d findings add up to a risk of %d", name(f), len(parts)+w.sum.gone, whole)
	f.Risk, f.Confidence = min(whole, 100), 2
	if kinds > 2 {
		f.Confidence = 3
	}
	f.Explanation, f.Related, f.Analytic.Attacks = nil, nil, nil
	for i := range parts {
		p := &parts[i]
		f.Related = append(f.Related, p.uid)
		f.FirstSeen = earlier(f.FirstSeen, p.first)
		w.techniques(f, p)
		if i < maxNamed {
			analytics.Explain(f, fmt.Sprintf("%s: %s [%s %.8s], %s: %d.", p.first.UTC().Format("2006-01-02 15:04:05"),
				strings.TrimSuffix(p.title, "."), p.analytic, p.uid, strings.ToLower(p.severity.String()), p.risk))
		}
	}
	if more := len(parts) - maxNamed + w.sum.gone; more > 0 && len(parts) > maxNamed {
		analytics.Explain(f, fmt.Sprintf("And %d more.", more))
	}
	analytics.Explain(f, fmt.Sprintf("Each counts half %s after it was last seen, and of findings of one kind (host, sensor and rules about the same connections are one) the second counts half, the third a quarter.", spell(w.half)))
}

// techniques adds those of a part to those of the incident.
func (w *words) techniques(f *event.Finding, p *part) {
	for _, a := range p.attacks {
		if len(f.Analytic.Attacks) < maxTechniques && !slices.Contains(f.Analytic.Attacks, a) {
			f.Analytic.Attacks = append(f.Analytic.Attacks, a)
		}
	}
}

// name is the entity's, for people.
func name(f *event.Finding) string {
	entity := event.ParseEntity(f.Entity)
	switch {
	case f.Src.Context.VM != nil && f.Src.Context.VM.Key == entity.Key:
		return f.Src.Context.VM.Name
	case f.Device.Host != nil && f.Device.Host.Key == entity.Key:
		return f.Device.Host.Name
	case entity.Addr.IsValid():
		return entity.Addr.String()
	}
	_, after, _ := strings.Cut(f.Entity, ":")
	return after
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// spell writes a duration without zeros at its end: 24h.
func spell(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
