package apiuse

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// Bounds of what is known of sessions, in one shard.
const (
	maxSessions = 16384
	maxCalls    = 32768
	maxUsers    = 16384
	maxLogins   = 8 // of one account at one machine
	maxDoors    = 4096
	maxRecent   = 16 // logins, and sessions that begin, at one machine
)

const (
	// handover is by how much the lines of one login may be apart.
	handover = 10 * time.Second
	// together is how near a session's first call and a login must be to be
	// the same, when no line says so and no other is as near.
	together = 2 * time.Second
	// linger is how long after its end a session may still have lines.
	linger = time.Minute
	// proxied is how long a single sign-on stands for the logins that vCenter's
	// own web client then makes, from the appliance itself.
	proxied = 24 * time.Hour
)

// id is a session's or a call's at a machine.
type id struct{ device, id string }

// who is an account at a machine.
type who struct {
	device  string
	account account
}

// session is one of the API, as far as it is known.
type session struct {
	id    string
	user  event.User // zero: not known
	login *login     // nil: not known
	begun time.Time  // when its login was called; zero: not seen
}

// login is one that was logged.
type login struct {
	agent     string
	addr      netip.Addr
	at, ended time.Time
	of        *logins
	claimed   bool // it is known which session it began
}

// entrance is where sessions of one machine begin: its latest logins, and the
// sessions whose login was called, in their order.
type entrance struct {
	logins   []*login
	sessions []*session
}

// open says that the session may have done something at that moment.
func (l *login) open(at time.Time) bool {
	return !at.Before(l.at.Add(-handover)) && (l.ended.IsZero() || !at.After(l.ended.Add(linger)))
}

// logins are those of one account at one machine.
type logins struct {
	user event.User
	all  []*login
	sso  login // the last single sign-on by the web
}

// seen is where l came from: behind a web client it is where the single
// sign-on came from.
func (ls *logins) seen(l *login, at time.Time) netip.Addr {
	if (l.addr.IsLoopback() || !l.addr.IsValid()) && ls.sso.addr.IsValid() && ls.sso.at.Sub(at) < proxied && at.Sub(ls.sso.at) < proxied {
		return ls.sso.addr
	}
	return l.addr
}

// sessions is what is known at the machines of one shard.
type sessions struct {
	sessions *analytics.Recent[id, *session]
	calls    *analytics.Recent[id, *session] // by operation id, and by LRO
	users    *analytics.Recent[who, *logins]
	doors    *analytics.Recent[string, *entrance]
}

func newSessions() sessions {
	return sessions{
		sessions: analytics.NewRecent[id, *session](maxSessions),
		calls:    analytics.NewRecent[id, *session](maxCalls),
		users:    analytics.NewRecent[who, *logins](maxUsers),
		doors:    analytics.NewRecent[string, *entrance](maxDoors),
	}
}

// field is bounded, since it may be kept.
func field(ev *event.Event, name event.FieldID) string {
	f, _ := ev.Field(name)
	return bound(f.Value)
}

// sessionID is how the machine names the session. hostd cuts it to eight
// digits in most of its lines.
func sessionID(ev *event.Event) string {
	s := cmp.Or(bound(ev.Session), field(ev, fieldSID))
	if ev.LogName == "hostd" && len(s) > 8 {
		return s[:8]
	}
	return s
}

// of finds the session that ev belongs to, by its id, or by an operation or
// LRO that was seen to belong to one; nil: not known.
func (s *sessions) of(device string, ev *event.Event) (found *session, via string) {
	op, lro := field(ev, fieldOpID), field(ev, fieldLRO)
	if sid := sessionID(ev); sid != "" {
		found, via = s.get(device, sid), "session"
	} else if found, via = s.call(device, op), "opid"; found == nil {
		found = s.call(device, lro)
	}
	if found != nil && via == "session" {
		s.remember(device, op, found)
		s.remember(device, lro, found)
	}
	return found, via
}

func (s *sessions) get(device, sid string) *session {
	k := id{device, sid}
	found, ok := s.sessions.Get(k)
	if !ok {
		k = id{strings.Clone(device), strings.Clone(sid)}
		found = &session{id: k.id}
		s.sessions.Put(k, found)
	}
	return found
}

func (s *sessions) call(device, name string) *session {
	if name == "" {
		return nil
	}
	found, _ := s.calls.Get(id{device, name})
	return found
}

func (s *sessions) remember(device, name string, of *session) {
	if name == "" {
		return
	}
	if known, ok := s.calls.Get(id{device, name}); ok && known == of {
		return
	}
	s.calls.Put(id{strings.Clone(device), strings.Clone(name)}, of)
}

// at gives the logins of an account; nil: none was seen.
func (s *sessions) at(device string, a account) *logins {
	ls, _ := s.users.Get(who{device, a})
	return ls
}

func (s *sessions) make(device string, u *event.User) *logins {
	k := who{device, accountOf(u)}
	ls, ok := s.users.Get(k)
	if !ok {
		k = who{strings.Clone(device), k.account.own()}
		ls = &logins{user: ownUser(u)}
		s.users.Put(k, ls)
	}
	return ls
}

func ownUser(u *event.User) event.User {
	return event.User{Name: strings.Clone(bound(u.Name)), Domain: strings.Clone(bound(u.Domain)), UID: strings.Clone(bound(u.UID))}
}

