package forward_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/broker"
)

// proxy is a TCP relay to a server that can swallow what the server answers.
type proxy struct {
	listener net.Listener
	target   string
	deaf     atomic.Bool // answers are thrown away

	wg    sync.WaitGroup
	mu    sync.Mutex
	conns map[net.Conn]bool
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) url() string { return "nats://agent:pw@" + p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		s, err := net.Dial("tcp", p.target)
		if err != nil {
			c.Close()
			continue
		}
		p.mu.Lock()
		p.conns[c], p.conns[s] = true, true
		p.mu.Unlock()
		p.wg.Go(func() { p.relay(s, c, nil) })
		p.wg.Go(func() { p.relay(c, s, &p.deaf) })
	}
}

func (p *proxy) relay(dst io.WriteCloser, src io.Reader, deaf *atomic.Bool) {
	defer dst.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if err != nil {
			return
		}
		if deaf != nil && deaf.Load() {
			continue
		}
		if _, err := dst.Write(buf[:n]); err != nil {
			return
		}
	}
}

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

// farServer is a server that an uplink may copy to, as a user with no more
// rights than documented.
func farServer(t testing.TB) *server {
	t.Helper()
	users := filepath.Join(t.TempDir(), "users.json")
	err := os.WriteFile(users, []byte(`{"users": [{"name": "agent", "password": "pw", "role": "admin"}]}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return newServer(t, broker.Options{Listen: "127.0.0.1:0", UsersFile: users})
}

// uplinkRig is a rig with an uplink through a proxy to a far server.
type uplinkRig struct {
	*rig
	far   *server
	proxy *proxy
	opts  forward.Options
	up    *forward.Uplink
	end   func()
}

func newUplinkRig(t testing.TB, o forward.Options) *uplinkRig {
	t.Helper()
	far := farServer(t)
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	u := &uplinkRig{rig: newRig(t, o), far: far, opts: o}
	u.proxy = newProxy(t, far.opts.Listen)
	u.begin()
	t.Cleanup(func() { u.end() })
	return u
}

// begin starts an uplink, as a start of the process does.
func (u *uplinkRig) begin() {
	u.up = forward.NewUplink(forward.UplinkOptions{URL: u.proxy.url()}, u.opts, u.nc)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- u.up.Run(ctx) }()
	u.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			u.t.Errorf("Run: %v", err)
		}
	})
}

// settled waits until the far stream has all that the local one has.
func (u *uplinkRig) settled(n int64) {
	u.t.Helper()
	poll(u.t, "the copy", func() bool {
		s := u.up.Stats()
		return s.Waiting == 0 && s.Copied+s.Present >= n && u.up.Health() == nil
	})
}

// same fails unless the far stream is the local one, message by message.
func (u *uplinkRig) same(stream string) {
	u.t.Helper()
	local, far := stored(u.t, u.nc, stream), stored(u.t, u.far.connect(), stream)
	if len(local) != len(far) {
		u.t.Errorf("%s: %d messages, %d at the far server", stream, len(local), len(far))
	}
	for i := range min(len(local), len(far)) {
		l, f := local[i], far[i]
		if l.Subject != f.Subject || string(l.Data) != string(f.Data) || fmt.Sprint(l.Header) != fmt.Sprint(f.Header) {
			u.t.Fatalf("%s: message %d differs:\n%s %v\n%s %v", stream, i+1, l.Subject, l.Header, f.Subject, f.Header)
		}
	}
}

func (u *uplinkRig) publish(from, to int) {
	u.t.Helper()
	for n := from; n < to; n++ {
		u.add(n, n+1)
		u.Packer.Flush() // a message for each event
	}
	f := finding("f"+fmt.Sprint(to), "r1", event.FindingCreate, event.SeverityLow)
	if err := u.Finding(f); err != nil {
		u.t.Fatal(err)
	}
	u.flush()
}

func TestUplinkCopies(t *testing.T) {
	u := newUplinkRig(t, forward.Options{Compression: forward.CompressZstd})
	js := jetStream(t, u.nc)
	u.publish(0, 50)
	if _, err := js.Publish(t.Context(), "vegress.hosts.esx01", []byte("{}")); err != nil { // no id
		t.Fatal(err)
	}
	u.settled(52)
	u.same(forward.EventsStream)
	checkOnce(t, events(t, u.far.connect(), forward.EventsStream), 50)
	if got := len(stored(t, u.far.connect(), forward.FindingsStream)); got != 2 {
		t.Errorf("got %d findings and hosts, want 2", got)
	}
	u.end()
	u.publish(50, 60)
	u.begin()
	u.settled(11)
	u.same(forward.EventsStream)
	if s := u.up.Stats(); s.Present != 0 || s.Copied != 11 {
		t.Errorf("after a restart: %+v, want 11 copied", s)
	}
}

func TestUplinkOutage(t *testing.T) {
	t.Parallel()
	u := newUplinkRig(t, forward.Options{DuplicateWindow: 200 * time.Millisecond})
	u.publish(0, 30)
	u.settled(31)
	u.far.stop()
	u.publish(30, 300)
	poll(t, "trouble", func() bool { return u.up.Health() != nil })
	u.far.start()
	u.publish(300, 330)
	u.settled(333)
	u.same(forward.EventsStream)
	u.same(forward.FindingsStream)
}

// Acknowledgements lost for longer than the far server remembers ids: what it
// stored meanwhile is not stored again, by this uplink or by the next one.
func TestUplinkLostAcknowledgements(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart=%v", restart), func(t *testing.T) {
			u := newUplinkRig(t, forward.Options{DuplicateWindow: 100 * time.Millisecond, AckTimeout: 200 * time.Millisecond, WindowMessages: 64})
			u.publish(0, 30)
			u.settled(31)
			u.proxy.deaf.Store(true)
			u.publish(30, 300)
			farStream := func() uint64 {
				st, err := jetStream(t, u.far.connect()).Stream(t.Context(), forward.EventsStream)
				if err != nil {
					t.Fatal(err)
				}
				return st.CachedInfo().State.LastSeq
			}
			// How many get there, until the first is overdue, is up to the machine.
			poll(t, "the far server to store", func() bool { return farStream() > 30 })
			<-time.After(500 * time.Millisecond) // five times the window for duplicates
			if got := u.up.Stats().Copied; got > 31 {
				t.Errorf("%d messages count as copied without an acknowledgement", got)
			}
			if restart {
				u.end()
			}
			u.proxy.deaf.Store(false)
			u.proxy.cut() // the stream of answers has a hole
			if restart {
				u.begin()
			}
			u.publish(300, 330)
			poll(t, "the copy", func() bool { return farStream() >= 330 && u.up.Stats().Waiting == 0 })
			u.same(forward.EventsStream)
			u.same(forward.FindingsStream)
			t.Logf("%+v", u.up.Stats())
		})
	}
}

func TestUplinkCountsWhatTheRingRemoved(t *testing.T) {
	t.Parallel()
	u := newUplinkRig(t, forward.Options{})
	js := jetStream(t, u.nc)
	st, err := js.Stream(t.Context(), forward.EventsStream)
	if err != nil {
		t.Fatal(err)
	}
	u.publish(0, 10)
	u.settled(11)
	u.end()
	config := st.CachedInfo().Config
	config.MaxMsgs = 20
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	u.publish(10, 60) // 10..39 are removed
	u.begin()
	u.settled(21)
	if s := u.up.Stats(); s.Lost != 30 || s.Copied != 21 {
		t.Errorf("got %+v, want 30 lost, 21 copied", s)
	}
	if got := len(stored(t, u.far.connect(), forward.EventsStream)); got != 30 {
		t.Errorf("got %d messages at the far server, want 30", got)
	}
}

// A far stream that is full and discards new messages holds the copy up, and
// loses nothing.
func TestUplinkFarStreamFull(t *testing.T) {
	t.Parallel()
	u := newUplinkRig(t, forward.Options{})
	u.publish(0, 5)
	u.settled(6)
	js := jetStream(t, u.far.connect())
	st, err := js.Stream(t.Context(), forward.EventsStream)
	if err != nil {
		t.Fatal(err)
	}
	config := st.CachedInfo().Config
	config.Discard, config.MaxMsgs = jetstream.DiscardNew, 5
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	u.publish(5, 30)
	poll(t, "refusals", func() bool { return u.up.Stats().Resent > 20 })
	config.MaxMsgs = -1
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	u.settled(32)
	checkOnce(t, events(t, u.far.connect(), forward.EventsStream), 30)
	if s := u.up.Stats(); s.Refused != 0 || s.Lost != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestUplinkValidate(t *testing.T) {
	tests := []struct {
		name string
		o    forward.UplinkOptions
		want string
	}{
		{"none", forward.UplinkOptions{}, ""},
		{"one", forward.UplinkOptions{URL: "nats://h:4222"}, ""},
		{"cluster", forward.UplinkOptions{URL: "tls://a:4222,tls://b:4222", CAFile: "ca"}, ""},
		{"no URL", forward.UplinkOptions{URL: "h:4222"}, "h:4222"},
		{"http", forward.UplinkOptions{URL: "http://h"}, "nats://host:port"},
		{"credentials alone", forward.UplinkOptions{CredentialsFile: "c"}, "url"},
		{"secret", forward.UplinkOptions{URL: "http://user:topsecret@h"}, "xxxxx"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.o.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "topsecret") {
				t.Errorf("a password is in the error: %v", err)
			}
		})
	}
}

func TestUplinkThatCannotWork(t *testing.T) {
	r := newRig(t, forward.Options{})
	for _, o := range []forward.UplinkOptions{
		{URL: "nats://127.0.0.1:1", CAFile: "/does/not/exist"},
		{URL: "nats://127.0.0.1:1", CredentialsFile: "/does/not/exist"},
	} {
		u := forward.NewUplink(o, forward.Options{}, r.nc)
		if err := u.Run(t.Context()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%+v: got %v", o, err)
		}
	}
}

// A wrong password, as any refusal, is told and tried again.
func TestUplinkRefusedLogin(t *testing.T) {
	far := farServer(t)
	r := newRig(t, forward.Options{})
	u := forward.NewUplink(forward.UplinkOptions{URL: "nats://agent:topsecret@" + far.opts.Listen}, forward.Options{}, r.nc)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	poll(t, "the reason", func() bool {
		err := u.Health()
		return err != nil && strings.Contains(strings.ToLower(err.Error()), "authorization")
	})
	if err := u.Health(); strings.Contains(err.Error(), "topsecret") {
		t.Errorf("a password is in the error: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A loss of power takes the end of the local stream, not the position beyond
// it: what gets those sequences next is copied, and nothing is copied twice.
func TestUplinkAfterLocalStreamLostItsEnd(t *testing.T) {
	u := newUplinkRig(t, forward.Options{DuplicateWindow: 100 * time.Millisecond})
	u.publish(0, 20)
	u.settled(21)
	before := filepath.Join(t.TempDir(), "nats")
	u.stop()
	if err := os.CopyFS(before, os.DirFS(u.rig.opts.StoreDir)); err != nil {
		t.Fatal(err)
	}
	u.start()
	u.publish(20, 40)
	u.settled(42)
	u.end()
	const key = "uplink." + forward.EventsStream
	kv, err := jetStream(t, u.nc).KeyValue(t.Context(), forward.StateBucket)
	if err != nil {
		t.Fatal(err)
	}
	position, err := kv.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	u.stop()
	u.rig.opts.StoreDir = before
	u.start()
	poll(t, "the position", func() bool {
		_, err := kv.Put(t.Context(), key, position.Value())
		return err == nil
	})
	u.publish(40, 70)
	u.begin()
	u.settled(30)
	checkOnce(t, events(t, u.far.connect(), forward.EventsStream), 70)
	if s := u.up.Stats(); s.Lost != 0 {
		t.Errorf("got %+v", s)
	}
}

// The publisher, too, sends nothing again that the server stored without its
// hearing of it, however long ago.
func TestPublisherLostAcknowledgements(t *testing.T) {
	t.Parallel()
	for _, durability := range []string{broker.Balanced, broker.Strict} {
		t.Run(durability, func(t *testing.T) {
			far := farServer(t)
			far.stop()
			far.opts.Durability = durability
			far.start()
			o := forward.Options{DuplicateWindow: 100 * time.Millisecond, AckTimeout: 200 * time.Millisecond, WindowMessages: 32}
			ensure(t, far.connect(), o)
			p := newProxy(t, far.opts.Listen)
			nc, err := forward.Dial(p.url(), "", "", nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(nc.Close)
			pub, k := publisher(t, nc, o)
			r := &rig{server: far, nc: nc, pub: pub, Packer: k}
			r.add(0, 1000)
			r.flush()
			p.deaf.Store(true)
			added := make(chan struct{})
			go func() {
				defer close(added)
				for n := 1000; n < 5000; n += 10 {
					r.add(n, n+10)
					r.Packer.Flush()
				}
			}()
			poll(t, "the window to fill", func() bool { return pub.Stats().Stalls > 0 })
			<-time.After(400 * time.Millisecond) // four times the window for duplicates
			if s := pub.Stats(); s.Forwarded != 1000 || s.Unacknowledged != 32 || s.Oldest < 300*time.Millisecond {
				t.Errorf("without acknowledgements: %+v", s)
			}
			p.deaf.Store(false)
			p.cut()
			<-added
			r.flush()
			checkOnce(t, events(t, far.connect(), forward.EventsStream), 5000)
			s := pub.Stats()
			if s.ReadBack == 0 || s.Forwarded != 5000 || s.InFlight != 0 {
				t.Errorf("got %+v", s)
			}
			t.Logf("read back %d, redelivered %d, duplicates %d", s.ReadBack, s.Redelivered, s.Duplicates)
		})
	}
}
