package app

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/simulator"
)

// stamp is a time as ESXi writes it.
const stamp = "2006-01-02T15:04:05.000Z"

// numbered is a record that is told from all others by its sender and number.
func numbered(sender string, n int) string {
	return fmt.Sprintf("<14>%s esx01 vobd: record %s-%d end", time.Now().UTC().Format(stamp), sender, n)
}

// number finds the name of a numbered record in an event.
func number(ev *event.Event) string {
	_, rest, _ := strings.Cut(ev.Raw, "record ")
	if name, _, whole := strings.Cut(rest, " end"); whole {
		return name
	}
	return ""
}

// load sends numbered records over several connections until it is stopped.
type load struct {
	quit chan struct{}
	once sync.Once
	wg   sync.WaitGroup
	sent map[string]*atomic.Int64 // by sender: how many the socket took
}

// startLoad begins with a sender for each connection, which is named for its
// network and place. Each sends n records a pulse, or without a pulse as fast
// as they are taken.
func startLoad(tb testing.TB, pulse time.Duration, n int, conns ...net.Conn) *load {
	l := &load{quit: make(chan struct{}), sent: map[string]*atomic.Int64{}}
	for i, conn := range conns {
		name := fmt.Sprintf("%s%d", conn.RemoteAddr().Network(), i)
		sent := new(atomic.Int64)
		l.sent[name] = sent
		l.wg.Go(func() { l.send(conn, name, sent, pulse, n) })
	}
	tb.Cleanup(l.stop)
	return l
}

func (l *load) send(conn net.Conn, name string, sent *atomic.Int64, pulse time.Duration, n int) {
	tick := time.NewTicker(max(pulse, 1))
	defer tick.Stop()
	for {
		select {
		case <-l.quit:
			return
		default:
		}
		if pulse > 0 {
			<-tick.C
		}
		for range n {
			if _, err := fmt.Fprintln(conn, numbered(name, int(sent.Load()))); err != nil {
				return
			}
			sent.Add(1)
		}
	}
}

// total is how many records were sent.
func (l *load) total() (n int64) {
	for _, sent := range l.sent {
		n += sent.Load()
	}
	return n
}

// stop lets every sender finish the records that it is at.
func (l *load) stop() {
	l.once.Do(func() { close(l.quit) })
	l.wg.Wait()
}

// check fails unless all that was sent is stored, once.
func (l *load) check(tb testing.TB, stored *tally) {
	tb.Helper()
	for name, sent := range l.sent {
		checkNumbered(tb, stored.numbers, name, int(sent.Load()))
	}
}

// checkPrefix fails unless of each sender some records from the first on are
// stored, once: a stop cuts a connection at one place.
func (l *load) checkPrefix(tb testing.TB, stored *tally) {
	tb.Helper()
	for name, sent := range l.sent {
		n := 0
		for n < int(sent.Load()) && stored.numbers[fmt.Sprintf("%s-%d", name, n)] > 0 {
			n++
		}
		checkNumbered(tb, stored.numbers, name, n)
		for ; n < int(sent.Load()); n++ {
			if stored.numbers[fmt.Sprintf("%s-%d", name, n)] > 0 {
				tb.Fatalf("record %d of %s is stored, and one before it is not", n, name)
			}
		}
	}
}

// checkNumbered fails unless the records 0..want-1 of the sender are among
// seen, each once.
func checkNumbered(t testing.TB, seen map[string]int, sender string, want int) {
	t.Helper()
	missing, twice := 0, 0
	for n := range want {
		switch seen[fmt.Sprintf("%s-%d", sender, n)] {
		case 0:
			missing++
		case 1:
		default:
			twice++
		}
	}
	if missing+twice > 0 {
		t.Errorf("of %d records of %s, %d are missing and %d are stored more than once", want, sender, missing, twice)
	}
}

// lastRecord marks the end of what a test sent.
const lastRecord = "this is the last record"

