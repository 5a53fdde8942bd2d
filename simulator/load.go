package simulator

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// LoadOptions say what Load sends where, and how fast.
type LoadOptions struct {
	Target      string      // "tcp://host:port", "udp://.." or "tls://.."
	TLS         *tls.Config // for tls://
	Connections int         // 1 to 1000; 0: 1

	Rate     int64         // lines per second in all; 0: as fast as it goes
	Count    int64         // stop after so many lines; 0: no end
	For      time.Duration // stop after so long; 0: no end
	Scenario string        // "mix" (default), "firewall" or "stories"

	Seed  uint64
	Hosts int // whose lines they are, 3 to 1000; 0: 6
	// Patience is how long a connection tries to come back before Load gives
	// up; 0: 30 s.
	Patience time.Duration
}

// Scenarios of Load: what a host sends, its firewall lines alone, or the lines
// of Site.Traffic at the present time.
const (
	ScenarioMix      = "mix"
	ScenarioFirewall = "firewall"
	ScenarioStories  = "stories"
)

const maxConnections = 1000

// Load sends lines until ctx ends, o.For is over or o.Count is reached, which
// are no errors. The lines are rendered once; only their times and source
// ports are new each time, so that it costs a collector's measurement little.
func Load(ctx context.Context, o LoadOptions) (Counts, error) {
	o.Connections = cmp.Or(o.Connections, 1)
	if o.Connections < 1 || o.Connections > maxConnections {
		return Counts{}, fmt.Errorf("load: %d connections is not between 1 and %d", o.Connections, maxConnections)
	}
	ls, err := newLinks([]string{o.Target}, o.TLS)
	if err != nil {
		return Counts{}, fmt.Errorf("load: %w", err)
	}
	site, err := NewSite(Options{Seed: o.Seed, Hosts: o.Hosts, VMs: max(60, 4*o.Hosts), Night: time.Now()})
	if err != nil {
		return Counts{}, fmt.Errorf("load: %w", err)
	}
	render, err := renderer(o.Scenario, site)
	if err != nil {
		return Counts{}, fmt.Errorf("load: %w", err)
	}
	loaders := make([]*loader, o.Connections)
	for i := range loaders {
		loaders[i] = &loader{
			link: ls.to("", o.Patience), ream: newReam(render(i, o.Connections)),
			rate: float64(o.Rate) / float64(o.Connections), left: share(o.Count, i, o.Connections),
		}
	}
	return runLoaders(ctx, loaders, o.For)
}

// share is part i of n of a count; without a count, no end.
func share(count int64, i, n int) int64 {
	if count == 0 {
		return 1 << 62
	}
	part := count / int64(n)
	if int64(i) < count%int64(n) {
		part++
	}
	return part
}

// runLoaders stops softly: at the end of its time a loader finishes the write
// that it is at, and what was sent may still arrive, for a while.
func runLoaders(ctx context.Context, loaders []*loader, atMost time.Duration) (Counts, error) {
	soft, cancel := context.WithCancel(ctx)
	if atMost > 0 {
		soft, cancel = context.WithTimeout(ctx, atMost)
	}
	defer cancel()
	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	defer context.AfterFunc(soft, func() { time.AfterFunc(lingerWait, kill) })()
	errs := make([]error, len(loaders))
	var wg sync.WaitGroup
	for i, l := range loaders {
		l.link.quit = soft.Done() // nothing of it is on the way
		wg.Go(func() {
			errs[i] = l.run(soft, hard)
			l.link.close(hard)
		})
	}
	wg.Wait()
	var sum Counts
	for _, l := range loaders {
		sum.Add(l.link.counts)
	}
	return sum, errors.Join(errs...)
}

// renderer makes the lines of a scenario for connection i of n.
func renderer(scenario string, site *Site) (func(i, n int) []string, error) {
	switch scenario {
	case ScenarioMix, "":
		return func(i, n int) []string { return renderMix(site, i, n, 40) }, nil
	case ScenarioFirewall:
		return func(i, n int) []string { return renderMix(site, i, n, 100) }, nil
	case ScenarioStories:
		var lines []string
		for r := range site.Traffic().Records() {
			lines = append(lines, r.Line)
		}
		return func(i, n int) []string { return lines[i*len(lines)/n : (i+1)*len(lines)/n] }, nil
	}
	return nil, fmt.Errorf("scenario %q is not %s, %s or %s", scenario, ScenarioMix, ScenarioFirewall, ScenarioStories)
}

// reamLines is about how many different lines a connection repeats.
const reamLines = 4096

// renderMix draws what the hosts of connection i of n send, so many per cent
// of it firewall lines, and a little of the vCenter.
func renderMix(site *Site, i, n, firewall int) []string {
	sc := newScript(site)
	sc.rng = site.rng(fmt.Sprint("load ", i))
	now := time.Now()
	var lines []string
	for k := 0; len(lines) < reamLines; k++ {
		host := site.Hosts[(i+k*n)%len(site.Hosts)]
		sender := sc.byHost[host]
		switch roll := sc.rng.IntN(100); {
		case roll < firewall:
			st := sc.senders[sender].style
			lines = append(lines, sc.senders[sender].records(now, sc.loadFlow(host, st))...)
		case roll < firewall+7:
			lines = append(lines, sc.vcenterLines(now)...)
		default:
			v := sc.voice(now, sender, host)
			lines = append(lines, sc.senders[sender].records(now, v.say(hostKinds(v.st)))...)
		}
	}
	return lines
}

