package apiuse

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// Evidence is what a backup product says of its runs, by package evidence.
type Evidence interface {
	// BackupBy gives the backup run at that vCenter which covers the moment,
	// when the account is a backup product's.
	BackupBy(vcenter, user string, at time.Time) (analytics.Run, bool)
}

// Scout joins the lines of sessions in one shard, and tells the Detector what
// concerns it. It implements analytics.Scout; Stats alone is safe for
// concurrent use.
type Scout struct {
	policy   *Policy
	evidence Evidence
	known    sessions

	told    *analytics.Recent[visit, time.Time]
	waiting []operation // whose actor is not known yet
	now     time.Time

	stats scoutCounters
}

type scoutCounters struct{ joined, unjoined atomic.Int64 }

// ScoutStats counts events of API use.
type ScoutStats struct {
	Joined   int64 // given an account, a client or an address by the join
	Unjoined int64 // privileged, and by nobody who was seen to log in
	// Forgotten counts sessions, calls and accounts given up for newer ones.
	Forgotten int64
}

// visit is what is told once in an hour only.
type visit struct {
	device string
	triple triple
	from   netip.Addr // outside; zero: a login
}

const (
	maxTold   = 32768
	tellAgain = time.Hour

	// patience is how long an operation waits for the login that comes late.
	patience   = time.Minute
	maxWaiting = 256
)

// operation is what a Scout tells of one event.
type operation struct {
	ev      event.Event
	kind    kind // noKind: a login, or any call, from outside
	account account
	triples []triple // who it may have been; empty: not known
	outside bool     // from an address outside of the estate
	late    bool     // told before, when nobody knew from where it was
	device  string
	backup  string // the backup run that it is part of
}

// sighting is a triple that logged in.
type sighting struct {
	device string
	triple triple
	at     time.Time
}

var _ analytics.Scout = (*Scout)(nil)

// NewScout makes a Scout that has seen nothing yet. evidence may be nil.
func NewScout(p *Policy, evidence Evidence) *Scout {
	if evidence == nil {
		evidence = nothing{}
	}
	return &Scout{policy: p, evidence: evidence, known: newSessions(), told: analytics.NewRecent[visit, time.Time](maxTold)}
}

// nothing is Evidence where there is none.
type nothing struct{}

// BackupBy implements Evidence.
func (nothing) BackupBy(string, string, time.Time) (analytics.Run, bool) {
	return analytics.Run{}, false
}

// SetPolicy puts p in force for the next event. What is known stays.
func (s *Scout) SetPolicy(p *Policy) { s.policy = p }

// Stats may be called from any goroutine.
func (s *Scout) Stats() ScoutStats {
	return ScoutStats{
		Joined: s.stats.joined.Load(), Unjoined: s.stats.unjoined.Load(),
		Forgotten: s.known.sessions.Forgotten() + s.known.calls.Forgotten() + s.known.users.Forgotten(),
	}
}

// Scout learns from ev, writes into it who acted where ev itself does not say
// so (session, account, client address and client), and tells what concerns
// the Detector. For events of other kinds it does nothing.
func (s *Scout) Scout(ev *event.Event, tell func(analytics.Observation)) {
	if !api(ev) {
		return
	}
	if ev.Time.After(s.now) {
		s.now = ev.Time
	}
	device := deviceOf(ev)
	of, via := s.known.of(device, ev)
	if ev.Class == event.Authentication {
		s.authentication(device, ev, of, tell)
		return
	}
	s.call(device, ev, of, via)
	k := kindOf(ev)
	outside := ev.Src.IP.IsValid() && s.policy.external(ev.Src.IP)
	switch {
	case k != noKind && ev.User.Name != "":
		s.privileged(device, ev, of, k, outside, tell)
	case k != noKind && of != nil: // the session's login may come late
		s.wait(operation{ev: ev.Clone(), kind: k, outside: outside, device: strings.Clone(device)})
	case outside && s.once(visit{device, triple{account: accountOf(&ev.User)}, ev.Src.IP}, ev.Time):
		tell(&operation{ev: ev.Clone(), account: accountOf(&ev.User).own(), outside: true, device: strings.Clone(device)})
	}
}

// loginMethod begins the names of the calls that log in.
const loginMethod = "vim.SessionManager.login"

// call joins an operation with who did it.
func (s *Scout) call(device string, ev *event.Event, of *session, via string) {
	if of == nil {
		if ev.User.Name != "" && !ev.Src.IP.IsValid() {
			s.byAccount(device, ev)
		}
		return
	}
	if len(ev.Operation) >= len(loginMethod) && ev.Operation[:len(loginMethod)] == loginMethod {
		s.known.begins(device, of, ev.Time)
	}
	if of.user.Name == "" && ev.User.Name != "" {
		of.user = ownUser(&ev.User)
	}
	s.known.settle(device, of, ev.Time)
	if of.user.Name == "" {
		return
	}
	if ev.User.Name == "" {
		ev.User = of.user
	}
	if ev.Session == "" {
		ev.Session = of.id
	}
	if of.login != nil {
		fill(ev, of.login.of.seen(of.login, ev.Time), of.login.agent)
	}
	ev.Add(fieldActorVia, via)
	s.stats.joined.Add(1)
}

