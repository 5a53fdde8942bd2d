package forward_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
)

// checkRange fails unless the far stream has the events from..to-1 of a test,
// once each.
func (u *uplinkRig) checkRange(from, to int) {
	u.t.Helper()
	got := map[string]int{}
	for _, ev := range events(u.t, u.far.connect(), forward.EventsStream) {
		got[ev.Raw]++
	}
	for n := from; n < to; n++ {
		if raw := flow(n).Raw; got[raw] != 1 {
			u.t.Fatalf("event %d is stored %d times", n, got[raw])
		}
	}
	if len(got) != to-from {
		u.t.Errorf("%d events at the far server, want %d", len(got), to-from)
	}
}

// A far server that comes back empty, as after the loss of its disk, gets
// streams anew and what is copied from then on; the uplink needs no start.
func TestUplinkFarServerReplaced(t *testing.T) {
	t.Parallel()
	for _, busy := range []bool{false, true} {
		t.Run(map[bool]string{false: "idle", true: "busy"}[busy], func(t *testing.T) {
			u := newUplinkRig(t, forward.Options{DuplicateWindow: 100 * time.Millisecond, AckTimeout: 200 * time.Millisecond})
			u.publish(0, 30)
			u.settled(31)
			u.far.stop()
			if busy {
				u.publish(30, 60)
				poll(t, "messages in flight", func() bool { return u.up.Stats().Waiting > 0 })
			}
			u.far.opts.StoreDir = t.TempDir()
			u.far.start()
			if !busy {
				poll(t, "the connection", func() bool { return u.up.Health() == nil })
				u.publish(30, 60)
			}
			u.settled(62)
			u.checkRange(30, 60)
		})
	}
}

// A loss of power takes the end of the far stream: what it had acknowledged of
// it is copied again, and nothing twice.
func TestUplinkFarStreamLostItsEnd(t *testing.T) {
	t.Parallel()
	u := newUplinkRig(t, forward.Options{DuplicateWindow: 100 * time.Millisecond, AckTimeout: 200 * time.Millisecond})
	u.publish(0, 20)
	u.settled(21)
	before := filepath.Join(t.TempDir(), "nats")
	u.far.stop()
	if err := os.CopyFS(before, os.DirFS(u.far.opts.StoreDir)); err != nil {
		t.Fatal(err)
	}
	u.far.start()
	u.publish(20, 40)
	u.settled(42)
	u.far.stop()
	u.far.opts.StoreDir = before
	u.far.start()
	u.publish(40, 70)
	poll(t, "the copy", func() bool {
		return u.up.Stats().Waiting == 0 && u.up.Health() == nil && len(stored(t, u.far.connect(), forward.EventsStream)) >= 70
	})
	u.checkRange(0, 70)
}

// What waits, and for how long, is known before the far server was ever there.
func TestUplinkCountsWhatWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t, forward.Options{})
	for n := range 20 {
		r.add(n, n+1)
		r.Packer.Flush()
	}
	r.flush()
	<-time.After(100 * time.Millisecond)
	up := r.uplinkTo("nats://127.0.0.1:1", forward.Options{})
	poll(t, "a count", func() bool { s := up.Stats(); return s.Waiting == 20 && s.Oldest > 100*time.Millisecond })
}

// While the window is full, what comes is counted, too.
func TestUplinkCountsWhatComes(t *testing.T) {
	t.Parallel()
	u := newUplinkRig(t, forward.Options{WindowMessages: 10})
	u.publish(0, 5)
	u.settled(6)
	u.far.stop()
	u.publish(5, 25)
	poll(t, "an outage", func() bool { return u.up.Stats().Waiting >= 10 })
	u.publish(25, 300)
	poll(t, "a count", func() bool { s := u.up.Stats(); return s.Waiting == 297 && s.Oldest > time.Second })
	u.far.start()
	u.settled(303)
	if s := u.up.Stats(); s.Oldest != 0 || s.Waiting != 0 {
		t.Errorf("after the copy: %+v", s)
	}
}

