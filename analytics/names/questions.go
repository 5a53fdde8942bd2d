package names

import (
	"net/netip"
	"strings"

	"github.com/vegress/vegress/event"
)

// A resolver's default log names the client on the line of its question, and
// has the addresses on the lines of the answer, which name no client:
//
//	query[A] www.example.com from 10.0.1.15
//	reply www.example.com is <CNAME>
//	reply edge.example.net is 203.0.113.40
//
// Both are joined here, by the resolver, the name and the time. The lines of one
// answer follow each other; each alias is followed by what it stands for, and
// the name that was asked for is that of the first.
//
// All shards see all questions and answers in the resolver's order; each keeps
// only its own clients.

const (
	// answerWithin is how long after a question its answer is believed to be
	// one, in seconds of event time. Clients ask again after five.
	answerWithin = 10
	// chainWithin is how far the lines of one answer may be apart, in seconds.
	chainWithin = 2
	// maxAskers bounds the clients that wait for one name; the first go.
	maxAskers = 8
	// maxResolvers bounds the machines whose questions are kept; the one that
	// was quiet for longest goes.
	maxResolvers = 8
)

// Fields of the resolvers' events.
var (
	fieldAnswer = event.Intern("answer")
	fieldSerial = event.Intern("serial")
)

// alias is the answer in place of an address.
const alias = "<CNAME>"

// resolver is what one machine was asked lately, and where in an answer it is.
type resolver struct {
	host       string
	used       int64
	young, old map[string]*question // generations: at most half of the bound each
	chain      chain
}

// question is a name that was asked for, and who of this shard did.
type question struct {
	host   string
	asked  int64
	askers []asking
}

type asking struct {
	who event.Entity
	at  int64
}

// chain is the answer that the last line belongs to. Its buffers are reused.
type chain struct {
	asked  *question // what was asked for; nil: not known
	host   []byte    // of the last line; empty: the next line begins anew
	serial []byte    // of the question, where the log has it
	open   bool      // the last line was an alias: what it stands for comes next
	at     int64
}

// name is the host that was asked for; empty: that is not known.
func (q *question) name() string {
	if q == nil {
		return ""
	}
	return q.host
}

// resolverOf is the state of the machine that wrote ev.
func (n *Names) resolverOf(ev *event.Event) *resolver {
	r, ok := n.resolvers[ev.Device.Hostname]
	if !ok {
		if len(n.resolvers) >= maxResolvers {
			n.forgetResolver()
		}
		r = &resolver{host: strings.Clone(ev.Device.Hostname), young: map[string]*question{}, old: map[string]*question{}}
		n.resolvers[r.host] = r
	}
	r.used = max(r.used, ev.Time.Unix())
	return r
}

func (n *Names) forgetResolver() {
	var quiet *resolver
	for _, r := range n.resolvers {
		if quiet == nil || r.used < quiet.used {
			quiet = r
		}
	}
	delete(n.resolvers, quiet.host)
}

// ask notes that host was asked for; who is the zero Entity when the client is
// another shard's.
func (n *Names) ask(ev *event.Event, host string, who event.Entity, now int64) {
	r := n.resolverOf(ev)
	r.chain.end()
	if host == "" {
		return
	}
	q := r.question(host)
	if q == nil {
		q = &question{host: strings.Clone(host)}
	}
	q.asked = now
	r.put(q, max(n.opts.MaxQuestions/2, 1))
	if who != (event.Entity{}) {
		q.add(n, who, now)
	}
}

func (q *question) add(n *Names, who event.Entity, now int64) {
	for i := range q.askers {
		if q.askers[i].who == who {
			q.askers[i].at = now
			return
		}
	}
	if s, ok := n.sources[who]; ok {
		who = s.entity
	} else {
		who.Key = strings.Clone(who.Key)
	}
	if len(q.askers) >= maxAskers {
		q.askers = append(q.askers[:0], q.askers[1:]...)
	}
	q.askers = append(q.askers, asking{who, now})
}

func (r *resolver) question(host string) *question {
	if q := r.young[host]; q != nil {
		return q
	}
	return r.old[host]
}

func (r *resolver) put(q *question, half int) {
	delete(r.old, q.host)
	if len(r.young) >= half && r.young[q.host] == nil {
		clear(r.old)
		r.young, r.old = r.old, r.young
	}
	r.young[q.host] = q
}

// waiting is the question for host, if it was asked a moment ago, by whomever.
func (r *resolver) waiting(host string, now int64) *question {
	if q := r.question(host); q != nil && within(q.asked, now, answerWithin) {
		return q
	}
	return nil
}

func within(a, b, span int64) bool { return b-a <= span && a-b <= span }

// follow finds the question to which ev, a line about host, is an answer; nil:
// that is not known, or the line itself says it.
func (n *Names) follow(ev *event.Event, host string, now int64) *question {
	serial := value(ev, fieldSerial)
	if !ev.Src.IsZero() && serial == "" {
		return nil // a whole answer, with its client
	}
	r := n.resolverOf(ev)
	c := &r.chain
	if host == "" {
		c.end()
		return nil
	}
	same := len(c.host) > 0 && string(c.serial) == serial && within(c.at, now, chainWithin)
	switch {
	case same && !c.open && string(c.host) == host:
		// one more address of the same name
	case same && c.open && serial == "" && c.asked.name() != host && r.waiting(host, now) != nil:
		c.asked = nil // what the alias stands for, or an answer of its own
	case same && c.open:
		// what the alias stands for
	default:
		c.asked = r.waiting(host, now)
	}
	c.host, c.serial = append(c.host[:0], host...), append(c.serial[:0], serial...)
	c.open, c.at = value(ev, fieldAnswer) == alias, now
	return c.asked
}

// end says that the next line begins something new.
func (c *chain) end() { c.host = c.host[:0] }

func value(ev *event.Event, id event.FieldID) string {
	f, _ := ev.Field(id)
	return f.Value
}

// join learns addr for those of this shard who asked q.
func (n *Names) join(q *question, addr netip.Addr, now int64) {
	if q == nil {
		return
	}
	for i := range q.askers {
		if a := &q.askers[i]; within(a.at, now, answerWithin) {
			n.stats.joined.Add(1)
			n.learn(a.who, addr, name{q.host, now, wayDNS})
		}
	}
}