// logsIn takes a login that succeeded.
func (s *sessions) logsIn(device string, ev *event.Event, of *session) {
	ls := s.make(device, &ev.User)
	if of != nil {
		of.user = ls.user
	}
	if sso(ev) {
		if ls.sso.at.Before(ev.Time) {
			ls.sso = login{addr: ev.Src.IP, at: ev.Time}
		}
		return
	}
	if of != nil && of.login != nil { // a second line about the same login
		of.login.agent = cmp.Or(of.login.agent, strings.Clone(bound(ev.HTTP.UserAgent)))
		return
	}
	l := &login{agent: strings.Clone(bound(ev.HTTP.UserAgent)), addr: ev.Src.IP, at: ev.Time, of: ls, claimed: of != nil}
	ls.all = appendLatest(ls.all, l, maxLogins)
	if of != nil {
		of.login = l
		return
	}
	door := s.door(device)
	door.logins = appendLatest(door.logins, l, maxRecent)
}

// appendLatest appends v to the last limit ones.
func appendLatest[T any](list []T, v T, limit int) []T {
	if len(list) == limit {
		list = slices.Delete(list, 0, 1)
	}
	return append(list, v)
}

func (s *sessions) door(device string) *entrance {
	d, ok := s.doors.Get(device)
	if !ok {
		d = &entrance{}
		s.doors.Put(strings.Clone(device), d)
	}
	return d
}

// begins notes that the login of a session was called: who it is, a line
// without the session's id will say.
func (s *sessions) begins(device string, of *session, at time.Time) {
	if of.begun.IsZero() {
		door := s.door(device)
		door.sessions = appendLatest(door.sessions, of, maxRecent)
	}
	of.begun = at
}

// meet finds the login of a session that nobody named: the only one without a
// session at that time, when it is the only session without a login.
func (s *sessions) meet(device string, of *session) {
	door := s.door(device)
	var match *login
	for _, l := range door.logins {
		if l.claimed || l.at.Sub(of.begun).Abs() > together {
			continue
		}
		if match != nil {
			return
		}
		match = l
	}
	if match == nil {
		return
	}
	for _, other := range door.sessions {
		if other != of && other.login == nil && match.at.Sub(other.begun).Abs() <= together {
			return
		}
	}
	of.user, of.login, match.claimed = match.of.user, match, true
}

// sso says that a login is one to single sign-on: of somebody at a web
// browser, whose session at the API the web client then opens.
func sso(ev *event.Event) bool {
	return ev.HTTP.UserAgent == "" && ev.LogName != "hostd" && (ev.Service == "sso" || field(ev, fieldEventType) == "vim.event.EventEx")
}

// logsOut takes the end of a session: of the latest login from there that is
// still open.
func (s *sessions) logsOut(device string, ev *event.Event) {
	ls := s.at(device, accountOf(&ev.User))
	if ls == nil {
		return
	}
	for _, l := range slices.Backward(ls.all) {
		if l.ended.IsZero() && l.addr == ev.Src.IP && (l.agent == ev.HTTP.UserAgent || ev.HTTP.UserAgent == "") {
			l.ended = ev.Time
			return
		}
	}
}

// settle finds the login of a session by its account: the one at the time at
// which the session's login was called, or the only one that it can be.
func (s *sessions) settle(device string, of *session, at time.Time) {
	switch {
	case of.login != nil:
		return
	case of.user.Name == "":
		if !of.begun.IsZero() {
			s.meet(device, of)
		}
		return
	}
	ls := s.at(device, accountOf(&of.user))
	if ls == nil {
		return
	}
	if of.begun.IsZero() {
		of.login, _ = ls.only(func(l *login) bool { return l.open(at) })
		return
	}
	for _, within := range [...]time.Duration{together, handover} {
		match, several := ls.only(func(l *login) bool { return l.at.Sub(of.begun).Abs() <= within })
		if several {
			return
		}
		if match != nil {
			of.login, match.claimed = match, true
			return
		}
	}
}

// only is the one login that fits, or one of several that are from the same
// address with the same client; several: they differ.
func (ls *logins) only(fits func(*login) bool) (match *login, several bool) {
	for _, l := range ls.all {
		if !fits(l) {
			continue
		}
		if match != nil && (match.addr != l.addr || match.agent != l.agent) {
			return nil, true
		}
		match = l
	}
	return match, false
}

// triples are who may have done what ev tells; none: no login was seen. It is
// one when the session is known, else one for each login of the account that
// was open.
func (s *sessions) triples(device string, ev *event.Event, of *session) []triple {
	a := accountOf(&ev.User)
	ls := s.at(device, a)
	if ls == nil || a.name == "" {
		return nil
	}
	var all []triple
	add := func(l *login) {
		addr := ls.seen(l, ev.Time)
		t := triple{account: a.own(), agent: agentOf(l.agent), addr: placeOf(addr)}
		if addr.IsValid() && !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	if of != nil && of.login != nil {
		add(of.login)
		return all
	}
	for _, l := range ls.all {
		if l.open(ev.Time) {
			add(l)
		}
	}
	if len(all) == 0 && ls.sso.addr.IsValid() && ev.Time.Sub(ls.sso.at).Abs() < proxied {
		add(&login{addr: ls.sso.addr, at: ls.sso.at})
	}
	return all
}
