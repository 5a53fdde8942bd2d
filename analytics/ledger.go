package analytics

import (
	"container/heap"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/event"
)

// Key says what a finding is about: while one is open for a Key, everything
// that belongs to it revises that one.
type Key struct {
	Analytic string // uid of the analytic
	Entity   event.Entity
	What     string     // service or domain; empty: Addr says it
	Addr     netip.Addr // only when What is empty
}

func (k *Key) what() string {
	if k.What == "" && k.Addr.IsValid() {
		return k.Addr.String()
	}
	return k.What
}

// bound cuts the name of an entity that no inventory gave: longer ones are
// one.
func (k *Key) bound() {
	if len(k.Entity.Key) > maxEntity {
		k.Entity.Key = cut(k.Entity.Key, maxEntity)
	}
}

// LedgerOptions are the bounds of a Ledger. Zero values stand for the
// defaults.
type LedgerOptions struct {
	// QuietClose is how long (event time) a finding stays open after its last
	// event; default 1 h.
	QuietClose time.Duration
	// FirstUpdate is the least distance (event time) between the opening of a
	// finding and its first update; it doubles with each update, up to 30
	// times. Default 1 min.
	FirstUpdate time.Duration
	// MaxOpen bounds the open findings; one more closes the one of the lowest
	// severity, and of these the one that was quiet for longest. An open
	// finding takes 2 to 12 KB. Default 20,000.
	MaxOpen int
}

func (o LedgerOptions) withDefaults() LedgerOptions {
	if o.QuietClose <= 0 {
		o.QuietClose = time.Hour
	}
	if o.FirstUpdate <= 0 {
		o.FirstUpdate = time.Minute
	}
	if o.MaxOpen <= 0 {
		o.MaxOpen = 20000
	}
	return o
}

// Bounds of an open finding.
const (
	maxExplanation = 24
	maxRaw         = 4096 // bytes of one record that evidence keeps whole; a longer one is only named
	maxRawJSON     = 8192 // the same as JSON, as are those that follow
	maxURL         = 2048
	maxTitle       = 512
	maxSentence    = 2048
	maxEntity      = 512
	maxName        = 256 // of a host, a log, a network card...
	slowestUpdate  = 30  // of FirstUpdate
	firstMilestone = 10  // events; then each power of ten
)

// Ledger keeps the open findings of some analytics: it opens, updates and
// closes them. An update is due when severity rises, when the count reaches a
// power of ten, and else in growing distance: never for each event.
type Ledger struct {
	opts      LedgerOptions
	analytics map[string]*account
	order     atomic.Pointer[[]*account] // replaced when one more comes: Stats reads it

	cases    map[Key]*Case
	ofEntity map[event.Entity]int          // how many of cases
	quiet    [event.SeverityFatal + 1]Case // by severity: a ring of cases, least recently seen first
	due      dueHeap

	seq, touches uint64
}

// account is one analytic and what happened to its findings.
type account struct {
	event.Analytic
	uid string // of it, for Stats

	opened, updated, closed, evicted, open atomic.Int64
}

// AnalyticStats counts what happened to the findings of one analytic.
type AnalyticStats struct {
	Analytic                         string
	Opened, Updated, Closed, Evicted int64 // Closed includes Evicted
	Open                             int64
}

// Describer writes the words of a finding. Describe is called when the first
// event opens it, and when an event brings news: notes that none before had.
// all are the notes of all events so far. It writes Title, Explanation (by
// Explain), Confidence, Risk and Justification.
type Describer interface {
	Describe(f *event.Finding, ev *event.Event, all, news uint32)
}

// Sighting is an event as part of a finding.
type Sighting struct {
	Event    *event.Event
	Severity event.Severity // raises the finding's, never lowers it
	Notes    uint32         // the detector's reasons, a bit each
	By       Describer
	Part     Part // what of it is new; not known: all that Event.Traffic says
	// Absent: Event is no record but stands for what did not come. Its UID
	// names the occasion.
	Absent bool
	// Earlier are events that only together with Event are a reason, oldest
	// first; More is how many others there are, which are not at hand, and
	// Until when the last of all was, where Event does not say so.
	Earlier []*event.Event
	More    int64
	Until   time.Time
	// Retell: By is asked for the words again, though Notes has no news.
	Retell bool
}