// byAccount joins an event that names nobody but the account: when all that
// this may have been agree.
func (s *Scout) byAccount(device string, ev *event.Event) {
	ls := s.known.at(device, accountOf(&ev.User))
	if ls == nil {
		return
	}
	var addr netip.Addr
	agent, first := "", true
	for _, l := range ls.all {
		if !l.open(ev.Time) {
			continue
		}
		seen := ls.seen(l, ev.Time)
		if !first && seen != addr {
			return
		}
		if !first && l.agent != agent {
			agent = ""
		} else {
			agent = l.agent
		}
		addr, first = seen, false
	}
	if first {
		return
	}
	fill(ev, addr, agent)
	ev.Add(fieldActorVia, "account")
	s.stats.joined.Add(1)
}

func fill(ev *event.Event, addr netip.Addr, agent string) {
	if !ev.Src.IP.IsValid() {
		ev.Src.IP = addr
	}
	if ev.HTTP.UserAgent == "" {
		ev.HTTP.UserAgent = agent
	}
}

func (s *Scout) authentication(device string, ev *event.Event, of *session, tell func(analytics.Observation)) {
	if ev.User.Name == "" {
		return
	}
	if ev.Activity == event.AuthLogoff {
		s.known.logsOut(device, ev)
		return
	}
	if ev.Activity != event.AuthLogon {
		return
	}
	if ev.Status == event.StatusUnknown { // who a session authenticates as
		if of != nil {
			of.user = ownUser(&ev.User)
		}
		return
	}
	if ev.Status == event.StatusSuccess && ev.Src.IP.IsValid() {
		s.known.logsIn(device, ev, of)
		t := triple{accountOf(&ev.User), "", placeOf(ev.Src.IP)}
		if t.agent = agentOf(ev.HTTP.UserAgent); s.once(visit{device, t, netip.Addr{}}, ev.Time) {
			t.account = t.account.own()
			tell(&sighting{device: strings.Clone(device), triple: t, at: ev.Time})
		}
	}
	if ev.Src.IP.IsValid() && s.policy.external(ev.Src.IP) {
		tell(&operation{ev: ev.Clone(), account: accountOf(&ev.User).own(), outside: true, device: strings.Clone(device)})
	}
}

// once says that v was not told within tellAgain, and remembers it.
func (s *Scout) once(v visit, at time.Time) bool {
	last, ok := s.told.Get(v)
	if ok && at.Sub(last) < tellAgain && at.Sub(last) > -tellAgain {
		return false
	}
	v.device, v.triple.account = strings.Clone(v.device), v.triple.account.own()
	s.told.Put(v, at)
	return true
}

func (s *Scout) privileged(device string, ev *event.Event, of *session, k kind, outside bool, tell func(analytics.Observation)) {
	a := accountOf(&ev.User)
	if a.system() {
		return
	}
	op := operation{ev: ev.Clone(), kind: k, account: a.own(), triples: s.known.triples(device, ev, of), outside: outside, device: strings.Clone(device)}
	if ofBackup(k, ev) {
		if run, ok := s.evidence.BackupBy(ev.Device.Host.VCenter, ev.User.Name, ev.Time); ok {
			op.backup = run.Name
		}
	}
	tell(&op)
	if len(op.triples) == 0 {
		again := op // what was told is not changed
		again.late = true
		s.wait(again)
	}
}

func (s *Scout) wait(op operation) {
	if len(s.waiting) == maxWaiting {
		s.stats.unjoined.Add(1)
		return
	}
	s.waiting = append(s.waiting, op)
}

func (s *Scout) session(op *operation) *session {
	of, _ := s.known.of(op.device, &op.ev)
	return of
}

// joins looks again for who did what waits, and says whether the account is
// known.
func (s *Scout) joins(op *operation) bool {
	of := s.session(op)
	if of != nil {
		s.known.settle(op.device, of, op.ev.Time)
	}
	if op.ev.User.Name == "" && of != nil && of.login != nil {
		op.ev.User = of.user
		fill(&op.ev, of.login.of.seen(of.login, op.ev.Time), of.login.agent)
	}
	op.triples = s.known.triples(op.device, &op.ev, of)
	return op.ev.User.Name != ""
}

// ofBackup says that ev may be part of a backup: a product removes the
// snapshot that it made, never all that there are.
func ofBackup(k kind, ev *event.Event) bool {
	return k == removeSnapshot && ev.Device.Host != nil && !strings.Contains(strings.ToLower(ev.Operation+field(ev, fieldTaskText)), "all")
}

// Rest tells again of operations whose actor has become known meanwhile, and
// gives up those that waited for long.
func (s *Scout) Rest(tell func(analytics.Observation)) {
	left := s.waiting[:0]
	for _, op := range s.waiting {
		switch ev := &op.ev; {
		case s.joins(&op) && !op.late:
			s.privileged(op.device, ev, s.session(&op), op.kind, op.outside, tell)
		case len(op.triples) > 0:
			tell(&op)
		case s.now.Sub(ev.Time) < patience:
			left = append(left, op)
		default:
			s.stats.unjoined.Add(1)
		}
	}
	clear(s.waiting[len(left):])
	s.waiting = left
}
