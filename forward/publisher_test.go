package forward_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is an embedded server that tests can stop and start again on the
// same store, as a restart of the process would.
type server struct {
	t    testing.TB
	opts broker.Options
	now  atomic.Pointer[broker.Server]
}

func newServer(t testing.TB, o broker.Options) *server {
	t.Helper()
	o.StoreDir = t.TempDir()
	s := &server{t: t, opts: o}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *server) start() {
	s.t.Helper()
	b, err := broker.Start(s.opts)
	if err != nil {
		s.t.Fatalf("start the server: %v", err)
	}
	s.now.Store(b)
	if u := b.ClientURL(); u != "" {
		s.opts.Listen = strings.TrimPrefix(u, "nats://")
	}
}

func (s *server) stop() { s.now.Load().Stop() }

func (s *server) InProcessConn() (net.Conn, error) { return s.now.Load().InProcessConn() }
func (s *server) Credentials() (string, string)    { return s.now.Load().Credentials() }

func (s *server) connect() *nats.Conn {
	s.t.Helper()
	nc, err := forward.Connect(s, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	return nc
}

const ample = 1 << 30

func ensure(t testing.TB, nc *nats.Conn, o forward.Options) {
	t.Helper()
	if _, err := forward.Ensure(t.Context(), nc, o, ample); err != nil {
		t.Fatalf("Ensure: %v", err)
	}
}

// rig is a server, a publisher and one packer.
type rig struct {
	*server
	nc  *nats.Conn
	pub *forward.Publisher
	*forward.Packer
}

func newRig(t testing.TB, o forward.Options) *rig {
	t.Helper()
	r := &rig{server: newServer(t, broker.Options{})}
	r.nc = r.connect()
	ensure(t, r.nc, o)
	r.pub, r.Packer = publisher(t, r.nc, o)
	return r
}

func publisher(t testing.TB, nc *nats.Conn, o forward.Options) (*forward.Publisher, *forward.Packer) {
	t.Helper()
	pub, err := forward.NewPublisher(t.Context(), o, nc)
	if err != nil {
		t.Fatalf("NewPublisher: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = pub.Close(ctx)
	})
	k, err := pub.Packer()
	if err != nil {
		t.Fatal(err)
	}
	return pub, k
}

func (r *rig) flush() {
	r.t.Helper()
	r.Packer.Flush()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.pub.Flush(ctx); err != nil {
		r.t.Fatalf("Flush: %v", err)
	}
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// flow is the n-th event of a test.
func flow(n int) *event.Event {
	ev := &event.Event{
		Class: event.NetworkActivity, Activity: event.NetworkOpen, Severity: event.SeverityInformational,
		Time: noon.Add(time.Duration(n) * time.Millisecond), LogName: "dfwpktlogs", Records: 1,
		Raw: fmt.Sprintf("2026-11-22T12:00:00.000Z esx01 dfwpktlogs: %d INET match PASS 1001 OUT 52 TCP 10.0.0.5/%d->203.0.113.7/443 S", n, 1024+n%60000),
	}
	ev.Device.Hostname = "esx01.corp.local"
	ev.Src.Hostname, ev.Src.Port = fmt.Sprintf("vm%d", n%100), uint16(1024+n%60000)
	ev.Dst.Hostname, ev.Dst.Port = "files.example.com", 443
	return ev
}

func (r *rig) add(from, to int) {
	r.t.Helper()
	for n := from; n < to; n++ {
		ev := flow(n)
		r.Stamp(ev)
		if err := r.Add(ev); err != nil {
			r.t.Fatalf("Add %d: %v", n, err)
		}
	}
}

func jetStream(t testing.TB, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// stored reads all messages of a stream, in order.
func stored(t testing.TB, nc *nats.Conn, stream string) []*nats.Msg {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := jetStream(t, nc).CreateConsumer(ctx, stream, jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy})
	if err != nil {
		t.Fatal(err)
	}
	var list []*nats.Msg
	for want := c.CachedInfo().NumPending; uint64(len(list)) < want; {
		m, err := c.Next(jetstream.FetchMaxWait(10 * time.Second))
		if err != nil {
			t.Fatalf("after %d of %d messages: %v", len(list), want, err)
		}
		list = append(list, &nats.Msg{Subject: m.Subject(), Header: m.Headers(), Data: m.Data()})
	}
	return list
}

// events unpacks what a stream holds.
func events(t testing.TB, nc *nats.Conn, stream string) (list []event.Event) {
	t.Helper()
	for _, m := range stored(t, nc, stream) {
		for line, err := range forward.Unpack(m.Header, m.Data) {
			if err != nil {
				t.Fatal(err)
			}
			ev, err := event.Parse(line)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, ev)
		}
	}
	return list
}

// checkOnce fails unless each of the first n test events is there exactly
// once, with a uid of its own.
func checkOnce(t testing.TB, list []event.Event, n int) {
	t.Helper()
	raws, uids := map[string]int{}, map[string]bool{}
	for i := range list {
		raws[list[i].Raw]++
		if uids[list[i].UID] {
			t.Errorf("uid %s is there twice", list[i].UID)
		}
		uids[list[i].UID] = true
	}
	missing, twice := 0, 0
	for i := range n {
		switch c := raws[flow(i).Raw]; {
		case c == 0:
			missing++
		case c > 1:
			twice++
		}
	}
	if missing > 0 || twice > 0 || len(list) != n {
		t.Errorf("%d events: %d missing, %d twice; want %d", len(list), missing, twice, n)
	}
}

// patience is how long a test waits for what must happen: only a test that
// fails waits so long.
const patience = 2 * time.Minute

func poll(t testing.TB, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		if f() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

func TestPackCarriesEvents(t *testing.T) {
	for _, compression := range []string{forward.CompressNone, forward.CompressSnappy, forward.CompressZstd} {
		t.Run(compression, func(t *testing.T) {
			r := newRig(t, forward.Options{Collector: "Site A", Compression: compression})
			r.add(0, 40)
			r.flush()
			list := stored(t, r.nc, forward.EventsStream)
			if len(list) != 1 {
				t.Fatalf("got %d messages, want 1", len(list))
			}
			m := list[0]
			if want := "vegress.events.network_activity.0.site_a"; m.Subject != want {
				t.Errorf("subject: got %q, want %q", m.Subject, want)
			}
			id := m.Header.Get("Nats-Msg-Id")
			for key, want := range map[string]string{
				"Content-Type": "application/x-ndjson", "Ocsf-Version": "1.8.0", "Event-Count": "40",
				"Time-Min": "2026-11-22T12:00:00Z", "Time-Max": "2026-11-22T12:00:00.039Z",
				"Content-Encoding": strings.TrimPrefix(compression, "none"),
			} {
				if got := m.Header.Get(key); got != want {
					t.Errorf("%s: got %q, want %q", key, got, want)
				}
			}
			evs := events(t, r.nc, forward.EventsStream)
			checkOnce(t, evs, 40)
			for i, ev := range evs {
				if want := fmt.Sprintf("%s-%d", id, i); ev.UID != want {
					t.Errorf("uid: got %q, want %q", ev.UID, want)
				}
			}
		})
	}
}

func TestPackLimits(t *testing.T) {
	big := strings.Repeat("x", 4000)
	tests := []struct {
		name  string
		raw   string
		n     int
		packs int
	}{
		{"256 KiB", big, 165, 3},
		{"one event above 256 KiB", strings.Repeat("y", 300<<10), 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, forward.Options{})
			for range tt.n {
				ev := &event.Event{Time: noon, LogName: "x", Raw: tt.raw, Records: 1}
				r.Stamp(ev)
				if err := r.Add(ev); err != nil {
					t.Fatal(err)
				}
			}
			r.flush()
			list := stored(t, r.nc, forward.EventsStream)
			if len(list) != tt.packs {
				t.Errorf("got %d packs, want %d", len(list), tt.packs)
			}
			for _, m := range list {
				if len(m.Data) > forward.PackBytes && m.Header.Get("Event-Count") != "1" {
					t.Errorf("a pack of %d bytes", len(m.Data))
				}
			}
		})
	}
}