// first is the event that opens a finding.
func (s *Sighting) first() *event.Event {
	if len(s.Earlier) > 0 {
		return s.Earlier[0]
	}
	return s.Event
}

// at is when the sighting is complete.
func (s *Sighting) at() time.Time {
	if s.Until.After(s.Event.Time) {
		return s.Until
	}
	return s.Event.Time
}

// Part is what an event adds to what others told of the same connection.
type Part struct {
	BytesIn, BytesOut int64
	Connections       int64     // 1: it is the first to tell of it
	Since             time.Time // from when on those bytes went over it; zero: not known
	Known             bool
}

func (s *Sighting) part() (p Part) {
	if s.Part.Known {
		return s.Part
	}
	if t := &s.Event.Traffic; t.Known {
		p.BytesIn, p.BytesOut = t.BytesIn, t.BytesOut
	}
	return p
}

// Case is a finding in a Ledger.
type Case struct {
	key     Key
	account *account
	finding event.Finding
	notes   uint32
	last    []byte // uid of the last event

	seq       uint64
	step      time.Duration // least distance to the next update
	next      time.Time     // earliest time of it
	milestone int64
	heapIndex int // in Ledger.due; -1: nothing new since the last revision

	touched      uint64 // orders the cases of all rings
	newer, older *Case
}

// BytesOut is how much the entity sent, over all events of the finding.
func (c *Case) BytesOut() int64 { return c.finding.BytesOut }

// NewLedger makes an empty Ledger for the findings of these analytics.
func NewLedger(opts LedgerOptions, analytics ...event.Analytic) *Ledger {
	l := &Ledger{
		opts:      opts.withDefaults(),
		analytics: map[string]*account{},
		cases:     map[Key]*Case{},
		ofEntity:  map[event.Entity]int{},
	}
	for i := range l.quiet {
		ring := &l.quiet[i]
		ring.newer, ring.older = ring, ring
	}
	l.order.Store(new([]*account))
	for _, a := range analytics {
		l.Admit(a)
	}
	return l
}

// Admit lets the Ledger keep findings of one more analytic. One that it knows
// by its UID it knows by the new words from now on.
func (l *Ledger) Admit(a event.Analytic) {
	if known := l.analytics[a.UID]; known != nil {
		known.Analytic = a
		return
	}
	acc := &account{Analytic: a, uid: a.UID}
	l.analytics[a.UID] = acc
	order := append(slices.Clone(*l.order.Load()), acc)
	l.order.Store(&order)
}

// SetQuietClose changes how long findings stay open; it holds for open ones
// too.
func (l *Ledger) SetQuietClose(d time.Duration) {
	l.opts.QuietClose = LedgerOptions{QuietClose: d}.withDefaults().QuietClose
}

// Case finds the open finding of k, or makes room for a new one, which the
// next Add opens. k.Analytic must be one that the Ledger was made for.
func (l *Ledger) Case(k Key, report func(*event.Finding)) *Case {
	k.bound()
	if c, ok := l.cases[k]; ok {
		return c
	}
	for len(l.cases) >= l.opts.MaxOpen {
		l.evict(report)
	}
	k.Entity.Key, k.What = strings.Clone(k.Entity.Key), strings.Clone(k.What)
	return l.insert(&Case{key: k, account: l.analytics[k.Analytic]})
}

// CaseAmong is Case, but for an entity that has limit open findings already
// it makes no room for k: crowd is the Key of what stands in for the rest.
func (l *Ledger) CaseAmong(k, crowd Key, limit int, report func(*event.Finding)) *Case {
	k.bound()
	crowd.bound()
	if c, ok := l.cases[k]; ok {
		return c
	}
	if l.ofEntity[k.Entity] >= limit {
		k = crowd
	}
	return l.Case(k, report)
}

func (l *Ledger) insert(c *Case) *Case {
	l.seq++
	c.seq, c.heapIndex = l.seq, -1
	c.step = l.opts.FirstUpdate
	c.milestone = firstMilestone
	l.cases[c.key] = c
	l.ofEntity[c.key.Entity]++
	l.touch(c)
	return c
}