func (sc *script) vcenterLines(now time.Time) []string {
	v := sc.voice(now, sc.vcenter, nil)
	if sc.rng.IntN(12) > 0 {
		return sc.senders[sc.vcenter].records(now, v.say(vcenterKinds()))
	}
	var lines []string
	for _, m := range v.reconfigured(v.vm()) {
		lines = append(lines, sc.senders[sc.vcenter].line(now, m))
	}
	return lines
}

// loadFlow is a firewall line: half of them to the outside, of which the
// proxy's are justified and the others not.
func (sc *script) loadFlow(host *Host, st style) message {
	vm := host.vms[sc.rng.IntN(len(host.vms))]
	to := sc.site.VMs[sc.rng.IntN(len(sc.site.VMs))].Address
	if sc.rng.IntN(2) == 0 {
		to = places().cloud.addr.Addr()
	}
	f := flow{
		vif: vm.VIF, src: netip.AddrPortFrom(vm.Address, sc.port()), rule: 1005, tag: "prod-app-egress-web", proto: "TCP", end: "FIN",
		bytesOut: sc.rng.Int64N(1e6), bytesIn: sc.rng.Int64N(1e7), packetsOut: sc.rng.Int64N(1e3), packetsIn: sc.rng.Int64N(1e4),
	}
	f.dst = netip.AddrPortFrom(to, 443)
	if sc.rng.IntN(2) == 0 {
		return f.opened(st)
	}
	return f.closed(st)
}

// loader sends one connection's share.
type loader struct {
	link *link
	ream *ream
	rate float64 // lines per second; 0: no limit
	left int64
}

// chunk is how much is written in one go: lines and bytes.
const (
	chunkLines = 512
	chunkBytes = 128 << 10
	pulse      = 10 * time.Millisecond // how fine a rate is kept
)

// run ends without error when soft is over; hard ends what it is at.
func (l *loader) run(soft, hard context.Context) error {
	began := time.Now()
	for sent := int64(0); sent < l.left; {
		n := l.allowance(soft, began, sent)
		if n == 0 {
			return nil
		}
		buf, ends := l.ream.next(time.Now(), int(min(n, l.left-sent, chunkLines)))
		if err := l.link.send(hard, buf, ends); err != nil {
			if soft.Err() != nil {
				return nil
			}
			return fmt.Errorf("load: %w", err)
		}
		sent += int64(len(ends))
	}
	return nil
}

// allowance is how many lines may be sent now; it waits until there is one. 0:
// ctx is over.
func (l *loader) allowance(ctx context.Context, began time.Time, sent int64) int64 {
	for ctx.Err() == nil {
		if l.rate == 0 {
			return chunkLines
		}
		now := time.Now()
		if due := int64(now.Sub(began).Seconds()*l.rate) - sent; due > 0 {
			return due
		}
		next := began.Add(time.Duration(float64(sent+1) / l.rate * float64(time.Second)))
		if pulsed := now.Add(pulse); next.Before(pulsed) {
			next = pulsed
		}
		if wait(ctx, next) != nil {
			break
		}
	}
	return 0
}

// ream is rendered lines, one after the other as they go on the wire, with the
// places in them that are written anew each time.
type ream struct {
	buf   []byte
	ends  []int
	marks []mark
	at    int // the next line
	port  int
	out   []int
	short []byte // now, in the senders' two layouts
	long  []byte
}

// mark is where a line has its time, and its source port, if it has one.
type mark struct {
	time int32
	port int32 // 0: none
	long bool
}

func newReam(lines []string) *ream {
	r := new(ream)
	for _, line := range lines {
		m := findMark(line)
		base := int32(len(r.buf))
		m.time += base
		if m.port > 0 {
			m.port += base
		}
		r.marks = append(r.marks, m)
		r.buf = append(r.buf, line...)
		r.buf = append(r.buf, '\n')
		r.ends = append(r.ends, len(r.buf))
	}
	return r
}

// findMark finds the time behind the priority, and in a firewall line the
// five digits of the source port.
func findMark(line string) mark {
	begin := strings.IndexByte(line, '>') + 1
	if strings.HasPrefix(line[begin:], "1 ") {
		begin += 2
	}
	m := mark{time: int32(begin), long: line[begin+len(millis)-1] != 'Z'}
	if i := strings.Index(line, "->"); i > 5 && strings.Contains(line, "PKTLOG") || i > 5 && strings.Contains(line, "dfwpktlogs") {
		m.port = int32(i - 5)
	}
	return m
}

// next is up to n lines as of now, no more than a chunk, and where they end.
// Both are good until the next call.
func (r *ream) next(now time.Time, n int) ([]byte, []int) {
	if r.at == len(r.ends) {
		r.at = 0
	}
	r.stamp(now)
	begin := 0
	if r.at > 0 {
		begin = r.ends[r.at-1]
	}
	r.out = r.out[:0]
	for len(r.out) < n && r.at < len(r.ends) && r.ends[r.at]-begin <= chunkBytes {
		r.patch(r.marks[r.at])
		r.out = append(r.out, r.ends[r.at]-begin)
		r.at++
	}
	return r.buf[begin : begin+r.out[len(r.out)-1]], r.out
}

func (r *ream) stamp(now time.Time) {
	now = now.UTC()
	r.short = now.AppendFormat(r.short[:0], millis)
	r.long = now.AppendFormat(r.long[:0], micros)
}

func (r *ream) patch(m mark) {
	if m.long {
		copy(r.buf[m.time:], r.long)
	} else {
		copy(r.buf[m.time:], r.short)
	}
	if m.port == 0 {
		return
	}
	// 32768 to 60767, one after the other.
	if r.port++; r.port >= 28000 {
		r.port = 0
	}
	p := 32768 + r.port
	for i := m.port + 4; i >= m.port; i-- {
		r.buf[i] = byte('0' + p%10)
		p /= 10
	}
}