func TestLinger(t *testing.T) {
	r := newRig(t, forward.Options{})
	r.Tick(noon)
	r.add(0, 1)
	r.Tick(noon.Add(forward.Linger - time.Millisecond))
	if got := r.pub.Stats().Packs; got != 0 {
		t.Errorf("a pack left after %v", forward.Linger-time.Millisecond)
	}
	r.Tick(noon.Add(forward.Linger))
	if got := r.pub.Stats().Packs; got != 1 {
		t.Errorf("no pack left after %v", forward.Linger)
	}
}

func TestClassesAndPartitions(t *testing.T) {
	r := newRig(t, forward.Options{Partitions: 4})
	subjects := map[string]string{} // entity -> subject
	for n := range 200 {
		ev := flow(n)
		if n%2 == 1 {
			ev.Class = event.DNSActivity
			ev.DNS.Query = "example.com"
		}
		r.Stamp(ev)
		if err := r.Add(ev); err != nil {
			t.Fatal(err)
		}
	}
	r.flush()
	partitions := map[string]bool{}
	for _, m := range stored(t, r.nc, forward.EventsStream) {
		token := strings.Split(m.Subject, ".")
		partitions[token[3]] = true
		for line := range forward.Unpack(m.Header, m.Data) {
			ev, err := event.Parse(line)
			if err != nil {
				t.Fatal(err)
			}
			if ev.Class.Name() != token[2] {
				t.Errorf("a %s in %s", ev.Class.Name(), m.Subject)
			}
			key := ev.Class.Name() + ev.Src.Hostname
			if had := subjects[key]; had != "" && had != m.Subject {
				t.Errorf("%s is in %s and %s", key, had, m.Subject)
			}
			subjects[key] = m.Subject
		}
	}
	if len(partitions) != 4 {
		t.Errorf("got partitions %v, want 4 of them", partitions)
	}
}