// Add makes the event of s part of c and reports a revision if one is due.
func (l *Ledger) Add(c *Case, s Sighting, report func(*event.Finding)) {
	opening := c.finding.Count == 0
	if opening {
		l.open(c, s.first())
	}
	c.sum(&s)
	news := s.Notes &^ c.notes
	c.notes |= s.Notes
	rises := s.Severity > c.finding.Severity
	if rises {
		c.finding.Severity = s.Severity
	}
	l.touch(c)
	if opening || news != 0 || s.Retell {
		s.By.Describe(&c.finding, s.Event, c.notes, news)
		c.finding.Title = cut(c.finding.Title, maxTitle)
	}
	if opening {
		c.finding.Activity = event.FindingCreate
		c.account.opened.Add(1)
		l.revise(c, s.at(), report)
		return
	}
	l.update(c, &s, rises, report)
}

// sum adds all that s brings to the finding.
func (c *Case) sum(s *Sighting) {
	for _, ev := range s.Earlier {
		c.count(ev, Part{})
		c.cite(ev)
	}
	c.finding.Count = AddCount(c.finding.Count, s.More)
	c.count(s.Event, s.part())
	if !s.Absent {
		c.cite(s.Event)
	}
	if s.Until.After(c.finding.LastSeen) {
		c.finding.LastSeen = s.Until
	}
}

// update reports c if a revision is due, or sees to it that it will be.
func (l *Ledger) update(c *Case, s *Sighting, rises bool, report func(*event.Finding)) {
	f := &c.finding
	if !rises && f.Count < c.milestone && s.at().Before(c.next) {
		if c.heapIndex < 0 {
			heap.Push(&l.due, c)
		}
		return
	}
	if !s.Absent {
		c.keep(s.Event)
	}
	l.reviseUpdate(c, s.at(), report)
}

func (l *Ledger) reviseUpdate(c *Case, now time.Time, report func(*event.Finding)) {
	c.finding.Activity, c.finding.Status = event.FindingUpdate, event.FindingInProgress
	c.account.updated.Add(1)
	l.revise(c, now, report)
	c.step = min(2*c.step, slowestUpdate*l.opts.FirstUpdate)
}

// open fills what a finding has from its first event.
func (l *Ledger) open(c *Case, ev *event.Event) {
	what, entity := c.key.what(), c.key.Entity.String()
	first := ev.UID
	if c.key.Entity == (event.Entity{}) {
		// Nobody's finding is one for all shards, whichever saw it first.
		first = ""
	}
	c.finding = event.Finding{
		UID:       hash(c.key.Analytic, entity, what, first),
		Status:    event.FindingNew,
		Analytic:  c.account.Analytic,
		Entity:    entity,
		Key:       what,
		FirstSeen: ev.Time,
		LastSeen:  ev.Time,
		Device:    cloneDevice(ev.Device),
		Src:       ownEndpoint(&ev.Src),
		Dst:       ownEndpoint(&ev.Dst),
		URL:       strings.Clone(cut(ev.URL, maxURL)),
	}
	c.account.open.Add(1)
}

// count adds ev to the finding's sums, without allocation but for the first
// events.
func (c *Case) count(ev *event.Event, p Part) {
	f := &c.finding
	f.Count++
	f.Connections = AddCount(f.Connections, p.Connections)
	f.BytesIn = AddCount(f.BytesIn, p.BytesIn)
	f.BytesOut = AddCount(f.BytesOut, p.BytesOut)
	if ev.Time.After(f.LastSeen) {
		f.LastSeen = ev.Time
	}
	if ev.Time.Before(f.FirstSeen) {
		f.FirstSeen = ev.Time
	}
	c.last = append(c.last[:0], ev.UID...)
}

// cite makes ev one of the first events that the finding names.
func (c *Case) cite(ev *event.Event) {
	f := &c.finding
	if len(f.Related) < event.MaxRelated/2 {
		f.Related = append(f.Related, strings.Clone(ev.UID))
	}
	if len(f.Evidence) < event.MaxEvidence/2 {
		f.Evidence = append(f.Evidence, evidence(ev))
	}
}

