package forward_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/forward"
)

func TestRingWatch(t *testing.T) {
	r := newRig(t, forward.Options{})
	js := jetStream(t, r.nc)
	st, err := js.Stream(t.Context(), forward.EventsStream)
	if err != nil {
		t.Fatal(err)
	}
	config := st.CachedInfo().Config
	config.MaxMsgs = 10
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	consumer := func(c jetstream.ConsumerConfig) jetstream.Consumer {
		k, err := js.CreateConsumer(t.Context(), forward.EventsStream, c)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	all := consumer(jetstream.ConsumerConfig{Durable: "all"})
	consumer(jetstream.ConsumerConfig{Durable: "none", FilterSubject: "vegress.events.dns_activity.>"})
	consumer(jetstream.ConsumerConfig{Name: "ephemeral"})
	w, err := forward.NewRingWatch(r.nc, nil)
	if err != nil {
		t.Fatal(err)
	}
	publish := func(n int) {
		for i := range n {
			if _, err := js.Publish(t.Context(), "vegress.events.network_activity.0.x", []byte(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := func(n int) {
		b, err := all.Fetch(n)
		if err != nil {
			t.Fatal(err)
		}
		for m := range b.Messages() {
			if err := m.DoubleAck(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	lost := func(want int64) {
		t.Helper()
		if err := w.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := w.Stats()[0]; s.Lost != want || s.Stream != forward.EventsStream {
			t.Errorf("got %+v, want %d lost", s, want)
		}
	}
	lost(0)
	publish(10)
	lost(0)
	read(10)
	publish(10)
	lost(0) // the ring removed only what was read
	publish(5)
	lost(5)
	publish(5)
	read(1) // the gap is behind it before we look
	lost(10)
	read(9)
	publish(10)
	read(10)
	lost(10)
	if s := w.Stats()[0]; s.Messages != 10 || s.Oldest.IsZero() {
		t.Errorf("got %+v", s)
	}
}

// A consumer with a filter loses only while something is pending for it.
func TestRingWatchWithFilter(t *testing.T) {
	r := newRig(t, forward.Options{})
	js := jetStream(t, r.nc)
	st, err := js.Stream(t.Context(), forward.EventsStream)
	if err != nil {
		t.Fatal(err)
	}
	config := st.CachedInfo().Config
	config.MaxMsgs = 4
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	_, err = js.CreateConsumer(t.Context(), forward.EventsStream, jetstream.ConsumerConfig{Durable: "dns", FilterSubject: "vegress.events.dns_activity.>"})
	if err != nil {
		t.Fatal(err)
	}
	w, err := forward.NewRingWatch(r.nc, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		class   string
		n       int
		pending uint64
		lost    int64
	}{{"network_activity", 20, 0, 0}, {"dns_activity", 2, 2, 0}, {"network_activity", 1, 2, 0}, {"dns_activity", 4, 4, 3}} {
		for range step.n {
			if _, err := js.Publish(t.Context(), "vegress.events."+step.class+".0.x", nil); err != nil {
				t.Fatal(err)
			}
		}
		awaitPending(t, st, "dns", step.pending)
		if err := w.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := w.Stats()[0]; s.Lost != step.lost {
			t.Errorf("after %+v: got %d lost", step, s.Lost)
		}
	}
}

// awaitPending waits until a consumer knows what was published: the server
// tells it a moment later.
func awaitPending(t *testing.T, st jetstream.Stream, consumer string, want uint64) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		c, err := st.Consumer(t.Context(), consumer)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.CachedInfo().NumPending; got == want {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("%d messages pending for %s, want %d", got, consumer, want)
		}
		time.Sleep(time.Millisecond)
	}
}