func TestIdsAreUnique(t *testing.T) {
	r := newRig(t, forward.Options{})
	_, second := publisher(t, r.nc, forward.Options{})
	third, err := r.pub.Packer()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for n := range 2000 {
		for _, k := range []*forward.Packer{r.Packer, second, third} {
			ev := flow(n)
			k.Stamp(ev)
			if seen[ev.UID] {
				t.Fatalf("uid %q twice", ev.UID)
			}
			seen[ev.UID] = true
			if err := k.Add(ev); err != nil {
				t.Fatal(err)
			}
		}
	}
	ev := flow(1)
	ev.UID = "ingest-1-2"
	r.Stamp(ev)
	if ev.UID != "ingest-1-2" {
		t.Errorf("a uid was replaced by %q", ev.UID)
	}
}

func TestAccountAddsUp(t *testing.T) {
	r := newRig(t, forward.Options{WindowMessages: 4})
	done := make(chan struct{})
	checked := make(chan int)
	go func() {
		n := 0
		for {
			s := r.pub.Stats()
			if s.InFlight < 0 || s.Accepted != s.Forwarded+s.InFlight+s.Dropped.Refused+s.Dropped.Closed {
				t.Errorf("does not add up: %+v", s)
			}
			n++
			select {
			case <-done:
				checked <- n
				return
			default:
			}
		}
	}()
	for n := range 5000 {
		ev := flow(n)
		r.Stamp(ev)
		if err := r.Add(ev); err != nil {
			t.Fatal(err)
		}
	}
	r.flush()
	close(done)
	t.Logf("checked %d times", <-checked)
	s := r.pub.Stats()
	const want = 5000
	if s.Accepted != want || s.Forwarded != want || s.InFlight != 0 || s.Events != want {
		t.Errorf("got %+v, want %d events", s, want)
	}
	if s.Latency.Count != uint64(s.Packs) {
		t.Errorf("latency of %d packs, %d packs", s.Latency.Count, s.Packs)
	}
	checkOnce(t, events(t, r.nc, forward.EventsStream), 5000)
}