// keep makes ev, which led to a revision, one of the latest events that the
// finding names; the first ones stay.
func (c *Case) keep(ev *event.Event) {
	f := &c.finding
	if f.Count > event.MaxRelated/2 {
		f.Related = appendLatest(f.Related, event.MaxRelated, strings.Clone(ev.UID))
	}
	if f.Count > event.MaxEvidence/2 {
		f.Evidence = appendLatest(f.Evidence, event.MaxEvidence, evidence(ev))
	}
}

// appendLatest appends v; a full list loses the oldest of its second half.
func appendLatest[T any](list []T, limit int, v T) []T {
	if len(list) >= limit {
		list = slices.Delete(list, limit/2, limit/2+1)
	}
	return append(list, v)
}

// revise reports a copy of the finding as it is now.
func (l *Ledger) revise(c *Case, now time.Time, report func(*event.Finding)) {
	f := &c.finding
	if c.heapIndex >= 0 {
		heap.Remove(&l.due, c.heapIndex)
	}
	for f.Count >= c.milestone {
		c.milestone *= 10
	}
	c.next = now.Add(c.step)
	f.Time = now
	f.Revision = hash(string(c.last), string('0'+rune(f.Activity)))
	report(cloneFinding(f))
}

// Tick reports updates whose time has come, earliest first, and closes the
// findings that were quiet for long, in the order in which they were last
// seen. Their time is the moment when that became due, not now.
func (l *Ledger) Tick(now time.Time, report func(*event.Finding)) {
	for len(l.due) > 0 && !l.due[0].next.After(now) {
		l.reviseUpdate(l.due[0], l.due[0].next, report)
	}
	for c := l.quietest(); c != nil; c = l.quietest() {
		end := c.finding.LastSeen.Add(l.opts.QuietClose)
		if end.After(now) {
			return
		}
		l.close(c, end, report)
	}
}

// Flush reports the updates that wait for their time, so that the last
// revision of each finding counts all its events.
func (l *Ledger) Flush(report func(*event.Finding)) {
	for len(l.due) > 0 {
		c := l.due[0]
		l.reviseUpdate(c, c.finding.LastSeen, report)
	}
}

// Has says that a finding is open for k.
func (l *Ledger) Has(k Key) bool {
	k.bound()
	c := l.cases[k]
	return c != nil && c.finding.Count > 0
}

// Close ends the finding of k, and says why. It does nothing when none is
// open. Findings that nobody closes end by QuietClose.
func (l *Ledger) Close(k Key, now time.Time, why string, report func(*event.Finding)) {
	k.bound()
	if c, ok := l.cases[k]; ok {
		Explain(&c.finding, why)
		l.close(c, now, report)
	}
}

func (l *Ledger) close(c *Case, now time.Time, report func(*event.Finding)) {
	l.remove(c)
	if c.finding.Count == 0 {
		return // made room for, but never opened
	}
	c.finding.Activity, c.finding.Status = event.FindingClose, event.FindingResolved
	c.account.closed.Add(1)
	c.account.open.Add(-1)
	l.revise(c, now, report)
}

func (l *Ledger) evict(report func(*event.Finding)) {
	c := l.least()
	if c.finding.Count > 0 {
		c.account.evicted.Add(1)
		Explain(&c.finding, "Closed early, because too many findings are open; more of the same opens a new one.")
	}
	l.close(c, c.finding.LastSeen, report)
}

// Restore takes up findings that were open when the process ended: what comes
// goes on under their uid. Closed ones, and those of other analytics, are
// left out, and of more than MaxOpen those that were seen last are kept.
func (l *Ledger) Restore(open []event.Finding) {
	mine := slices.DeleteFunc(slices.Clone(open), func(f event.Finding) bool {
		return l.analytics[f.Analytic.UID] == nil || f.Activity == event.FindingClose || f.Count == 0
	})
	slices.SortFunc(mine, func(a, b event.Finding) int {
		if c := a.LastSeen.Compare(b.LastSeen); c != 0 {
			return c
		}
		return strings.Compare(a.UID, b.UID)
	})
	for i := max(0, len(mine)-l.opts.MaxOpen); i < len(mine); i++ {
		l.restore(&mine[i])
	}
}

