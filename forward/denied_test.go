package forward_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/vegress/vegress/forward"
)

// guarded is a far server whose user agent has only some rights.
type guarded struct {
	t    *testing.T
	opts *natsserver.Options
	ns   *natsserver.Server
}

// documentedRights are those that docs/consuming.md names, where the streams
// have to be made as well.
var documentedRights = []string{
	"vegress.events.>", "vegress.findings.>", "vegress.hosts.>", "$JS.API.STREAM.NAMES",
	"$JS.API.STREAM.INFO.*", "$JS.API.STREAM.CREATE.*",
	"$JS.API.CONSUMER.CREATE.>", "$JS.API.CONSUMER.MSG.NEXT.>", "$JS.API.CONSUMER.DELETE.>",
}

func newGuarded(t *testing.T, rights []string) *guarded {
	t.Helper()
	g := &guarded{t: t, opts: &natsserver.Options{
		Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, NoSigs: true, JetStream: true, StoreDir: t.TempDir(),
	}}
	g.opts.Users = g.users(rights)
	var err error
	if g.ns, err = natsserver.NewServer(g.opts.Clone()); err != nil {
		t.Fatal(err)
	}
	g.ns.Start()
	t.Cleanup(func() { g.ns.Shutdown(); g.ns.WaitForShutdown() })
	if !g.ns.ReadyForConnections(10 * time.Second) {
		t.Fatal("the far server is not ready")
	}
	return g
}

func (g *guarded) users(rights []string) []*natsserver.User {
	return []*natsserver.User{
		{Username: "agent", Password: "pw", Permissions: &natsserver.Permissions{
			Publish:   &natsserver.SubjectPermission{Allow: rights},
			Subscribe: &natsserver.SubjectPermission{Allow: []string{"_INBOX.>"}},
		}},
		{Username: "all", Password: "pw"},
	}
}

// grant gives the user those rights, as an administrator does who has the
// server read its configuration again.
func (g *guarded) grant(rights []string) {
	g.t.Helper()
	o := g.opts.Clone()
	o.Users = g.users(rights)
	if err := g.ns.ReloadOptions(o); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guarded) url(user string) string {
	return strings.Replace(g.ns.ClientURL(), "nats://", "nats://"+user+":pw@", 1)
}

func (g *guarded) connect() *nats.Conn {
	g.t.Helper()
	nc, err := forward.Dial(g.url("all"), "", "", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(nc.Close)
	return nc
}

// journal is a log that tests read.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.buf.String(), text)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// uplinkTo runs an uplink of r until the test ends.
func (r *rig) uplinkTo(url string, o forward.Options) *forward.Uplink {
	up := forward.NewUplink(forward.UplinkOptions{URL: url}, o, r.nc)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- up.Run(ctx) }()
	r.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
	return up
}

func without(rights []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(rights), func(s string) bool { return strings.HasPrefix(s, prefix) })
}

// A far user that lacks a right: it is told by Health and counted, the log has
// it once, and the far server is not asked all the time. Once the right is
// given, everything is copied, once and in order.
func TestUplinkDenied(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		missing string
		most    int64 // denials in two seconds, at most, beside those of the first window
	}{
		{"", 0},
		{"vegress.events", 8},
		{"vegress.findings", 8},
		{"$JS.API.STREAM.NAMES", 8},
		{"$JS.API.STREAM.CREATE", 8},
		{"$JS.API.CONSUMER.CREATE", 0}, // nothing is to be read
	} {
		t.Run("without="+tt.missing, func(t *testing.T) {
			t.Parallel()
			rights := documentedRights
			if tt.missing != "" {
				rights = without(rights, tt.missing)
			}
			far := newGuarded(t, rights)
			log := &journal{}
			o := forward.Options{WindowMessages: 64, DuplicateWindow: 200 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(log, nil))}
			r := newRig(t, o)
			up := r.uplinkTo(far.url("agent"), o)
			const n = 300
			for i := range n {
				r.add(i, i+1)
				r.Packer.Flush()
			}
			if err := r.Finding(finding("f", "r1", 1, 1)); err != nil {
				t.Fatal(err)
			}
			r.flush()
			if tt.most > 0 {
				poll(t, "the reason", func() bool {
					err := up.Health()
					return err != nil && strings.Contains(err.Error(), "the far user lacks a right") && strings.Contains(err.Error(), `"`+tt.missing)
				})
				for range 200 { // all the while
					if err := up.Health(); err == nil || !strings.Contains(err.Error(), tt.missing) {
						t.Fatalf("Health: %v", err)
					}
					<-time.After(10 * time.Millisecond)
				}
				if got := up.Stats().Denied; got > int64(o.WindowMessages)+tt.most || got == 0 {
					t.Errorf("%d denials in two seconds", got)
				}
				if got := log.count("NATS connection"); got != 1 {
					t.Errorf("%d lines of the log say it", got)
				}
				if got := log.count("level=ERROR"); got > 4 {
					t.Errorf("%d errors in the log", got)
				}
				far.grant(documentedRights)
			}
			poll(t, "the copy", func() bool { s := up.Stats(); return s.Waiting == 0 && s.Copied+s.Present == n+1 && up.Health() == nil })
			list := events(t, far.connect(), forward.EventsStream)
			checkOnce(t, list, n)
			for i := range list {
				if want := fmt.Sprintf(": %d INET", i); !strings.Contains(list[i].Raw, want) {
					t.Fatalf("event %d is %q", i, list[i].Raw)
				}
			}
			if t.Failed() {
				t.Logf("%s\n%+v", log, up.Stats())
			}
		})
	}
}
