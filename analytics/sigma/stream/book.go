package stream

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// book keeps the findings of rules, or of correlations: one for each rule and
// entity (and group), and of each rule no more new ones in a minute than the
// policy allows. It is used from one goroutine; only stats may be called from
// anywhere.
type book struct {
	ledger *analytics.Ledger
	flood  int
	now    time.Time // of the last Tick

	mu     sync.Mutex // guards the map against stats; only the owner changes it
	states map[string]*state
}

// state is what is remembered of a rule that hit, or that was seen to cost
// something, by its uid.
type state struct {
	uid, title            string
	hits, throttled, cost atomic.Int64 // cost: nanoseconds in samples

	known  *rule // as the ledger knows it
	minute int64 // in which opened counts
	opened int
	crowd  analytics.Key // of the finding that stands in for what was throttled
}

// RuleStats counts for one rule or correlation.
type RuleStats struct {
	UID, Title string
	Hits       int64
	Throttled  int64         // of Hits: counted in the finding that says that the rule floods
	Cost       time.Duration // estimated from samples, without what rules share
}

// crowdKey is what a finding of a rule that floods is about.
const crowdKey = "more entities"

// noteFlood marks the hits that are counted there.
const noteFlood = 1

func newBook(p *Policy) *book {
	b := &book{ledger: analytics.NewLedger(analytics.LedgerOptions{QuietClose: p.suppress}), states: map[string]*state{}}
	b.adopt(p)
	return b
}

func (b *book) adopt(p *Policy) {
	b.flood = p.flood
	b.ledger.SetQuietClose(p.suppress)
}

func (b *book) state(r *rule) *state {
	st := b.states[r.uid]
	if st == nil {
		st = &state{uid: r.uid, title: r.Title}
		b.mu.Lock()
		b.states[r.uid] = st
		b.mu.Unlock()
	}
	return st
}

// add makes s part of the finding of r and k.
func (b *book) add(r *rule, k analytics.Key, s analytics.Sighting, report func(*event.Finding)) {
	st := b.state(r)
	if st.known != r {
		b.ledger.Admit(r.analytic)
		st.known = r
	}
	k.Analytic, s.Severity = r.uid, r.severity
	if !b.ledger.Has(k) && !b.mayOpen(st) {
		st.throttled.Add(1)
		if !b.ledger.Has(st.crowd) {
			st.crowd = analytics.Key{Analytic: r.uid, Entity: k.Entity, What: crowdKey}
			st.crowd.Entity.Key = strings.Clone(k.Entity.Key)
		}
		k, s.Notes = st.crowd, noteFlood
	}
	b.ledger.Add(b.ledger.Case(k, report), s, report)
}

// mayOpen says that a rule may open one more finding in this minute.
func (b *book) mayOpen(st *state) bool {
	if minute := b.now.Unix() / 60; st.minute != minute {
		st.minute, st.opened = minute, 0
	}
	st.opened++
	return st.opened <= b.flood
}

func (b *book) tick(now time.Time, report func(*event.Finding)) {
	b.now = now
	b.ledger.Tick(now, report)
}

// restore takes up the open findings of these rules, and, to close them, those
// of rules that are gone and of which gone says so.
func (b *book) restore(open []event.Finding, rules map[string]*rule, gone func(*event.Finding) bool) {
	for i := range open {
		f := &open[i]
		if r := rules[f.Analytic.UID]; r != nil {
			b.ledger.Admit(r.analytic)
			st := b.state(r)
			if st.known = r; f.Key == crowdKey {
				st.crowd = analytics.Key{Analytic: r.uid, Entity: event.ParseEntity(f.Entity), What: crowdKey}
			}
		} else if gone(f) {
			b.ledger.Admit(f.Analytic)
		}
	}
	b.ledger.Restore(open)
}

// stats lists the rules that hit or that cost something, by their uids.
func (b *book) stats() []RuleStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]RuleStats, 0, len(b.states))
	for _, st := range b.states {
		all = append(all, RuleStats{
			UID: st.uid, Title: st.title, Hits: st.hits.Load(), Throttled: st.throttled.Load(),
			Cost: time.Duration(st.cost.Load()) * sampleEvery,
		})
	}
	slices.SortFunc(all, func(a, b RuleStats) int { return strings.Compare(a.UID, b.UID) })
	return all
}
