package forward_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/broker"
)

// crowded is a rig whose streams may have one consumer, which others took.
func crowded(t *testing.T) *rig {
	t.Helper()
	r := &rig{server: newServer(t, broker.Options{})}
	r.nc = r.connect()
	js := jetStream(t, r.nc)
	for name, subject := range map[string]string{
		forward.EventsStream: "vegress.events.>", forward.FindingsStream: "vegress.findings.>", "KV_" + forward.InventoryBucket: "$KV." + forward.InventoryBucket + ".>",
	} {
		_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}, AllowDirect: true, MaxMsgsPerSubject: 1000, MaxConsumers: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.CreateConsumer(t.Context(), name, jetstream.ConsumerConfig{Durable: "theirs"}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestConsumersTaken(t *testing.T) {
	r := crowded(t)
	o := forward.Options{AckTimeout: time.Second}
	js := jetStream(t, r.nc)
	for _, name := range []string{forward.EventsStream, forward.FindingsStream} {
		if _, err := js.CreateConsumer(t.Context(), name, jetstream.ConsumerConfig{}); err == nil {
			t.Fatalf("%s takes a second consumer", name)
		}
	}
	if _, err := js.Publish(t.Context(), "$KV."+forward.InventoryBucket+".vc1.gone", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	d, err := forward.NewDirectory(t.Context(), r.nc)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := d.Update(t.Context(), nil); n != 1 || err != nil {
		t.Errorf("Update: got %d, %v, want the 1 that is gone", n, err)
	}
	r.pub, r.Packer = publisher(t, r.nc, o)
	for n := range 50 {
		r.add(n, n+1)
		r.Packer.Flush()
		if n%10 == 5 {
			if err := r.nc.ForceReconnect(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.Finding(finding("f1", "1", event.FindingCreate, event.SeverityLow)); err != nil {
		t.Fatal(err)
	}
	r.flush()
	poll(t, "health", func() bool { return r.pub.Health() == nil })
	open, left, err := forward.OpenFindings(t.Context(), r.nc)
	if len(open) != 1 || left != 0 || err != nil {
		t.Errorf("OpenFindings: got %d, %d left, %v", len(open), left, err)
	}
	r.followCrowded(50)
}

// followCrowded reads n events, and wants to hear once of the limit.
func (r *rig) followCrowded(n int) {
	r.t.Helper()
	var list []event.Event
	limits := 0
	for line, err := range forward.Follow(r.t.Context(), r.nc, forward.FollowOptions{Events: true, Since: noon.AddDate(-20, 0, 0)}) {
		if err != nil {
			if !strings.Contains(err.Error(), "consumer limit of stream VEGRESS_EVENTS reached") {
				r.t.Fatal(err)
			}
			limits++
			continue
		}
		ev, err := event.Parse(line)
		if err != nil {
			r.t.Fatal(err)
		}
		if list = append(list, ev); len(list) == n {
			break
		}
	}
	checkOnce(r.t, list, n)
	if limits != 1 {
		r.t.Errorf("told %d times of the limit, want once", limits)
	}
}

// answerOn has the server store its answer to a request on a subject, as a
// client that may only read can, and waits until it is there.
func answerOn(t *testing.T, nc *nats.Conn, stream, request, subject, body string) {
	t.Helper()
	st, err := jetStream(t, nc).Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	before := st.CachedInfo().State.LastSeq
	if err := nc.PublishRequest(request, subject, []byte(body)); err != nil {
		t.Fatal(err)
	}
	poll(t, "the answer in the stream", func() bool {
		info, err := st.Info(t.Context())
		return err == nil && info.State.LastSeq > before
	})
}

func TestForgedFindingsHideNothing(t *testing.T) {
	r := newRig(t, forward.Options{})
	for _, f := range []*event.Finding{
		finding("closed", "1", event.FindingClose, event.SeverityHigh),
		finding("open", "1", event.FindingCreate, event.SeverityHigh),
	} {
		if err := r.Finding(f); err != nil {
			t.Fatal(err)
		}
	}
	r.flush()
	// In all but the headers of the answer it is what closes the open one.
	forged := nats.NewMsg("vegress.ingest.x")
	forged.Header.Set(nats.MsgIdHdr, "open-2")
	forged.Data = finding("open", "2", event.FindingClose, event.SeverityHigh).AppendJSON(nil)
	if _, err := jetStream(t, r.nc).PublishMsg(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	const subject = "vegress.findings.high.egress_unjustified.open"
	answerOn(t, r.nc, forward.FindingsStream, "$JS.API.DIRECT.GET.VEGRESS_INGEST", subject, `{"seq":1}`)
	answerOn(t, r.nc, forward.FindingsStream, "$JS.API.STREAM.MSG.GET.VEGRESS_FINDINGS", subject, `{"seq":1}`)
	open, left, err := forward.OpenFindings(t.Context(), r.nc)
	if err != nil || len(open) != 1 || open[0].UID != "open" || left != 2 {
		t.Errorf("got %v, %d left, %v; want the open one, 2 left", open, left, err)
	}
	lines, refused := 0, 0
	for _, err := range forward.Follow(t.Context(), r.nc, forward.FollowOptions{Since: noon.AddDate(-20, 0, 0)}) {
		if err != nil {
			refused++
		} else {
			lines++
		}
		if lines+refused == 4 {
			break
		}
	}
	if lines != 2 || refused != 2 {
		t.Errorf("Follow: %d findings and %d refused, want 2 and 2", lines, refused)
	}
}

func TestUplinkLeavesOutAnswers(t *testing.T) {
	u := newUplinkRig(t, forward.Options{DuplicateWindow: 100 * time.Millisecond})
	u.publish(0, 10)
	u.settled(11)
	u.end()
	answerOn(t, u.nc, "KV_"+forward.StateBucket, "$JS.API.DIRECT.GET.VEGRESS_FINDINGS", "$KV.vegress_state.uplink.VEGRESS_EVENTS", `{"seq":1}`)
	answerOn(t, u.nc, "KV_"+forward.StateBucket, "$JS.API.STREAM.INFO.NONE", "$KV.vegress_state.uplink.VEGRESS_FINDINGS", ``)
	answerOn(t, u.nc, forward.EventsStream, "$JS.API.STREAM.MSG.GET.VEGRESS_EVENTS", "vegress.events.base_event.0.x", `{"seq":1}`)
	u.publish(10, 20)
	u.begin()
	u.settled(22)
	checkOnce(t, events(t, u.far.connect(), forward.EventsStream), 20)
	if s := u.up.Stats(); s.Foreign != 1 || s.Lost != 0 || s.Copied != 11 || s.Present != 11 {
		t.Errorf("got %+v, want 1 foreign, 11 copied, 11 present", s)
	}
}

func TestLargeEventsAreCut(t *testing.T) {
	const size = 1 << 20
	wide, name := strings.Repeat("\x01", size), event.Intern("text")
	tests := map[string]func(*event.Event){
		"record":            func(ev *event.Event) { ev.Raw = wide },
		"record, not UTF-8": func(ev *event.Event) { ev.Raw = strings.Repeat("\xff", size) },
		"fields":            func(ev *event.Event) { ev.Fields = []event.Field{{ID: name, Value: wide}} },
		"message":           func(ev *event.Event) { ev.Message = wide },
		"names": func(ev *event.Event) {
			ev.Device.Hostname, ev.Src.Hostname, ev.Process.CmdLine, ev.User.Name = wide, wide, wide, wide
		},
	}
	for what, widen := range tests {
		t.Run(what, func(t *testing.T) {
			r := newRig(t, forward.Options{})
			ev := flow(0)
			widen(ev)
			r.Stamp(ev)
			if err := r.Add(ev); err != nil {
				t.Fatal(err)
			}
			r.flush()
			list := events(t, r.nc, forward.EventsStream)
			if s := r.pub.Stats(); len(list) != 1 || s.Dropped.Refused != 0 || s.Forwarded != 1 {
				t.Fatalf("got %d events, %+v", len(list), s)
			}
			got := list[0]
			if _, ok := got.Field(event.Intern("cut_from_bytes")); !ok {
				t.Error("nothing says that it was cut")
			}
			if got.UID != ev.UID || got.Raw == "" || !strings.HasPrefix(ev.Raw, got.Raw) || !got.Time.Equal(ev.Time) || got.Src.Port != ev.Src.Port {
				t.Errorf("got uid %q, %d bytes of the record, %+v", got.UID, len(got.Raw), got.Src)
			}
		})
	}
}

func TestLargeFindingsAreCut(t *testing.T) {
	wide := strings.Repeat("\x01", 200<<10)
	r := newRig(t, forward.Options{})
	evidence := finding("evidence", "1", event.FindingCreate, event.SeverityHigh)
	for i := range event.MaxEvidence {
		evidence.Evidence = append(evidence.Evidence, event.Evidence{UID: fmt.Sprint("e", i), Time: noon, Raw: wide})
	}
	all := finding("all", "1", event.FindingCreate, event.SeverityHigh)
	all.URL, all.Title, all.Explanation, all.Src.Hostname = wide, wide, []string{wide}, wide
	for _, f := range []*event.Finding{evidence, all} {
		if err := r.Finding(f); err != nil {
			t.Fatal(err)
		}
	}
	r.flush()
	open, left, err := forward.OpenFindings(t.Context(), r.nc)
	if len(open) != 2 || left != 0 || err != nil {
		t.Fatalf("got %d, %d left, %v", len(open), left, err)
	}
	if got := open[0].Evidence; len(got) != event.MaxEvidence || got[9].UID != "e9" || got[9].Raw != "" {
		data, _ := json.Marshal(got)
		t.Errorf("evidence: got %.300s", data)
	}
}