func finding(uid, revision string, a event.Activity, s event.Severity) *event.Finding {
	return &event.Finding{
		UID: uid, Revision: revision, Activity: a, Status: event.FindingNew, Severity: s,
		Analytic: event.Analytic{UID: "egress.unjustified", Name: "Unjustified external HTTP(S)"},
		Title:    "vm1 talks to pastebin", Time: noon, FirstSeen: noon, LastSeen: noon, Count: 1,
	}
}

func TestFindingMessage(t *testing.T) {
	r := newRig(t, forward.Options{Collector: "site-a"})
	for range 2 { // the second is known by its id
		if err := r.Finding(finding("f1", "r1", event.FindingCreate, event.SeverityHigh)); err != nil {
			t.Fatal(err)
		}
	}
	r.flush()
	list := stored(t, r.nc, forward.FindingsStream)
	if len(list) != 1 {
		t.Fatalf("got %d messages, want 1", len(list))
	}
	if got, want := list[0].Subject, "vegress.findings.high.egress_unjustified.f1"; got != want {
		t.Errorf("subject: got %q, want %q", got, want)
	}
	for key, want := range map[string]string{
		"Nats-Msg-Id": "f1-r1", "ce-specversion": "1.0", "ce-id": "f1-r1", "ce-type": "vegress.finding.create",
		"ce-source": "/vegress/site-a", "ce-time": "2026-11-22T12:00:00Z", "Content-Type": "application/json",
	} {
		if got := list[0].Header.Get(key); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	if s := r.pub.Stats(); s.Findings != 2 || s.Duplicates != 1 {
		t.Errorf("got %+v, want 2 findings, 1 duplicate", s)
	}
	if f, err := event.ParseFinding(list[0].Data); err != nil || f.UID != "f1" {
		t.Errorf("got %+v, %v", f, err)
	}
}

// An outage longer than the server's window for duplicates: nothing is lost,
// and nothing that was stored without an acknowledgement is stored again.
func TestOutageLongerThanDuplicateWindow(t *testing.T) {
	t.Parallel()
	r := newRig(t, forward.Options{DuplicateWindow: 200 * time.Millisecond, AckTimeout: 300 * time.Millisecond})
	const n = 6000
	added := make(chan struct{})
	go func() {
		defer close(added)
		r.add(0, n)
		r.Packer.Flush()
	}()
	poll(t, "some packs stored", func() bool { return r.pub.Stats().Forwarded > 500 })
	r.stop()
	poll(t, "trouble", func() bool { return r.pub.Stats().Troubles > 0 && r.pub.Health() != nil })
	outage := time.NewTimer(600 * time.Millisecond) // three times the window
	<-outage.C
	r.start()
	<-added
	r.flush()
	checkOnce(t, events(t, r.nc, forward.EventsStream), n)
	s := r.pub.Stats()
	if s.Forwarded != n || s.InFlight != 0 {
		t.Errorf("got %+v", s)
	}
	if err := r.pub.Health(); err != nil {
		t.Errorf("Health after the outage: %v", err)
	}
	t.Logf("redelivered %d, read back %d, duplicates %d", s.Redelivered, s.ReadBack, s.Duplicates)
}

func TestStoppedServerBlocksThenClose(t *testing.T) {
	r := newRig(t, forward.Options{WindowMessages: 2})
	r.stop()
	blocked := make(chan error, 1)
	go func() {
		for n := 0; ; n++ {
			ev := flow(n)
			r.Stamp(ev)
			if err := r.Add(ev); err != nil {
				blocked <- err
				return
			}
		}
	}()
	poll(t, "the window to fill", func() bool { return r.pub.Stats().Stalls > 0 })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := r.pub.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: got %v", err)
	}
	if err := <-blocked; !errors.Is(err, forward.ErrClosed) {
		t.Errorf("Add: got %v", err)
	}
	if s := r.pub.Stats(); s.InFlight != 0 || s.Dropped.Closed != s.Accepted || s.Accepted == 0 {
		t.Errorf("got %+v", s)
	}
}

