package risk

import (
	"cmp"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/event"
)

// Note is what a revision of a finding says to the sum of its entity. It
// shares the finding's memory, and is not changed.
type Note struct {
	part
	revision string
	at       time.Time
	entity   string
	device   event.Device
	src      event.Endpoint
}

// part is one finding, as a part of a sum.
type part struct {
	uid, analytic, title string
	kind                 string // what else tells of the same thing
	severity             event.Severity
	risk                 int // 0 to 100
	first, last          time.Time
	attacks              []event.Attack
}

// NoteOf gives what f says; nil: nothing, for it is an incident itself, or
// about nobody.
func NoteOf(f *event.Finding) *Note {
	if f.Analytic.UID == Analytic || event.ParseEntity(f.Entity) == (event.Entity{}) {
		return nil
	}
	return &Note{
		part: part{
			uid: f.UID, analytic: f.Analytic.UID, kind: kindOf(f), title: f.Title, severity: f.Severity,
			risk: min(max(f.Risk, 0), 100), first: f.FirstSeen, last: f.LastSeen, attacks: f.Analytic.Attacks,
		},
		revision: f.Revision, at: f.Time, entity: f.Entity, device: f.Device, src: f.Src,
	}
}

// Kinds of findings that several analytics are about.
const (
	kindConnection = "a connection to a web service"
	kindHabit      = "habits"
)

// kindOf is what f is about, apart from who says so: the host, the sensor and
// the rules for web services all tell of one connection.
func kindOf(f *event.Finding) string {
	uid := f.Analytic.UID
	switch {
	case uid == "egress.unjustified", uid == "fusion.process_flow", strings.HasPrefix(uid, "endpoint."):
		return kindConnection
	case strings.HasPrefix(uid, "behavior."):
		return kindHabit
	case f.Analytic.Rule && slices.ContainsFunc(f.Analytic.Attacks, func(a event.Attack) bool { return strings.HasPrefix(a.TechniqueUID, "T1102") }):
		return kindConnection
	}
	return uid
}

// sum is the findings of one entity, at most maxParts, in the order in which
// they came.
type sum struct {
	parts []part
	gone  int // parts that made room for others
}

// take adds or revises a part. news says that an analyst would want to see
// it: it is another, or worse than it was.
func (s *sum) take(n *Note) (news bool) {
	i := slices.IndexFunc(s.parts, func(p part) bool { return p.uid == n.uid })
	if i >= 0 {
		news = n.severity > s.parts[i].severity
		s.parts[i] = n.part
		return news
	}
	if len(s.parts) == maxParts {
		s.drop(n.at)
	}
	s.parts = append(s.parts, n.part)
	return true
}

// drop forgets the part that counts least; of equal ones, the oldest.
func (s *sum) drop(now time.Time) {
	least := 0
	for i := range s.parts {
		if s.parts[i].weight(now, dropHalfLife) < s.parts[least].weight(now, dropHalfLife) {
			least = i
		}
	}
	s.parts = slices.Delete(s.parts, least, least+1)
	s.gone++
}

// dropHalfLife weighs age against risk for what is forgotten first.
const dropHalfLife = 24 * time.Hour

// weight is what a part counts at a moment, alone.
func (p *part) weight(now time.Time, half time.Duration) float64 {
	age := max(now.Sub(p.last), 0)
	return float64(p.risk) * math.Exp2(-float64(age)/float64(half))
}

// weigh adds up, and says of how many kinds the parts are.
func (s *sum) weigh(now time.Time, half time.Duration) (total float64, kinds int) {
	weights := make(map[string][]float64, 4)
	for i := range s.parts {
		p := &s.parts[i]
		weights[p.kind] = append(weights[p.kind], p.weight(now, half))
	}
	for _, of := range ordered(weights) { // in order: the same sum in each run
		slices.SortFunc(of, func(a, b float64) int { return cmp.Compare(b, a) })
		for k, w := range of {
			total += math.Ldexp(w, -k)
		}
	}
	return total, len(weights)
}

// recall makes one part of what an incident had beside its open findings,
// when a restart took it up.
func (s *sum) recall(incident *event.Finding, half time.Duration) {
	known, _ := s.weigh(incident.LastSeen, half)
	if rest := incident.Risk - int(known); rest > 0 {
		s.parts = append(s.parts, part{
			uid: incident.UID, analytic: Analytic, kind: Analytic, title: "What was found before a restart", severity: incident.Severity,
			risk: rest, first: incident.FirstSeen, last: incident.LastSeen, attacks: incident.Analytic.Attacks,
		})
	}
}

// ordered goes through m in the order of its keys.
func ordered[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
