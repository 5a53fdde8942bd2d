package behavior

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// contact is a connection of a simulated pair.
type contact struct {
	at    int64 // Unix milliseconds
	bytes int64
}

const (
	day       = 24 * time.Hour
	fortnight = 14 * day
)

// generator makes the traffic of pairs. The same seed gives the same traffic.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 0x5eed))} }

// epoch is a Monday, 00:00 UTC.
var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixMilli()

// between is evenly distributed over the logarithm.
func (g generator) between(low, high float64) float64 {
	return low * math.Exp(g.Float64()*math.Log(high/low))
}

// shape says how a beacon's sleep varies.
type shape int

const (
	uniform   shape = iota // T(1-j) to T(1+j)
	shortened              // T(1-j) to T, as Cobalt Strike sleeps
	gaussian               // deviation j/2, cut at T(1-j) and T(1+j)
	shapes
)

// beacon is a simulated implant.
type beacon struct {
	period         time.Duration
	jitter, missed float64
	shape          shape
	mask           func(at int64) bool // true: it sleeps
	sizes          func() int64
}

func (g generator) sleep(b *beacon) int64 {
	t := float64(b.period.Milliseconds())
	switch b.shape {
	case shortened:
		return int64(t * (1 - b.jitter*g.Float64()))
	case gaussian:
		return int64(t * (1 + min(max(g.NormFloat64()*b.jitter/2, -b.jitter), b.jitter)))
	}
	return int64(t * (1 + b.jitter*(2*g.Float64()-1)))
}

// beats are the contacts of a beacon until end, or until it was to have sent
// limit (0: no limit); those that it missed are not there.
func (g generator) beats(b beacon, end time.Duration, limit int) (all []contact) {
	at := epoch + int64(g.Float64()*float64(b.period.Milliseconds()))
	for n := 0; at < epoch+end.Milliseconds() && (limit == 0 || n < limit); n++ {
		if (b.mask == nil || !b.mask(at)) && g.Float64() >= b.missed {
			all = append(all, contact{at, b.sizes()})
		}
		at += max(g.sleep(&b), 1)
	}
	return all
}

func (g generator) steady() func() int64 {
	size := g.between(150, 3000)
	return func() int64 { return int64(size * (1 + 0.02*g.NormFloat64())) }
}

func (g generator) wild() func() int64 {
	size, sigma := g.between(300, 20000), 0.6+g.Float64()
	return func() int64 { return int64(size * math.Exp(sigma*g.NormFloat64())) }
}

// anyBeacon is one of the random mix: 30 s to 6 h, jitter to 50 %, missed
// beats to 30 %, half of them with hours or days off, two thirds with steady
// sizes.
func (g generator) anyBeacon() beacon {
	b := beacon{
		period: time.Duration(g.between(30, 6*3600) * float64(time.Second)),
		jitter: g.Float64() * 0.5, missed: g.Float64() * 0.3, shape: shape(g.IntN(int(shapes))), sizes: g.wild(),
	}
	if g.IntN(3) > 0 {
		b.sizes = g.steady()
	}
	switch g.IntN(4) {
	case 0:
		b.mask = outside(8+g.IntN(3), 17+g.IntN(3), false)
	case 1:
		b.mask = outside(7, 20, true)
	}
	return b
}

// outside says what is not within these hours, or on a weekend.
func outside(from, to int, weekend bool) func(at int64) bool {
	return func(at int64) bool {
		t := time.UnixMilli(at).UTC()
		free := weekend && (t.Weekday() == time.Saturday || t.Weekday() == time.Sunday)
		return free || t.Hour() < from || t.Hour() >= to
	}
}

// traffic is a kind of honest traffic of one pair over a time.
type traffic struct {
	name     string
	periodic bool
	make     func(g generator, end int64) []contact
}

// honest is the mix of honest pairs.
var honest = []traffic{
	{"browsing", false, generator.browsing},
	{"chat", false, generator.chat},
	{"poisson", false, generator.poisson},
	{"office hours", false, generator.officeHours},
	{"retries", false, generator.retries},
	{"backup", false, generator.backup},
	{"bursts", false, generator.bursts},
	{"monitor", true, generator.monitor},
	{"updater", true, generator.updater},
	{"time service", true, generator.timeService},
}

func (g generator) exp(mean float64) float64 { return g.ExpFloat64() * mean }

// browsing: visits in office hours, pages at the reader's pace, each of some
// requests.
func (g generator) browsing(end int64) (all []contact) {
	sizes, pace := g.wild(), g.between(15e3, 120e3)
	visits := g.between(0.3, 6)
	busy := outside(8, 18, g.IntN(2) == 0)
	for at := epoch; at < end; at += int64(g.exp(24 * 3600e3 / visits)) {
		if busy(at) {
			continue
		}
		t := at
		for range 1 + g.IntN(30) {
			t += int64(pace * math.Exp(g.NormFloat64()))
			for range 1 + g.IntN(6) {
				all = append(all, contact{t + int64(g.exp(400)), sizes()})
			}
		}
	}
	return all
}