func TestRefusedPackIsSplit(t *testing.T) {
	r := newRig(t, forward.Options{Compression: forward.CompressSnappy})
	js := jetStream(t, r.nc)
	st, err := js.Stream(t.Context(), forward.EventsStream)
	if err != nil {
		t.Fatal(err)
	}
	config := st.CachedInfo().Config
	config.MaxMsgSize = 8 << 10
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	const n = 200
	var w waiter
	claim := w.claim()
	r.Claim(claim)
	r.add(0, n-1)
	huge := flow(n - 1)
	huge.Raw = incompressible(20 << 10)
	r.Stamp(huge)
	if err := r.Add(huge); err != nil {
		t.Fatal(err)
	}
	claim.Release()
	r.flush()
	if w.settled.Load() != 1 || w.lost.Load() != 0 {
		t.Errorf("the claim of all is settled %d times", w.settled.Load())
	}
	evs := events(t, r.nc, forward.EventsStream)
	checkOnce(t, evs, n-1)
	if s := r.pub.Stats(); s.Forwarded != n-1 || s.Dropped.Refused != 1 || s.InFlight != 0 {
		t.Errorf("got %+v, want %d forwarded, 1 refused", s, n-1)
	}
}

func incompressible(n int) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	b, x := make([]byte, n), uint64(1)
	for i := range b {
		x = x*6364136223846793005 + 1442695040888963407
		b[i] = digits[(x>>33)%uint64(len(digits))]
	}
	return string(b)
}

// A stream that is full and discards what is new: tried again, then given up.
func TestFullStream(t *testing.T) {
	o := forward.Options{Refusals: 3}
	r := newRig(t, o)
	js := jetStream(t, r.nc)
	st, err := js.Stream(t.Context(), forward.EventsStream)
	if err != nil {
		t.Fatal(err)
	}
	config := st.CachedInfo().Config
	config.Discard, config.MaxMsgs = jetstream.DiscardNew, 1
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	r.add(0, 1)
	r.flush()
	r.add(1, 2)
	r.Packer.Flush()
	poll(t, "refusal", func() bool { return r.pub.Health() != nil })
	config.MaxMsgs = 2 // room again
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	r.flush()
	r.add(2, 3)
	r.flush() // given up
	if s := r.pub.Stats(); s.Forwarded != 2 || s.Dropped.Refused != 1 || s.Redelivered == 0 {
		t.Errorf("got %+v", s)
	}
	checkOnce(t, events(t, r.nc, forward.EventsStream), 2)
}

func TestPackersInParallel(t *testing.T) {
	r := newRig(t, forward.Options{WindowMessages: 8, Compression: forward.CompressSnappy})
	const shards, each = 4, 2000
	var wg sync.WaitGroup
	for s := range shards {
		k, err := r.pub.Packer()
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for n := s * each; n < (s+1)*each; n++ {
				ev := flow(n)
				k.Stamp(ev)
				if err := k.Add(ev); err != nil {
					t.Error(err)
				}
				if n%100 == 0 {
					k.Tick(noon.Add(time.Duration(n) * time.Second))
				}
			}
			k.Flush()
		})
	}
	wg.Wait()
	r.flush()
	checkOnce(t, events(t, r.nc, forward.EventsStream), shards*each)
	s := r.pub.Stats()
	if s.Forwarded != shards*each || s.Stalls == 0 {
		t.Errorf("got %+v", s)
	}
	buckets := s.Latency.Buckets()
	if last := buckets[len(buckets)-1]; last.Count != s.Latency.Count || s.Latency.Sum <= 0 {
		t.Errorf("latency: %+v", s.Latency)
	}
}
