package app

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/broker"
)

// centre is a far NATS server, that can be stopped and started again where it
// was.
type centre struct {
	t    *testing.T
	opts broker.Options
	*broker.Server
}

func newCentre(t *testing.T) *centre {
	t.Helper()
	users := write(t, "users.json", `{"users": [{"name": "agent", "password": "pw", "role": "admin"}]}`)
	c := &centre{t: t, opts: broker.Options{Listen: "127.0.0.1:0", UsersFile: users, StoreDir: filepath.Join(t.TempDir(), "far")}}
	c.start()
	c.opts.Listen = c.address()
	t.Cleanup(func() { c.Stop() })
	return c
}

func (c *centre) start() {
	c.t.Helper()
	var err error
	if c.Server, err = broker.Start(c.opts); err != nil {
		c.t.Fatal(err)
	}
}

// stored is how many messages of events are there.
func (c *centre) stored() int64 {
	c.t.Helper()
	nc, err := forward.Connect(c.Server, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		c.t.Fatal(err)
	}
	stream, err := js.Stream(c.t.Context(), forward.EventsStream)
	if err != nil {
		c.t.Fatal(err)
	}
	return int64(stream.CachedInfo().State.Msgs)
}

func (c *centre) address() string { return strings.TrimPrefix(c.ClientURL(), "nats://") }

func centreURL(address string) string { return "nats://agent:pw@" + address }

// relay passes on what goes between a client and a server, and can swallow
// what the server says.
type relay struct {
	net.Listener
	target string
	deaf   atomic.Bool

	wg    sync.WaitGroup
	mu    sync.Mutex
	conns []net.Conn
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: l, target: target}
	r.wg.Go(r.accept)
	t.Cleanup(func() { l.Close(); r.cut(); r.wg.Wait() })
	return r
}

func (r *relay) accept() {
	for {
		client, err := r.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", r.target)
		if err != nil {
			client.Close()
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, client, far)
		r.mu.Unlock()
		r.wg.Go(func() { defer far.Close(); _, _ = io.Copy(far, client) })
		r.wg.Go(func() { defer client.Close(); _, _ = io.Copy(writer{client, &r.deaf}, far) })
	}
}

// cut breaks all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.conns {
		conn.Close()
	}
	r.conns = nil
}

type writer struct {
	to   io.Writer
	deaf *atomic.Bool
}

func (w writer) Write(p []byte) (int, error) {
	if w.deaf.Load() {
		return len(p), nil
	}
	return w.to.Write(p)
}

// uplinked is a service with an uplink, under TCP and UDP load.
type uplinked struct {
	*service
	load *load
}

func startUplinked(t *testing.T, far string, o outage) *uplinked {
	t.Helper()
	config := testConfig(t, "", map[string]any{
		"listen.syslog":      []string{"tcp://127.0.0.1:0", "udp://127.0.0.1:0"},
		"forward.uplink.url": centreURL(far),
	})
	config.Forward.Streams.DuplicateWindow = o.window
	config.Forward.Streams.AckTimeout = o.ackTimeout
	u := &uplinked{service: start(t, config)}
	conns := u.senders(2)
	udp, err := net.Dial("udp", u.server.Addrs()[1].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { udp.Close() })
	u.load = startLoad(t, o.pulse, 10, append(conns, udp)...)
	return u
}

// copied waits until the far server has some more of the load.
func (u *uplinked) copied(more int64) {
	u.t.Helper()
	before := u.uplink.Stats().Copied
	u.eventually("a copy at the far server", func() bool { return u.uplink.Stats().Copied >= before+more })
}

// checkFar ends the load, and fails unless the far server has the local
// streams as they are: nothing lost, nothing twice, in order.
func (u *uplinked) checkFar(far string) {
	u.t.Helper()
	u.load.stop()
	a := u.settled(u.load.total())
	if lost := u.server.Stats().KernelDrops; lost > 0 {
		u.t.Fatalf("the kernel dropped %d datagrams: too much load for this test", lost)
	}
	if sent := u.load.total() + 1; a.Received != sent { // and the one of contact
		u.t.Errorf("%d records sent, %d received", sent, a.Received)
	}
	u.sendLast()
	u.eventually("the whole copy", func() bool { return u.uplink.Stats().Waiting == 0 && u.uplink.Health() == nil })
	local, there := readTally(u.t, u.broker.ClientURL()), readTally(u.t, centreURL(far))
	u.load.check(u.t, local)
	u.load.check(u.t, there)
	if !slices.Equal(local.order, there.order) {
		u.t.Errorf("%d events, %d at the far server, or not in the same order", len(local.order), len(there.order))
	}
	if got := int64(len(there.order)); got != a.Forwarded {
		u.t.Errorf("%d events at the far server, %d were forwarded", got, a.Forwarded)
	}
	if s := u.uplink.Stats(); s.Lost+s.Refused != 0 {
		u.t.Errorf("uplink: %+v", s)
	}
	want := int(u.publisher.Stats().Findings)
	if want == 0 {
		u.t.Error("the load has no finding")
	}
	if here, there := u.findings(u.broker.ClientURL(), want), u.findings(centreURL(far), want); !slices.Equal(here, there) {
		u.t.Errorf("findings differ:\n%q\n%q", here, there)
	}
}