// chat: conversations of messages with heavy-tailed pauses.
func (g generator) chat(end int64) (all []contact) {
	sizes := g.wild()
	talks := g.between(1, 12)
	busy := outside(7, 20, false)
	for at := epoch; at < end; at += int64(g.exp(24 * 3600e3 / talks)) {
		if busy(at) {
			continue
		}
		t := at
		for range 3 + g.IntN(60) {
			t += int64(2e3 * math.Pow(1-g.Float64(), -1/1.1))
			all = append(all, contact{t, sizes()})
		}
	}
	return all
}

// poisson: events that know nothing of each other, at all hours.
func (g generator) poisson(end int64) (all []contact) {
	sizes, mean := g.wild(), g.between(20e3, 12*3600e3)
	if g.IntN(2) == 0 {
		sizes = g.steady()
	}
	for at := epoch + int64(g.exp(mean)); at < end; at += int64(g.exp(mean)) {
		all = append(all, contact{at, sizes()})
	}
	return all
}

// officeHours: the same by day only.
func (g generator) officeHours(end int64) (all []contact) {
	busy := outside(7+g.IntN(3), 16+g.IntN(5), true)
	for _, c := range g.poisson(end) {
		if !busy(c.at) {
			all = append(all, c)
		}
	}
	return all
}

// retries: now and then something fails and is tried again after 1, 2, 4...
// seconds.
func (g generator) retries(end int64) (all []contact) {
	sizes, mean := g.steady(), g.between(3600e3, 48*3600e3)
	for at := epoch + int64(g.exp(mean)); at < end; at += int64(g.exp(mean)) {
		t, wait := at, 1e3+1e3*g.Float64()
		for range 2 + g.IntN(9) {
			all = append(all, contact{t, sizes()})
			t += int64(wait * (0.8 + 0.4*g.Float64()))
			wait *= 2
		}
	}
	return all
}

// backup: a run each night, of as many connections as there is to save.
func (g generator) backup(end int64) (all []contact) {
	sizes := g.wild()
	begin, mean := g.Float64()*24*3600e3, g.between(2e3, 60e3)
	for at := epoch + int64(begin); at < end; at += 24 * 3600e3 {
		t := at + int64(g.exp(120e3))
		for range 5 + g.IntN(200) {
			t += int64(g.exp(mean))
			all = append(all, contact{t, 1000 * sizes()})
		}
	}
	return all
}

// bursts: work that comes in heaps, by a process that has good and bad hours.
func (g generator) bursts(end int64) (all []contact) {
	sizes := g.wild()
	for at := epoch; at < end; {
		mean := g.between(10e3, 1200e3)
		until := at + int64(g.exp(3*3600e3))
		for at += int64(g.exp(mean)); at < until; at += int64(g.exp(mean)) {
			all = append(all, contact{at, sizes()})
		}
		at = until + int64(g.exp(4*3600e3))
	}
	return all
}

// monitor, updater and timeService are clocks, and honest.
func (g generator) monitor(end int64) []contact {
	return g.clock(end, g.between(30, 900), 0.01)
}

func (g generator) updater(end int64) []contact {
	return g.clock(end, g.between(3600, 12*3600), 0.1)
}

func (g generator) timeService(end int64) []contact {
	return g.clock(end, 64*math.Exp2(float64(g.IntN(5))), 0.03)
}

func (g generator) clock(end int64, period, jitter float64) []contact {
	b := beacon{period: time.Duration(period * float64(time.Second)), jitter: jitter, missed: 0.02, sizes: g.steady()}
	return g.beats(b, time.Duration(end-epoch)*time.Millisecond, 0)
}

// sorted is the order in which a sensor tells of them.
func sorted(all []contact) []contact {
	slices.SortStableFunc(all, func(a, b contact) int { return int(a.at - b.at) })
	return all
}

// listen shows contacts to a new pair as the Detector does. It gives the index
// of the contact at which the pair was first flagged, or -1.
func listen(all []contact, at func(*pair, rhythm)) (p pair, flagged int) {
	flagged = -1
	for i, c := range all {
		fresh := false
		if i == 0 {
			p.begin(1, c.at)
		} else {
			fresh = p.beat(c.at)
		}
		if c.bytes > 0 {
			p.size(c.bytes)
		}
		if fresh && p.due() {
			r := p.evaluate()
			if at != nil {
				at(&p, r)
			}
			if flagged < 0 && r.score >= threshold {
				flagged = i
			}
		}
	}
	return p, flagged
}