func (l *Ledger) restore(f *event.Finding) {
	k := keyOf(f)
	if _, ok := l.cases[k]; ok {
		return
	}
	c := l.insert(&Case{key: k, account: l.analytics[k.Analytic], finding: *cloneFinding(f)})
	c.finding.Analytic = c.account.Analytic
	for f.Count >= c.milestone {
		c.milestone *= 10
	}
	if len(f.Related) > 0 {
		c.last = append(c.last, f.Related[len(f.Related)-1]...)
	}
	c.next = f.Time.Add(c.step)
	c.account.open.Add(1)
}

// keyOf makes a finding's Key of its wire form.
func keyOf(f *event.Finding) Key {
	k := Key{Analytic: f.Analytic.UID, Entity: event.ParseEntity(f.Entity), What: f.Key}
	if addr, err := netip.ParseAddr(f.Key); err == nil {
		k.What, k.Addr = "", addr
	}
	return k
}

// Stats counts, for each analytic in the order in which they came. It is safe
// for concurrent use.
func (l *Ledger) Stats() []AnalyticStats {
	order := *l.order.Load()
	stats := make([]AnalyticStats, len(order))
	for i, a := range order {
		stats[i] = AnalyticStats{
			Analytic: a.uid,
			Opened:   a.opened.Load(),
			Updated:  a.updated.Load(),
			Closed:   a.closed.Load(),
			Evicted:  a.evicted.Load(),
			Open:     a.open.Load(),
		}
	}
	return stats
}

// touch moves c to the end of its severity's ring: it was seen last.
func (l *Ledger) touch(c *Case) {
	if c.newer != nil {
		c.older.newer, c.newer.older = c.newer, c.older
	}
	l.touches++
	c.touched = l.touches
	ring := &l.quiet[min(int(c.finding.Severity), len(l.quiet)-1)]
	last := ring.older
	c.older, c.newer = last, ring
	last.newer, ring.older = c, c
}

// quietest is the case that was seen before all others; nil: there is none.
func (l *Ledger) quietest() (c *Case) {
	for i := range l.quiet {
		first := l.quiet[i].newer
		if first != &l.quiet[i] && (c == nil || first.touched < c.touched) {
			c = first
		}
	}
	return c
}

// least is the quietest case of the lowest severity; nil: there is none.
func (l *Ledger) least() *Case {
	for i := range l.quiet {
		if first := l.quiet[i].newer; first != &l.quiet[i] {
			return first
		}
	}
	return nil
}

func (l *Ledger) remove(c *Case) {
	c.older.newer, c.newer.older = c.newer, c.older
	delete(l.cases, c.key)
	if l.ofEntity[c.key.Entity]--; l.ofEntity[c.key.Entity] == 0 {
		delete(l.ofEntity, c.key.Entity)
	}
}

// Explain adds a sentence to the reasons of f, once, and within their bounds.
func Explain(f *event.Finding, sentence string) {
	if short := cut(sentence, maxSentence); len(short) < len(sentence) {
		sentence = short + "..."
	}
	if len(f.Explanation) < maxExplanation && !slices.Contains(f.Explanation, sentence) {
		f.Explanation = append(f.Explanation, sentence)
	}
}

// dueHeap orders the cases that have something new by when they may say so.
type dueHeap []*Case

// Len is for package heap.
func (h dueHeap) Len() int { return len(h) }

// Less puts the sooner first, and of the same moment the older case.
func (h dueHeap) Less(i, j int) bool {
	if c := h[i].next.Compare(h[j].next); c != 0 {
		return c < 0
	}
	return h[i].seq < h[j].seq
}

// Swap keeps each case's place in it.
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = i, j
}

// Push is for package heap.
func (h *dueHeap) Push(x any) {
	c := x.(*Case)
	c.heapIndex = len(*h)
	*h = append(*h, c)
}

// Pop is for package heap.
func (h *dueHeap) Pop() any {
	old := *h
	c := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	c.heapIndex = -1
	return c
}