// findings reads n revisions of findings.
func (u *uplinked) findings(url string, n int) (all []string) {
	u.t.Helper()
	nc, err := forward.Dial(url, "", "", nil)
	if err != nil {
		u.t.Fatal(err)
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(u.t.Context(), patience)
	defer cancel()
	for line, err := range forward.Follow(ctx, nc, forward.FollowOptions{Since: time.Unix(1, 0)}) {
		if err != nil {
			u.t.Fatal(err)
		}
		if all = append(all, string(line)); len(all) == n {
			break
		}
	}
	return all
}

// outage is what happens to the far server.
type outage struct {
	name string
	// window is how long the servers know ids for themselves, and ackTimeout
	// when what is not acknowledged is looked after; zero: as installed.
	window, ackTimeout time.Duration
	// lasts is how long the far server is away, or unheard.
	lasts time.Duration
	// deaf: before, what the far server stores is not acknowledged to us.
	deaf bool
	// stays: the far server goes on storing, all the time.
	stays bool
	// pulse is the time between ten records of each sender.
	pulse time.Duration
}

// minutes is the pulse of an outage that lasts minutes: less load, and as many
// records.
const minutes = 100 * time.Millisecond

// TestUplinkOutage: the far server is away for a while, under TCP and UDP
// load, or its acknowledgements are. Then it has everything, once.
func TestUplinkOutage(t *testing.T) {
	for _, o := range []outage{
		{name: "5s", lasts: 5 * time.Second, window: 2 * time.Second, ackTimeout: time.Second, pulse: 10 * time.Millisecond},
		{name: "5s,deaf", lasts: 5 * time.Second, window: 2 * time.Second, ackTimeout: time.Second, deaf: true, pulse: 10 * time.Millisecond},
		{name: "5s,deaf,stays", lasts: 5 * time.Second, window: 2 * time.Second, ackTimeout: time.Second, deaf: true, stays: true, pulse: 10 * time.Millisecond},
	} {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			o.test(t)
		})
	}
}

// TestUplinkLongOutage is TestUplinkOutage with the window for duplicates that
// an installation has, two minutes, and outages on both sides of it.
func TestUplinkLongOutage(t *testing.T) {
	if os.Getenv("VEGRESS_TEST_LONG") == "" {
		t.Skip("takes four minutes: set VEGRESS_TEST_LONG=1 to run it")
	}
	for _, o := range []outage{
		{name: "10s", lasts: 10 * time.Second, pulse: minutes},
		{name: "10s,deaf", lasts: 10 * time.Second, deaf: true, pulse: minutes},
		{name: "3m", lasts: 3 * time.Minute, pulse: minutes},
		{name: "3m,deaf", lasts: 3 * time.Minute, deaf: true, pulse: minutes},
		{name: "3m,deaf,stays", lasts: 3 * time.Minute, deaf: true, stays: true, pulse: minutes},
	} {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			o.test(t)
		})
	}
}

func (o outage) test(t *testing.T) {
	far := newCentre(t)
	between := newRelay(t, far.address())
	u := startUplinked(t, between.Addr().String(), o)
	u.contact()
	u.copied(10)
	if o.deaf {
		between.deaf.Store(true)
		u.eventually("messages at the far server that are not acknowledged", func() bool {
			told := u.uplink.Stats().Copied // before the far server is asked
			return far.stored() > told
		})
	}
	if !o.stays {
		far.Stop()
		u.eventually("trouble in /healthz", func() bool { return u.check() != nil })
	}
	before := u.load.total()
	o.wait(t)
	if u.load.total() < before+100 {
		t.Error("no load during the outage")
	}
	between.deaf.Store(false)
	between.cut() // the stream of answers has a hole
	if !o.stays {
		far.start()
	}
	u.copied(10)
	u.checkFar(far.address())
	t.Logf("%d records over TCP and UDP, %d dropped by the kernel; uplink %+v", u.load.total(), u.server.Stats().KernelDrops, u.uplink.Stats())
}

func (o outage) wait(t *testing.T) {
	t.Helper()
	select {
	case <-time.After(o.lasts):
	case <-t.Context().Done():
	}
}

// contact makes a finding.
func (u *uplinked) contact() {
	u.t.Helper()
	_, err := io.WriteString(u.sender(), "<13>"+time.Now().UTC().Format(stamp)+
		" esx01 dfwpktlogs: 9f9d0952 INET match PASS domain-c8/1005 OUT 60 TCP 10.1.0.23/48556->203.0.113.9/443 S\n")
	if err != nil {
		u.t.Fatal(err)
	}
	u.eventually("a finding", func() bool { return u.publisher.Stats().Findings > 0 })
}
