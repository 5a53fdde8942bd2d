package forward_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/broker"
)

func config(t *testing.T, js jetstream.JetStream, name string) jetstream.StreamConfig {
	t.Helper()
	st, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return st.CachedInfo().Config
}

func TestEnsure(t *testing.T) {
	s := newServer(t, broker.Options{})
	nc := s.connect()
	js := jetStream(t, nc)
	o := forward.Options{
		Events:   forward.Limit{MaxAge: time.Hour, MaxBytes: 20 << 20},
		Findings: forward.Limit{MaxAge: 2 * time.Hour, MaxBytes: 2 << 20},
	}
	c, err := forward.Ensure(t.Context(), nc, o, 10<<30)
	if err != nil || c.Capped || c.Events != 20<<20 || c.Findings != 2<<20 {
		t.Fatalf("got %+v, %v", c, err)
	}
	ev := config(t, js, forward.EventsStream)
	if ev.Storage != jetstream.FileStorage || ev.Discard != jetstream.DiscardOld || ev.MaxAge != time.Hour ||
		ev.MaxBytes != 20<<20 || ev.Duplicates != 2*time.Minute || ev.Retention != jetstream.LimitsPolicy {
		t.Errorf("events: %+v", ev)
	}
	if in := config(t, js, forward.IngestStream); in.Retention != jetstream.WorkQueuePolicy || in.Discard != jetstream.DiscardNew {
		t.Errorf("ingest: %+v", in)
	}
	for _, bucket := range []string{forward.StateBucket, forward.InventoryBucket} {
		kv, err := js.KeyValue(t.Context(), bucket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kv.PutString(t.Context(), "k", "v"); err != nil {
			t.Error(err)
		}
	}
	if _, err := js.Publish(t.Context(), "vegress.hosts.esx01", []byte("{}")); err != nil {
		t.Error(err)
	}

	// Again, with other limits and what an admin changed: the limits follow,
	// the rest and the data stay.
	ev.Description = "mine"
	if _, err := js.UpdateStream(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	o.Events = forward.Limit{MaxAge: 3 * time.Hour, MaxBytes: 30 << 20}
	if _, err := forward.Ensure(t.Context(), nc, o, 10<<30); err != nil {
		t.Fatal(err)
	}
	ev = config(t, js, forward.EventsStream)
	if ev.MaxAge != 3*time.Hour || ev.MaxBytes != 30<<20 || ev.Description != "mine" {
		t.Errorf("events after a change: %+v", ev)
	}
	st, err := js.Stream(t.Context(), forward.FindingsStream)
	if err != nil || st.CachedInfo().State.Msgs != 1 {
		t.Errorf("data did not stay: %v", err)
	}
	if kv, _ := js.KeyValue(t.Context(), forward.StateBucket); kv != nil {
		if e, err := kv.Get(t.Context(), "k"); err != nil || string(e.Value()) != "v" {
			t.Errorf("state did not stay: %v", err)
		}
	}
}

func TestEnsureCapsAtRoom(t *testing.T) {
	for _, limit := range []int64{0, 20 << 30} {
		s := newServer(t, broker.Options{})
		nc := s.connect()
		const room = 100 << 20
		c, err := forward.Ensure(t.Context(), nc, forward.Options{Events: forward.Limit{MaxBytes: limit}, Findings: forward.Limit{MaxBytes: limit / 10}}, room)
		if err != nil || c.Capped != (limit > 0) || c.Events < room/2 {
			t.Fatalf("got %+v, %v", c, err)
		}
		var sum int64
		for name := range jetStream(t, nc).ListStreams(t.Context()).Info() {
			sum += name.Config.MaxBytes
		}
		if sum > room || sum < room*9/10 {
			t.Errorf("all streams together: %d of %d bytes", sum, room)
		}
	}
}

func TestOptionsValidate(t *testing.T) {
	tests := []struct {
		name string
		o    forward.Options
		want string
	}{
		{"nothing set", forward.Options{}, ""},
		{"all set", forward.Options{Compression: "zstd", Partitions: 16, Events: forward.Limit{MaxAge: time.Hour, MaxBytes: 1 << 30}}, ""},
		{"compression", forward.Options{Compression: "lz4"}, `forward.compression is "lz4"`},
		{"partitions", forward.Options{Partitions: 1000}, "forward.partitions is 1000"},
		{"age", forward.Options{Events: forward.Limit{MaxAge: time.Millisecond}}, "forward.events.max_age is 1ms"},
		{"bytes", forward.Options{Findings: forward.Limit{MaxBytes: 10}}, "forward.findings.max_bytes is 10"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.o.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
