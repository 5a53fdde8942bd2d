package egress

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// Uids of the analytics.
const (
	Unjustified      = "egress.unjustified"
	HTTPClientOpened = "esxi.httpclient_opened"
)

// Bounds of a Detector's memory.
const (
	maxSpent    = 20000 // accounts (machine, rule, window) of max_bytes
	maxOpened   = 50000 // justified connections whose opening is known
	maxContacts = 200000
	maxFolded   = 4096
	maxDomains  = 16384
)

// learning is how long, in event time, a Detector must have watched before
// it calls a contact the first one.
const learning = 24 * time.Hour

// noInventory is the Key of the one finding that stands in for all unknown
// machines while no inventory is configured.
const noInventory = "no inventory"

// maxUnknown bounds the open findings of one machine that is not known. What
// it talks to beyond them is in one finding, whose Key is manyDestinations.
const (
	maxUnknown       = 64
	manyDestinations = "many destinations"
)

// contact is a machine and what it talked to.
type contact struct {
	entity event.Entity
	what   string
	addr   netip.Addr
}

// Detector judges the events of one shard. It implements analytics.Detector,
// Ticker, Restorer and Flusher; only Stats is safe for concurrent use.
type Detector struct {
	policy   *Policy
	domain   func(host string) string
	evidence Evidence
	ledger   *analytics.Ledger

	clocks           []clock // of policy.zones
	allowed, fitting ruleSet
	spent            *analytics.Recent[spentKey, int64]
	opened           *analytics.Recent[analytics.Connection, opened]
	courses          *analytics.Courses
	contacts         *analytics.Recent[contact, struct{}]
	folded           *analytics.Recent[string, string]
	domains          *analytics.Recent[string, string] // by host
	since            time.Time                         // of the first event

	words    words       // of the event that is being reported
	question event.Event // the connection that a DNS query would lead to
	stats    counters
}

// counters are written by the shard and read by Stats.
type counters struct {
	justified, unjustified, unknown atomic.Int64
}

// Stats counts verdicts, findings, and what fell out of bounded memory.
type Stats struct {
	Justified, Unjustified, Unknown int64
	Findings                        []analytics.AnalyticStats
	// Forgotten counts byte accounts, openings and courses of connections, and
	// contacts that were given up for newer ones.
	ForgottenAccounts, ForgottenConnections, ForgottenCourses, ForgottenContacts int64
}

var (
	_ analytics.Detector = (*Detector)(nil)
	_ analytics.Ticker   = (*Detector)(nil)
	_ analytics.Restorer = (*Detector)(nil)
	_ analytics.Flusher  = (*Detector)(nil)
)

// New makes a Detector. domain gives the registrable domain of a host name,
// by which findings without a service are told apart; it must not be nil.
// evidence is what vSphere reports; nil: nothing.
func New(p *Policy, domain func(host string) string, evidence Evidence) *Detector {
	if evidence == nil {
		evidence = nothing{}
	}
	d := &Detector{
		evidence: evidence,
		domain:   domain,
		ledger:   analytics.NewLedger(analytics.LedgerOptions{QuietClose: p.quiet}, unjustifiedAnalytic, httpClientAnalytic),
		spent:    analytics.NewRecent[spentKey, int64](maxSpent),
		opened:   analytics.NewRecent[analytics.Connection, opened](maxOpened),
		courses:  analytics.NewCourses(maxCourses),
		contacts: analytics.NewRecent[contact, struct{}](maxContacts),
		folded:   analytics.NewRecent[string, string](maxFolded),
		domains:  analytics.NewRecent[string, string](maxDomains),
	}
	d.SetPolicy(p)
	return d
}

// SetPolicy puts p in force for the next event. Open findings, byte accounts
// of rules that keep their name, and what is known of connections stay.
func (d *Detector) SetPolicy(p *Policy) {
	d.policy = p
	d.ledger.SetQuietClose(p.quiet)
	d.clocks = make([]clock, len(p.zones))
	for i, loc := range p.zones {
		d.clocks[i].loc = loc
	}
	d.allowed, d.fitting = make(ruleSet, p.words()), make(ruleSet, p.words())
}

// Detect judges ev when it is HTTP(S) from the estate to the internet: it sets
// ev.Justification, and reports when that is not justified.
func (d *Detector) Detect(ev *event.Event, report func(*event.Finding)) {
	switch ev.Class {
	case event.DNSActivity, event.FileActivity, event.SSHActivity:
		return
	case event.NetworkActivity, event.HTTPActivity, event.ProcessActivity:
		if t, ok := d.concerns(ev); ok {
			d.connection(ev, &t, report)
		}
	}
	if ev.Class != event.NetworkActivity && ev.Class != event.HTTPActivity {
		d.firewall(ev, report)
	}
}

// Tick updates and closes findings.
func (d *Detector) Tick(now time.Time, report func(*event.Finding)) { d.ledger.Tick(now, report) }

// Restore takes up findings that were open before a restart.
func (d *Detector) Restore(open []event.Finding) { d.ledger.Restore(open) }

