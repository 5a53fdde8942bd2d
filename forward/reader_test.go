package forward

import (
	"context"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/forward/broker"
)

// local starts a server with the streams of o, and connects to it.
func local(t *testing.T, o Options) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	b, err := broker.Start(broker.Options{StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	nc, err := Connect(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if _, err := Ensure(t.Context(), nc, o, 1<<30); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

func put(t *testing.T, js jetstream.JetStream, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if _, err := js.Publish(t.Context(), "vegress.events.base_event.0.x", []byte("{}\n"), jetstream.WithMsgID(fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
	}
}

// Reading to the end comes to its end when the stream loses what waits.
func TestToEndOfWhatIsRemoved(t *testing.T) {
	t.Parallel()
	_, js := local(t, Options{})
	put(t, js, 0, 3*fetchMessages)
	st, err := js.Stream(t.Context(), EventsStream)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*fetchWait)
	defer cancel()
	seen := 0
	err = storedIDs(ctx, js, EventsStream, nil, 0, func(string) {
		if seen++; seen == 1 {
			if err := st.Purge(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil || seen == 0 {
		t.Errorf("%d seen, %v", seen, err)
	}
}
