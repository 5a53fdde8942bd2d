package forward_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/broker"
)

// take reads n lines of a sequence and fails on an error.
func take(t *testing.T, n int, o forward.FollowOptions, nc *nats.Conn, ready func()) (lines []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if ready != nil {
		ready()
	}
	for line, err := range forward.Follow(ctx, nc, o) {
		if err != nil {
			t.Fatal(err)
		}
		if lines = append(lines, string(line)); len(lines) == n {
			return lines
		}
	}
	t.Fatalf("got %d lines, want %d", len(lines), n)
	return nil
}

func TestFollowSince(t *testing.T) {
	r := newRig(t, forward.Options{Compression: forward.CompressZstd})
	r.add(0, 1200)
	if err := r.Finding(finding("f1", "r1", event.FindingCreate, event.SeverityLow)); err != nil {
		t.Fatal(err)
	}
	r.flush()
	lines := take(t, 1200, forward.FollowOptions{Events: true, Since: time.Unix(0, 0)}, r.nc, nil)
	for i, line := range lines {
		if ev, err := event.Parse([]byte(line)); err != nil || ev.Raw != flow(i).Raw {
			t.Fatalf("line %d: %v, %s", i, err, line)
		}
	}
	f, err := event.ParseFinding([]byte(take(t, 1, forward.FollowOptions{Since: time.Unix(0, 0)}, r.nc, nil)[0]))
	if err != nil || f.UID != "f1" {
		t.Errorf("got %+v, %v", f, err)
	}
}

// Following goes on where it was when the server went away and came back.
func TestFollowFromNow(t *testing.T) {
	r := newRig(t, forward.Options{})
	r.add(0, 10)
	r.flush()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	lines := make(chan string, 100)
	done := make(chan struct{})
	nc := r.connect()
	go func() {
		defer close(done)
		for line, err := range forward.Follow(ctx, nc, forward.FollowOptions{Events: true}) {
			if err == nil {
				lines <- string(line)
			}
		}
	}()
	poll(t, "the follower", func() bool { // it reads the stream's end before it makes its consumer
		return len(consumers(t, r.nc, forward.EventsStream)) == 1
	})
	next := func(n int) {
		t.Helper()
		r.add(n, n+1)
		r.flush()
		select {
		case line := <-lines:
			if ev, err := event.Parse([]byte(line)); err != nil || ev.Raw != flow(n).Raw {
				t.Errorf("%v, got %s", err, line)
			}
		case <-ctx.Done():
			t.Fatalf("event %d did not come", n)
		}
	}
	next(10)
	next(11)
	r.stop()
	r.start()
	next(12)
	next(13)
	cancel()
	<-done
}

func consumers(t *testing.T, nc *nats.Conn, stream string) (names []string) {
	t.Helper()
	st, err := jetStream(t, nc).Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	list := st.ConsumerNames(t.Context())
	for name := range list.Name() {
		names = append(names, name)
	}
	return names
}

// What a consumer's rights allow is enough to follow.
func TestFollowAsConsumer(t *testing.T) {
	s := newServer(t, broker.Options{Listen: "127.0.0.1:0"})
	ensure(t, s.connect(), forward.Options{})
	pub, k := publisher(t, s.connect(), forward.Options{})
	if err := k.Add(flow(1)); err != nil {
		t.Fatal(err)
	}
	k.Flush()
	if err := pub.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	nc, err := forward.Dial(s.now.Load().ClientURL(), "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	take(t, 1, forward.FollowOptions{Events: true, Since: time.Unix(0, 0)}, nc, nil)
	if got := consumers(t, nc, forward.EventsStream); len(got) != 0 {
		t.Errorf("a consumer is left: %v", got)
	}
}

func TestDialRefused(t *testing.T) {
	_, err := forward.Dial("nats://user:topsecret@127.0.0.1:1", "", "", nil)
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("got %v", err)
	}
}

func TestOpenFindings(t *testing.T) {
	r := newRig(t, forward.Options{})
	send := func(uid, revision string, a event.Activity, s event.Severity) {
		t.Helper()
		if err := r.Finding(finding(uid, revision, a, s)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 300 {
		send(fmt.Sprintf("many%03d", i), "1", event.FindingCreate, event.SeverityLow)
	}
	send("open", "1", event.FindingCreate, event.SeverityLow)
	send("open", "2", event.FindingUpdate, event.SeverityLow)
	send("rose", "1", event.FindingCreate, event.SeverityLow)
	send("rose", "2", event.FindingUpdate, event.SeverityHigh)
	send("closed", "1", event.FindingCreate, event.SeverityLow)
	send("closed", "2", event.FindingClose, event.SeverityLow)
	send("rose and closed", "1", event.FindingCreate, event.SeverityLow)
	send("rose and closed", "2", event.FindingClose, event.SeverityHigh)
	r.flush()
	if _, err := jetStream(t, r.nc).Publish(t.Context(), "vegress.findings.low.x.y", []byte("no finding")); err != nil {
		t.Fatal(err)
	}
	list, left, err := forward.OpenFindings(t.Context(), r.nc)
	if err != nil || left != 1 {
		t.Errorf("%d left, %v", left, err)
	}
	var got []string
	for _, f := range list {
		if !strings.HasPrefix(f.UID, "many") {
			got = append(got, f.UID+" "+f.Revision+" "+f.Severity.String())
		}
	}
	if want := []string{"open 2 low", "rose 2 high"}; !slices.Equal(got, want) || len(list) != 302 {
		t.Errorf("got %d: %v, want 302: %v", len(list), got, want)
	}
}

func TestOpenFindingsWithoutAny(t *testing.T) {
	r := newRig(t, forward.Options{})
	if list, left, err := forward.OpenFindings(t.Context(), r.nc); len(list) != 0 || left != 0 || err != nil {
		t.Errorf("got %v, %d, %v", list, left, err)
	}
}

func ExampleUnpack() {
	body := snappy.Encode(nil, []byte(`{"class_uid":4001}`+"\n"+`{"class_uid":4003}`+"\n"))
	header := nats.Header{"Content-Encoding": {"snappy"}}
	for line, err := range forward.Unpack(header, body) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		fmt.Println(string(line))
	}
	// Output:
	// {"class_uid":4001}
	// {"class_uid":4003}
}

func TestUnpackRefuses(t *testing.T) {
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	bomb := make([]byte, 64<<20)
	tests := []struct {
		name, encoding string
		data           []byte
	}{
		{"unknown encoding", "br", nil},
		{"no snappy", "snappy", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{"no zstd", "zstd", []byte("x")},
		{"snappy bomb", "snappy", snappy.Encode(nil, bomb)},
		{"zstd bomb", "zstd", enc.EncodeAll(bomb, nil)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got error
			for line, err := range forward.Unpack(nats.Header{"Content-Encoding": {tt.encoding}}, tt.data) {
				if err == nil {
					t.Fatalf("got a line of %d bytes", len(line))
				}
				got = err
			}
			if got == nil {
				t.Error("no error")
			}
		})
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add("", []byte("{}\n{}\r\n\n{}"))
	f.Add("snappy", snappy.Encode(nil, []byte("{}\n")))
	f.Add("zstd", []byte{0x28, 0xb5, 0x2f, 0xfd})
	f.Fuzz(func(t *testing.T, encoding string, data []byte) {
		failed := false
		for line, err := range forward.Unpack(nats.Header{"Content-Encoding": {encoding}}, data) {
			if failed {
				t.Error("something comes after an error")
			}
			if failed = err != nil; !failed && (len(line) == 0 || slices.Contains(line, '\n')) {
				t.Errorf("got line %q", line)
			}
		}
	})
}