// A lasting trouble is logged once a minute, not at each attempt.
func TestUplinkLogsTroubleOnce(t *testing.T) {
	t.Parallel()
	log := &journal{}
	o := forward.Options{AckTimeout: 200 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(log, nil))}
	t.Run("password", func(t *testing.T) {
		far, r := farServer(t), newRig(t, o)
		up := r.uplinkTo("nats://agent:pw@"+far.opts.Listen, o)
		r.add(0, 1)
		r.flush()
		poll(t, "a copy", func() bool { return up.Stats().Copied == 1 })
		password := func(s string) {
			far.stop()
			if err := os.WriteFile(far.opts.UsersFile, []byte(`{"users": [{"name": "agent", "password": "`+s+`", "role": "admin"}]}`), 0o600); err != nil {
				t.Fatal(err)
			}
			far.start()
		}
		password("another")
		poll(t, "the reason", func() bool {
			err := up.Health()
			return err != nil && strings.Contains(strings.ToLower(err.Error()), "authorization")
		})
		<-time.After(2 * time.Second) // some attempts
		if got := log.count("NATS connection"); got != 1 {
			t.Errorf("%d lines of the log say it:\n%s", got, log)
		}
		password("pw")
		r.add(1, 2)
		r.flush()
		poll(t, "a copy", func() bool { return up.Stats().Copied == 2 && up.Health() == nil })
	})
	t.Run("local server", func(t *testing.T) {
		far, r := farServer(t), newRig(t, o)
		up := r.uplinkTo("nats://agent:pw@"+far.opts.Listen, o)
		r.add(0, 1)
		r.flush()
		poll(t, "a copy", func() bool { return up.Stats().Copied == 1 })
		r.stop()
		poll(t, "trouble", func() bool { return log.count("read the spool") > 0 })
		<-time.After(2 * time.Second)                    // some attempts
		if got := log.count("read the spool"); got > 2 { // of two streams
			t.Errorf("%d lines of the log say it:\n%s", got, log)
		}
		r.start()
		r.add(1, 2)
		r.flush()
		poll(t, "a copy", func() bool { return up.Stats().Copied == 2 })
	})
	t.Run("ring", func(t *testing.T) {
		u := newUplinkRig(t, forward.Options{})
		u.end()
		u.opts.Logger = o.Logger
		js := jetStream(t, u.nc)
		u.publish(0, 20)
		st, err := js.Stream(t.Context(), forward.EventsStream)
		if err != nil {
			t.Fatal(err)
		}
		for seq := uint64(2); seq <= 20; seq += 2 { // many gaps
			if err := st.DeleteMsg(t.Context(), seq); err != nil {
				t.Fatal(err)
			}
		}
		u.begin()
		u.settled(11)
		if got := log.count("the ring removed"); got != 1 || u.up.Stats().Lost != 9 {
			t.Errorf("%d lines of the log, %+v", got, u.up.Stats())
		}
	})
	t.Run("refused", func(t *testing.T) {
		o := o
		o.Refusals = 1
		r := newRig(t, o)
		js := jetStream(t, r.nc)
		st, err := js.Stream(t.Context(), forward.FindingsStream)
		if err != nil {
			t.Fatal(err)
		}
		config := st.CachedInfo().Config
		config.MaxMsgSize = 10
		if _, err := js.UpdateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if err := r.Finding(finding("f", "r1", event.FindingCreate, event.SeverityLow)); err != nil {
				t.Fatal(err)
			}
		}
		r.flush()
		if s := r.pub.Stats(); s.DroppedFindings != 20 || log.count("refused for good") != 1 {
			t.Errorf("%d findings dropped, %d lines of the log", s.DroppedFindings, log.count("refused for good"))
		}
	})
}

// A consumer that is gone, as one is that was not asked for a minute of an
// outage, is no trouble of the spool: there is another at once.
func TestUplinkMakesItsConsumerAgain(t *testing.T) {
	log := &journal{}
	o := forward.Options{Logger: slog.New(slog.NewTextHandler(log, nil))}
	far, r := farServer(t), newRig(t, o)
	up := r.uplinkTo("nats://agent:pw@"+far.opts.Listen, o)
	r.add(0, 1)
	r.flush()
	poll(t, "a copy", func() bool { return up.Stats().Copied == 1 })
	st, err := jetStream(t, r.nc).Stream(t.Context(), forward.EventsStream)
	if err != nil {
		t.Fatal(err)
	}
	for name := range st.ConsumerNames(t.Context()).Name() {
		if err := st.DeleteConsumer(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	r.add(1, 2)
	r.flush()
	poll(t, "the copy", func() bool { return up.Stats().Copied == 2 })
	if got := log.count("read the spool"); got != 0 {
		t.Errorf("the log has trouble of the spool:\n%s", log)
	}
}

// A local server that is lost is told by Health, a metric and, once, the log;
// when it is back, so is the flow.
func TestPublisherWithoutServer(t *testing.T) {
	t.Parallel()
	log := &journal{}
	r := newRig(t, forward.Options{AckTimeout: 200 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(log, nil))})
	r.add(0, 10)
	r.flush()
	r.stop()
	r.add(10, 20)
	r.Packer.Flush()
	poll(t, "trouble", func() bool {
		return r.pub.Health() != nil && r.pub.Stats().Oldest > 2*time.Second && log.count("messages are held up") > 0
	})
	if got := log.count("level=ERROR"); got != 1 {
		t.Errorf("%d errors in the log:\n%s", got, log)
	}
	r.start()
	r.flush()
	poll(t, "an end of it", func() bool { return r.pub.Health() == nil && log.count("messages flow again") == 1 })
	if got := r.pub.Stats().Oldest; got != 0 {
		t.Errorf("the oldest waits %s, of none", got)
	}
	checkOnce(t, events(t, r.nc, forward.EventsStream), 20)
}