// readBack gives every event that is stored at a NATS server to take, up to
// the last record.
func readBack(tb testing.TB, url string, take func(ev *event.Event)) {
	tb.Helper()
	nc, err := forward.Dial(url, "", "", nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	for line, err := range forward.Follow(ctx, nc, forward.FollowOptions{Events: true, Since: time.Unix(1, 0)}) {
		if err != nil {
			tb.Fatal(err)
		}
		ev, err := event.Parse(line)
		if err != nil {
			tb.Fatal(err)
		}
		if strings.Contains(ev.Raw, lastRecord) {
			return
		}
		take(&ev)
	}
	tb.Fatal("the stream has no last record within a minute")
}

// tally is what a server stores: events by uid, in their order, and numbered
// records by name.
type tally struct {
	order   []string
	numbers map[string]int
}

// readTally reads a server's events, and fails if one is stored twice.
func readTally(tb testing.TB, url string) *tally {
	tb.Helper()
	all := &tally{numbers: map[string]int{}}
	uids := map[string]bool{}
	readBack(tb, url, func(ev *event.Event) {
		if uids[ev.UID] {
			tb.Errorf("event %s is stored again", ev.UID)
		}
		uids[ev.UID] = true
		all.order = append(all.order, ev.UID)
		if name := number(ev); name != "" {
			all.numbers[name]++
		}
	})
	return all
}

// sendLast sends the last record, and waits until it is stored.
func (s *service) sendLast() {
	s.t.Helper()
	before := s.account().Received
	fmt.Fprintf(s.sender(), "<14>%s esx01 vobd: %s\n", time.Now().UTC().Format(stamp), lastRecord)
	s.settled(before + 1)
}

// tap stands between the service and its store. Held, the store's answers
// wait: nothing is acknowledged.
type tap struct {
	forward.Embedded
	conns atomic.Int64

	mu   sync.Mutex
	open chan struct{} // closed: answers pass
}

// tapStore puts a tap into a running service.
func (s *service) tapStore() *tap {
	s.t.Helper()
	tp := &tap{Embedded: s.broker, open: make(chan struct{})}
	close(tp.open)
	s.conn.Opts.InProcessServer = tp
	if err := s.conn.ForceReconnect(); err != nil {
		s.t.Fatal(err)
	}
	s.eventually("connected through the tap", func() bool { return tp.conns.Load() > 0 && s.conn.IsConnected() })
	s.t.Cleanup(tp.release)
	return tp
}

func (tp *tap) hold() {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.open = make(chan struct{})
}

func (tp *tap) release() {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	select {
	case <-tp.open:
	default:
		close(tp.open)
	}
}

func (tp *tap) gate() chan struct{} {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return tp.open
}

func (tp *tap) InProcessConn() (net.Conn, error) {
	conn, err := tp.Embedded.InProcessConn()
	if err != nil {
		return nil, err
	}
	tp.conns.Add(1)
	return &tapped{Conn: conn, tap: tp, closed: make(chan struct{})}, nil
}

type tapped struct {
	net.Conn
	tap    *tap
	once   sync.Once
	closed chan struct{}
}

func (c *tapped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.tap.gate():
		return n, err
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *tapped) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// openEstate starts a simulated vCenter, and gives the configuration of it.
func openEstate(t testing.TB) (*simulator.Estate, string) {
	t.Helper()
	e, err := simulator.Start(t.Context(), simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	ca, err := os.ReadFile(e.CAFile()) // Close removes it
	if err != nil {
		t.Fatal(err)
	}
	return e, fmt.Sprintf("vcenters: [{name: %s, url: %q, username: %q, password_file: %q, ca_file: %q, tag_poll: 10s}]\n",
		simulator.VCenterName, e.URL(), e.Username(), write(t, "password", e.Password()), write(t, "ca.pem", string(ca)))
}

// vmWith gives the first VM of the estate that has a role, or has none.
func vmWith(t testing.TB, site *simulator.Site, role string) *simulator.VM {
	t.Helper()
	for _, vm := range site.VMs {
		if vm.Role == role {
			return vm
		}
	}
	t.Fatalf("no VM has role %q", role)
	return nil
}

// flow is a firewall line: vm opens a connection to the outside.
func flow(vm *simulator.VM, port int, dst string) string {
	return fmt.Sprintf("<13>%s %s dfwpktlogs: %s INET match PASS domain-c8/1005 OUT 60 TCP %s/%d->%s S",
		time.Now().UTC().Format(stamp), vm.Host, vm.VIF[len(vm.VIF)-8:], vm.Address, port, dst)
}
