package simulator

import "time"

// Uids of the analytics that stories about log paths should raise.
const (
	silentAnalytic      = "host.silent"
	lossAnalytic        = "host.loss"
	misdirectedAnalytic = "host.misdirected"
)

// Which host plays what in the stories about log paths. An estate with fewer
// hosts has fewer of them.
const (
	hostLoses = iota
	hostMaintained
	hostTruncates
	hostReturns
	hostSilent
	hostMisdirected
)

// hush is a time in which a sender's lines do not arrive.
type hush struct{ from, to time.Time }

// hushed says that a line of the sender at that time does not arrive.
func (sc *script) hushed(at time.Time, sender int) bool {
	for _, h := range sc.hushes[sender] {
		if !at.Before(h.from) && at.Before(h.to) {
			return true
		}
	}
	return false
}

// hush keeps back what a host would say between two times.
func (sc *script) hush(host int, from, to time.Time) {
	if host < len(sc.site.Hosts) {
		sender := sc.byHost[sc.site.Hosts[host]]
		sc.hushes[sender] = append(sc.hushes[sender], hush{from, to})
	}
}

// hushAll says when hosts are silent, before any of them says anything.
func (sc *script) hushAll() {
	after := sc.end.Add(time.Second)
	sc.hush(hostReturns, sc.clock(0, 20), sc.clock(6, 0))
	sc.hush(hostMaintained, sc.clock(4, 45), sc.clock(7, 5)) // between its other stories
	sc.hush(hostSilent, sc.clock(22, 20), after)
	sc.hush(hostMisdirected, sc.clock(22, 20), after)
}

// logPaths tells of hosts whose logs take a wrong way, or none.
func (sc *script) logPaths() {
	sc.about(hostSilent, Story{ID: "silent", Title: "a host's logs stop while vCenter is connected to it", Analytic: silentAnalytic}, nil)
	sc.about(hostReturns, Story{ID: "silent-back", Title: "a host's logs stop, and come again hours later", Analytic: silentAnalytic}, nil)
	sc.about(hostMisdirected, Story{
		ID: "misdirected", Title: "a host's log host is changed in its shell, and its logs stop", Analytic: misdirectedAnalytic,
		Signs: []Sign{ruleLogHost},
	}, func(say func(time.Time, func(*voice) message)) {
		say(sc.clock(22, 19), func(v *voice) message { return v.setLogHost("tcp://203.0.113.66:514") })
	})
	sc.about(hostLoses, Story{
		ID: "loss", Title: "a host reports that its log messages are lost", Analytic: lossAnalytic,
	}, func(say func(time.Time, func(*voice) message)) {
		for i := range 4 {
			say(sc.clock(1, 0).Add(time.Duration(i)*3*time.Minute), func(v *voice) message {
				return v.lostMessages("collector.lab.example:1514", v.between(60, 300))
			})
		}
	})
	sc.path(hostMaintained, Path{ID: "maintenance", Title: "a host's logs stop in maintenance mode", State: "excused", From: sc.clock(4, 45), To: sc.clock(7, 5)})
	if hostMaintained < len(sc.site.Hosts) {
		sc.maintenance(sc.site.Hosts[hostMaintained], sc.clock(4, 42), sc.clock(7, 30))
	}
	const cut = 7
	sc.path(hostTruncates, Path{ID: "truncated", Title: "a host cuts messages that are too long", State: "sending", Truncated: cut})
	sc.says(hostTruncates, func(say func(time.Time, func(*voice) message)) {
		for i := range cut {
			say(sc.clock(22, 5).Add(time.Duration(i)*40*time.Minute), func(v *voice) message { return v.cutMessage(v.between(1100, 9000)) })
		}
	})
}

// about publishes a story of a host, with what it says itself.
func (sc *script) about(host int, s Story, tell func(say func(time.Time, func(*voice) message))) {
	if host >= len(sc.site.Hosts) {
		return
	}
	a := sc.count(func() {
		if tell != nil {
			sc.says(host, tell)
		}
	})
	s.Host, s.Address = sc.site.Hosts[host].Name, sc.site.Hosts[host].Address
	sc.publish(s, place{}, a)
}

// says lets a host speak.
func (sc *script) says(host int, tell func(say func(time.Time, func(*voice) message))) {
	if host >= len(sc.site.Hosts) {
		return
	}
	h := sc.site.Hosts[host]
	sender := sc.byHost[h]
	tell(func(at time.Time, m func(*voice) message) { sc.tell(at, sender, m(sc.voice(at, sender, h))) })
}

func (sc *script) path(host int, p Path) {
	if host < len(sc.site.Hosts) {
		p.Host = sc.site.Hosts[host].Name
		sc.truth.Paths = append(sc.truth.Paths, p)
	}
}
