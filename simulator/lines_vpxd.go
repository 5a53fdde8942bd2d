package simulator

import (
	"fmt"
	"time"
)

// apiSession is a session at vCenter's API, as its lines tell of it. vpxd
// names the account and the client's address once, when the session begins,
// and from then on only the session.
type apiSession struct {
	user, agent, from string
	id, sub           string
	begun             time.Time
	calls             int
}

// lro is the beginning of a call: vpxd logs every one.
func (v *voice) lro(opID, call, object, method, session string) message {
	return message{pri: 14, prog: "vpxd-main", text: fmt.Sprintf("%s info vpxd[58650] [Originator@6876 sub=vpxLro opID=%s] [VpxLRO] -- BEGIN %s -- %s -- %s -- %s",
		v.at.UTC().Format(millis), opID, call, object, method, session)}
}

// authenticated is vpxd's word for who a call's session is.
func (v *voice) authenticated(opID, user string) message {
	return message{pri: 14, prog: "vpxd-main", text: fmt.Sprintf("%s info vpxd[58650] [Originator@6876 sub=AuthorizeManager opID=%s] [Auth]: User %s",
		v.at.UTC().Format(millis), opID, user)}
}

// finished is the end of a call, which names the call only.
func (v *voice) finished(opID, call string) message {
	return message{pri: 14, prog: "vpxd-main", text: fmt.Sprintf("%s info vpxd[58650] [Originator@6876 sub=vpxLro opID=%s] [VpxLRO] -- FINISH %s",
		v.at.UTC().Format(millis), opID, call)}
}

// opens begins a session: the call, and the event that says who it is.
func (sc *script) opens(at time.Time, user, agent, from string) *apiSession {
	v := sc.voice(at, sc.vcenter, nil)
	s := &apiSession{user: user, agent: agent, from: from, begun: at}
	s.id = fmt.Sprintf("52%s-%s-%s-%s-%s", v.hex(6), v.hex(4), v.hex(4), v.hex(4), v.hex(12))
	s.sub = fmt.Sprintf("52%s-%s-%s-%s-%s", v.hex(6), v.hex(4), v.hex(4), v.hex(4), v.hex(12))
	op, call := v.hex(8), fmt.Sprintf("lro-%d", v.between(1000, 999999))
	sc.tell(at, sc.vcenter, v.lro(op, call, "SessionManager", "vim.SessionManager.login", s.id))
	sc.tell(at.Add(10*time.Millisecond), sc.vcenter, sc.voice(at.Add(10*time.Millisecond), sc.vcenter, nil).authenticated(op, user))
	sc.vcenterSays(at.Add(40*time.Millisecond), "UserLoginSessionEvent", user, fmt.Sprintf("User %s@%s logged in as %s", user, from, agent))
	sc.tell(at.Add(50*time.Millisecond), sc.vcenter, sc.voice(at.Add(50*time.Millisecond), sc.vcenter, nil).finished(op, call))
	return s
}

// calls is one call in a session, from its beginning to its end.
func (sc *script) calls(at time.Time, s *apiSession, object, method string) {
	v := sc.voice(at, sc.vcenter, nil)
	op, call := v.hex(8), fmt.Sprintf("task-%d", v.between(1000, 999999))
	sc.tell(at, sc.vcenter, v.lro(op, call, object, method, s.id+"("+s.sub+")"))
	end := at.Add(sc.some(20*time.Millisecond, 900*time.Millisecond))
	sc.tell(end, sc.vcenter, sc.voice(end, sc.vcenter, nil).finished(op, call))
	s.calls++
}

// closes ends a session.
func (sc *script) closes(at time.Time, s *apiSession) {
	sc.vcenterSays(at, "UserLogoutSessionEvent", s.user, fmt.Sprintf("User %s@%s logged out (login time: %s, number of API invocations: %d, user agent: %s)",
		s.user, s.from, s.begun.UTC().Format("Monday, 02 January, 2006 03:04:05 PM"), s.calls, s.agent))
}
