package egress

import (
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// verdict is the answer about one connection, with what the words need.
type verdict struct {
	event.Justification
	rule *rule // that justifies, or came closest; nil: none has to do with it
	at   int64 // Unix seconds by which windows were judged
}

// question is what is asked of the rules: may this machine talk to that.
type question struct {
	ev     *event.Event
	actor  *actor
	target *target
}

// spentKey is a machine's account with a rule in one window.
type spentKey struct {
	entity event.Entity
	rule   string
	start  int64 // Unix seconds of the window's begin; a day's without windows
}

// opened is whose a justified connection was, since when, and when it was last
// heard of. Times are Unix seconds.
type opened struct {
	entity   event.Entity
	at, last int64
	closed   int64 // when it ended; flows of it may still come; 0: it goes on
}

// judge decides about a connection of a to t. Who it was comes first: a
// machine that is not known, or may be one of several, is never justified.
func (d *Detector) judge(ev *event.Event, a *actor, t *target) verdict {
	v := verdict{at: d.openedAt(ev, t)}
	if a.known() {
		d.rulesFor(&question{ev, a, t}, &v)
	} else {
		v.Verdict, v.Reason = event.VerdictUnknown, unknownReason(a.ctx)
	}
	if ev.Class == event.NetworkActivity {
		d.remember(ev, t, &v)
	}
	return v
}

// rulesFor asks the rules.
func (d *Detector) rulesFor(q *question, v *verdict) {
	named := d.rolesOf(q.actor)
	d.destinations(q.ev, q.target)
	d.firstRule(q, v)
	if v.Reason == event.ReasonDestination && d.withoutRule(q, v) {
		return
	}
	if !named && v.Reason == event.ReasonDestination {
		// That a rule for everybody has other destinations explains nothing.
		v.Reason, v.rule = event.ReasonNoRole, nil
	}
}

func unknownReason(c *event.Context) event.Reason {
	switch {
	case c.Ambiguous():
		return event.ReasonAmbiguous
	case c.State == event.StateDead || c.State == event.StateNever:
		return event.ReasonStaleInventory
	}
	return event.ReasonNoVM
}

// rolesOf puts the rules that a may use into d.allowed, and says whether one of
// them names a role of a.
func (d *Detector) rolesOf(a *actor) (named bool) {
	clear(d.allowed)
	if a.vm != nil || a.host != nil {
		d.allowed.addAll(d.policy.anyRole)
	}
	for _, role := range a.roles() {
		rules := d.policy.roles[strings.ToLower(role)]
		d.allowed.addAll(rules)
		named = named || len(rules) > 0
	}
	for _, role := range a.builtin() {
		d.allowed.addAll(d.policy.roles[role])
		named = true
	}
	return named
}

// destinations puts the rules that allow t into d.fitting. A name from other
// machines' DNS answers allows nothing, nor does a service by that name.
func (d *Detector) destinations(ev *event.Event, t *target) {
	p, set := d.policy, d.fitting
	clear(set)
	set.addAll(p.anywhere)
	if t.addr.IsValid() {
		if nets, ok := p.nets.Lookup(t.addr); ok {
			set.addAll(nets)
		}
	}
	if t.host != "" && !t.sharedHost {
		set.addAll(p.hosts[t.host])
		for host := t.host; ; {
			dot := strings.IndexByte(host, '.')
			if dot < 0 {
				break
			}
			host = host[dot+1:]
			set.addAll(p.below[host])
		}
	}
	if t.sharedService {
		return
	}
	if ev.Dst.Service != "" && len(p.services) > 0 {
		set.addAll(p.services[d.fold(ev.Dst.Service)])
	}
	if ev.Dst.Category != "" && len(p.categories) > 0 {
		set.addAll(p.categories[d.fold(ev.Dst.Category)])
	}
}

// fold is Fold, remembered.
func (d *Detector) fold(s string) string {
	folded, ok := d.folded.Get(s)
	if !ok {
		folded = Fold(s)
		d.folded.Put(strings.Clone(s), folded)
	}
	return folded
}

// firstRule finds the first rule, in the order of the configuration, that
// holds. When none does, the reason is that of the rule that came furthest
// on the way destination, expiry, window, bytes.
func (d *Detector) firstRule(q *question, v *verdict) {
	v.Verdict, v.Reason = event.VerdictUnjustified, event.ReasonDestination
	furthest := 0
	for w := range d.allowed {
		for set := d.allowed[w] & d.fitting[w]; set != 0; set &= set - 1 {
			r := &d.policy.rules[w*64+bits.TrailingZeros64(set)]
			reason := d.try(q, r, v)
			if reason == event.ReasonNone {
				v.Verdict, v.Reason, v.By, v.rule = event.VerdictJustified, event.ReasonNone, r.Name, r
				return
			}
			if p := progress(reason); p > furthest {
				furthest, v.Reason, v.rule = p, reason, r
			}
		}
	}
	v.noWindow()
	if v.rule == nil {
		v.rule = d.firstAllowed()
	}
}

// progress orders the reasons by how close to justified they are.
func progress(r event.Reason) int {
	switch r {
	case event.ReasonExpired:
		return 2
	case event.ReasonWindow:
		return 3
	case event.ReasonBytes:
		return 4
	}
	return 1
}

// firstAllowed is the first rule that names a role of the machine.
func (d *Detector) firstAllowed() *rule {
	for w, set := range d.allowed {
		if set != 0 {
			return &d.policy.rules[w*64+bits.TrailingZeros64(set)]
		}
	}
	return nil
}

// try asks what is left of r, role and destination being right.
func (d *Detector) try(q *question, r *rule, v *verdict) event.Reason {
	if len(r.ports) > 0 && !slices.Contains(r.ports, q.target.port) {
		return event.ReasonDestination
	}
	if !r.expires.IsZero() && v.at >= r.expires.Unix() {
		return event.ReasonExpired
	}
	if !d.openWindow(r, v) && !d.openRun(q, r, v) {
		return event.ReasonWindow
	}
	if r.maxBytes > 0 && !d.affordable(q, r, v) {
		return event.ReasonBytes
	}
	return event.ReasonNone
}

// openWindow looks for the window of r that is open, and puts its bounds into
// v.
func (d *Detector) openWindow(r *rule, v *verdict) bool {
	v.noWindow()
	for i := range r.windows {
		w := &r.windows[i]
		c := &d.clocks[w.zone]
		if day, open := w.start(c.local(v.at)); open {
			v.From, v.To = w.bounds(day, c.loc)
			return true
		}
	}
	return len(r.windows) == 0
}

// affordable books what was sent on the machine's account with r, and says
// whether that is still within the limit.
func (d *Detector) affordable(q *question, r *rule, v *verdict) bool {
	key := spentKey{entity: q.ev.Entity(), rule: r.Name, start: floorDiv(v.at, daySeconds) * daySeconds}
	if !v.From.IsZero() {
		key.start = v.From.Unix()
	}
	spent, ok := d.spent.Get(key)
	if sent := q.target.part.BytesOut; sent > 0 {
		spent = analytics.AddCount(spent, sent)
		if !ok {
			key.entity.Key = strings.Clone(key.entity.Key)
		}
		d.spent.Put(key, spent)
	}
	return spent <= r.maxBytes
}

// openedAt is the moment by which windows are judged: when the connection was
// opened, where the event or one before it says so. A backup that ends after
// its window, and is logged then, began within it.
//
// A switch begins a flow's record anew each time that it reported it: a record
// that follows soon upon the one before it goes on with the same connection.
func (d *Detector) openedAt(ev *event.Event, t *target) int64 {
	if ev.Class == event.NetworkActivity && ev.Activity == event.NetworkTraffic {
		return d.flowOpenedAt(ev, t)
	}
	if !ev.Start.IsZero() {
		return ev.Start.Unix()
	}
	if ev.Class == event.NetworkActivity && ev.Activity == event.NetworkClose {
		if o, ok := d.opened.Get(connectionOf(ev, t)); ok && o.closed == 0 && o.entity == ev.Entity() {
			return o.at
		}
	}
	return ev.Time.Unix()
}

func (d *Detector) flowOpenedAt(ev *event.Event, t *target) int64 {
	start := ev.Time.Unix()
	if !ev.Start.IsZero() {
		start = ev.Start.Unix()
	}
	o, ok := d.opened.Get(connectionOf(ev, t))
	if ok && start-o.last <= analytics.LongestPause && (o.closed == 0 || start <= o.closed) && o.entity == ev.Entity() {
		return min(start, o.at)
	}
	return start
}

// remember keeps when a justified connection was opened, for openedAt, where
// that matters. Its end, and any other opening of the same addresses and ports,
// whoever's, ends that: what a later record ends is not what was justified. A
// switch tells some seconds after the end of what went before it.
func (d *Detector) remember(ev *event.Event, t *target, v *verdict) {
	switch ev.Activity {
	case event.NetworkOpen, event.NetworkClose, event.NetworkTraffic:
	default:
		return
	}
	limited := v.Verdict == event.VerdictJustified && (!v.From.IsZero() || !v.rule.expires.IsZero())
	k, who := connectionOf(ev, t), ev.Entity()
	old, known := d.opened.Get(k)
	known = known && old.entity == who
	if !limited || ev.Activity == event.NetworkClose && (!known || old.closed != 0) {
		d.opened.Delete(k)
		return
	}
	if known {
		who = old.entity
	} else {
		who.Key = strings.Clone(who.Key)
	}
	now := opened{entity: who, at: v.at, last: ev.Time.Unix()}
	switch {
	case ev.Activity == event.NetworkClose:
		now.closed = now.last
	case ev.Activity == event.NetworkTraffic && known:
		now.closed = old.closed
	}
	d.opened.Put(k, now)
}

func connectionOf(ev *event.Event, t *target) analytics.Connection {
	return analytics.ConnectionTo(ev, t.addr)
}

// offHours says that t is outside the business hours, where there are any.
func (d *Detector) offHours(t time.Time) bool {
	return d.policy.hours.at(t.Unix(), &d.clocks[0]).Off
}
