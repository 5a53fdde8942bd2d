package app

import (
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/analytics/apiuse"
	"github.com/vegress/vegress/analytics/behavior"
	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/analytics/evidence"
	"github.com/vegress/vegress/analytics/fusion"
	"github.com/vegress/vegress/analytics/names"
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/analytics/webservice"
	"github.com/vegress/vegress/analytics/webuse"
	"github.com/vegress/vegress/event"
)

// analysis is what one shard knows, and what it does to an event: what vSphere
// says of work that goes on is noted, names and services are put to addresses,
// connections are judged, who acted is written in, then the rules look. It is
// used from one goroutine, by the service and by replay alike.
type analysis struct {
	names     *names.Names
	services  *webservice.Catalogue
	evidence  *evidence.Evidence
	egress    *egress.Detector
	behavior  *behavior.Detector
	webuse    *webuse.Detector
	fusion    *fusion.Detector
	api       *apiuse.Scout
	rules     *stream.Detector
	detectors analytics.Detectors // all, in the order of their Ticks
	scouts    []analytics.Scout
	tell      func(analytics.Observation) // to the second floor
	watermark time.Time                   // the latest event's time that is believed; never goes back
	leaps     int                         // events in a row that are far beyond it
	ticked    time.Time
}

const (
	// tickEvery is how much of the events' time passes between two Ticks.
	tickEvery = time.Second
	// leap is how far ahead of the others one event may be and still move
	// time; agree is how many in a row move it all the same. A replay believes
	// every sender's clock, and one bad one must not close all findings.
	leap  = time.Hour
	agree = 8
)

// share says which shard of how many it is. seed goes into the keys of what is
// kept.
type share struct {
	index, of int
	seed      uint64
}

// newAnalysis makes the analysis of a shard with the policy in force.
func newAnalysis(p *policy, mine share, tell func(analytics.Observation)) *analysis {
	a := &analysis{names: names.New(names.Options{}), services: p.catalogue, evidence: evidence.New(p.evidence), tell: tell}
	a.egress = egress.New(p.egress, names.RegistrableDomain, a.evidence)
	a.egress.Courses().SetSeed(mine.seed)
	a.behavior = behavior.New(p.behavior, a.egress.Courses(), mine.seed, mine.of)
	a.webuse = webuse.New(p.webuse, a.unusual)
	a.fusion = fusion.New(p.fusion, a.egress.Courses())
	a.rules = stream.New(p.rules, tell)
	a.detectors = analytics.Detectors{a.egress, a.behavior, a.webuse, a.fusion, a.rules}
	a.api = apiuse.NewScout(p.apiuse, a.evidence)
	a.scouts = []analytics.Scout{a.api}
	return a
}

// adopt changes the policy. What the detectors remember stays.
func (a *analysis) adopt(p *policy) {
	a.services = p.catalogue
	a.evidence.SetOptions(p.evidence)
	a.egress.SetPolicy(p.egress)
	a.behavior.SetPolicy(p.behavior)
	a.webuse.SetPolicy(p.webuse)
	a.fusion.SetOptions(p.fusion)
	a.api.SetPolicy(p.apiuse)
	a.rules.SetPolicy(p.rules)
}

// see is the way of one event.
func (a *analysis) see(ev *event.Event, report func(*event.Finding)) {
	a.evidence.Learn(ev)
	a.names.Annotate(ev)
	a.services.Annotate(ev)
	if ev.Class == event.DNSActivity {
		service, category := serviceAt(a.services, ev.DNS.Query)
		a.egress.Question(ev, service, category)
	}
	a.egress.Detect(ev, report)
	a.behavior.Detect(ev, report) // goes by the verdict
	a.webuse.Detect(ev, report)   // and by the habits
	a.fusion.Detect(ev, report)
	for _, s := range a.scouts {
		s.Scout(ev, a.tell)
	}
	a.rules.Detect(ev, report) // last: rules look at what the others wrote into ev, too
	a.pass(ev.Time, report)
}

// unusual is what the habits say of the event under examination.
func (a *analysis) unusual() webuse.Habit {
	u := a.behavior.Unusual()
	return webuse.Habit{Beacon: u.Beacon, Volume: u.Volume, Frequent: u.Frequent, OffHours: u.OffHours}
}

// teaches says that ev has something for all shards to learn.
func teaches(ev *event.Event) bool {
	return ev.Class == event.DNSActivity || evidence.Concerns(ev)
}

// learn takes from another shard's event what concerns all shards.
func (a *analysis) learn(ev *event.Event) {
	a.names.Learn(ev)
	a.evidence.Learn(ev)
}

// pass lets the time of events go on, and tells it to the detectors once a
// second.
func (a *analysis) pass(now time.Time, report func(*event.Finding)) {
	if !now.After(a.watermark) {
		a.leaps = 0
		return
	}
	if !a.watermark.IsZero() && now.Sub(a.watermark) > leap {
		if a.leaps++; a.leaps < agree {
			return
		}
	}
	a.watermark, a.leaps = now, 0
	if now.Sub(a.ticked) >= tickEvery {
		a.ticked = now
		a.detectors.Tick(now, report)
		a.rest()
	}
}

// rest lets the scouts tell what they held back.
func (a *analysis) rest() {
	for _, s := range a.scouts {
		s.Rest(a.tell)
	}
}

// finish gives the last word of the detectors, after the last event.
func (a *analysis) finish(report func(*event.Finding)) {
	a.detectors.Flush(report)
	a.rest()
}