// Flush reports the updates of findings that wait for their time.
func (d *Detector) Flush(report func(*event.Finding)) { d.ledger.Flush(report) }

// Courses are the connections that the Detector follows, for other detectors
// of the same shard that ask about the same events.
func (d *Detector) Courses() *analytics.Courses { return d.courses }

// Stats may be called from any goroutine.
func (d *Detector) Stats() Stats {
	return Stats{
		Justified:            d.stats.justified.Load(),
		Unjustified:          d.stats.unjustified.Load(),
		Unknown:              d.stats.unknown.Load(),
		Findings:             d.ledger.Stats(),
		ForgottenAccounts:    d.spent.Forgotten(),
		ForgottenConnections: d.opened.Forgotten(),
		ForgottenCourses:     d.courses.Forgotten(),
		ForgottenContacts:    d.contacts.Forgotten(),
	}
}

func (d *Detector) connection(ev *event.Event, t *target, report func(*event.Finding)) {
	a, ok := who(ev)
	if !ok || !d.outbound(ev, &a) {
		return
	}
	if d.since.IsZero() {
		d.since = ev.Time
	}
	if t.host == "" && ev.Dst.NameVia == "" {
		ev.Dst.NameVia = viaNothing
	}
	t.part = d.part(ev, t)
	v := d.judge(ev, &a, t)
	ev.Justification = v.Justification
	switch v.Verdict {
	case event.VerdictJustified:
		d.stats.justified.Add(1)
	case event.VerdictUnjustified:
		d.stats.unjustified.Add(1)
		d.unjustified(ev, a, t, v, report)
	default:
		d.stats.unknown.Add(1)
		d.unknown(ev, a, t, v, report)
	}
}

// outbound says that the source is the estate's: a machine that is known, an
// address that is not on the internet, or where the sensor says so.
func (d *Detector) outbound(ev *event.Event, a *actor) bool {
	if a.known() || len(a.ctx.Candidates) > 0 || ev.Direction == event.DirectionOutbound {
		return true
	}
	return ev.Src.IP.IsValid() && !d.policy.External(ev.Src.IP)
}

func (d *Detector) unjustified(ev *event.Event, a actor, t *target, v verdict, report func(*event.Finding)) {
	key := d.key(ev, t)
	c := d.ledger.Case(key, report)
	sent := analytics.AddCount(c.BytesOut(), t.part.BytesOut)
	severity, notes := d.severity(ev, &a, sent, d.firstContact(&key, ev.Time))
	d.words = words{actor: a, target: *t, verdict: v, policy: d.policy}
	d.ledger.Add(c, analytics.Sighting{
		Event: ev, Severity: severity, Part: t.part, Notes: notes | noteOf(v.Reason), By: &d.words,
	}, report)
}

func (d *Detector) unknown(ev *event.Event, a actor, t *target, v verdict, report func(*event.Finding)) {
	key, notes := d.key(ev, t), noteConnected
	if attempt(ev) {
		notes = noteRefused
	}
	if a.ctx.State == event.StateNone {
		key = analytics.Key{Analytic: Unjustified, What: noInventory}
		notes = 0
	}
	crowd := analytics.Key{Analytic: Unjustified, Entity: key.Entity, What: manyDestinations}
	d.words = words{actor: a, target: *t, verdict: v, policy: d.policy}
	d.ledger.Add(d.ledger.CaseAmong(key, crowd, maxUnknown, report), analytics.Sighting{
		Event: ev, Severity: event.SeverityInformational, Part: t.part, Notes: notes | noteOf(v.Reason), By: &d.words,
	}, report)
}

// key is what findings are one for: the machine and the service, else the
// registrable domain, else the address.
func (d *Detector) key(ev *event.Event, t *target) analytics.Key {
	k := analytics.Key{Analytic: Unjustified, Entity: ev.Entity()}
	switch {
	case ev.Dst.Service != "" && !anybody(ev.Dst.Category):
		k.What = ev.Dst.Service
	case t.host != "":
		k.What = d.domainOf(t.host)
	case t.invalid && !t.addr.IsValid():
		k.What = invalidHost
	default:
		k.Addr = t.addr.WithZone("")
	}
	return k
}

// anybody says that behind services of that category are all their customers:
// what goes to two of them is not the same.
func anybody(category string) bool { return category == "cloud" || category == "cdn" }

// domainOf is d.domain, remembered.
func (d *Detector) domainOf(host string) string {
	domain, ok := d.domains.Get(host)
	if !ok {
		host = strings.Clone(host)
		domain = d.domain(host)
		d.domains.Put(host, domain)
	}
	return domain
}

// firstContact says that this machine was not seen to talk to this before,
// once enough was seen to say so, and remembers it.
func (d *Detector) firstContact(k *analytics.Key, now time.Time) bool {
	c := contact{entity: k.Entity, what: k.What, addr: k.Addr}
	if _, ok := d.contacts.Get(c); ok {
		return false
	}
	c.entity.Key, c.what = strings.Clone(c.entity.Key), strings.Clone(c.what)
	d.contacts.Put(c, struct{}{})
	return now.Sub(d.since) >= learning
}
