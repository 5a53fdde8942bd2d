package forward_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
)

func hostBook(t *testing.T, r *rig) *forward.HostBook {
	t.Helper()
	b, err := forward.NewHostBook(t.Context(), r.nc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestHostBook writes what changed, a state at once and numbers from time to
// time, and deletes what is gone, an earlier run's hosts among them.
func TestHostBook(t *testing.T) {
	r := newRig(t, forward.Options{})
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	esx01 := event.HostPath{Host: "esx01.corp.local", VCenter: "vc1", State: event.PathSending, Since: now, Time: now, Rate: 12.5}
	esx02 := event.HostPath{Host: "esx02.corp.local", VCenter: "vc1", State: event.PathNever, Since: now, Time: now}
	twin := event.HostPath{Host: "esx02_corp_local", State: event.PathSending, Since: now, Time: now}
	b := hostBook(t, r)
	step := func(b *forward.HostBook, want int, after time.Duration, all ...event.HostPath) {
		t.Helper()
		if got, err := b.Update(t.Context(), now.Add(after), all); err != nil || got != want {
			t.Errorf("%d changed, %v; want %d", got, err, want)
		}
	}
	step(b, 2, 0, esx01, esx02, twin)
	esx01.Rate = 13
	step(b, 0, time.Second, esx01, esx02)
	esx02.State = event.PathSending
	step(b, 1, 2*time.Second, esx01, esx02)
	step(b, 1, 20*time.Second, esx01, esx02)

	got, err := forward.HostPaths(t.Context(), r.nc)
	if err != nil || len(got) != 2 || got[0].Host != esx01.Host || got[0].Rate != 13 || got[1].State != event.PathSending || !got[0].Since.Equal(now) {
		t.Fatalf("%+v, %v", got, err)
	}

	again := hostBook(t, r)
	step(again, 2, time.Minute, esx02) // written anew, and the other deleted
	if got, err = forward.HostPaths(t.Context(), r.nc); err != nil || len(got) != 1 || got[0].Host != esx02.Host {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestHostPathsOfOthers leaves out what vegress did not write.
func TestHostPathsOfOthers(t *testing.T) {
	r := newRig(t, forward.Options{})
	kv, err := jetStream(t, r.nc).KeyValue(t.Context(), forward.StateBucket)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"host.esx01": `{"host":"esx01","state":"sending"}`,
		"host.esx02": `{"host":"esx01","state":"silent"}`, // under another's key
		"host.esx03": `not JSON`,
		"uplink.X":   `{"host":"X"}`,
	} {
		if _, err := kv.PutString(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	got, err := forward.HostPaths(t.Context(), r.nc)
	if err != nil || len(got) != 1 || got[0].Host != "esx01" || got[0].State != event.PathSending {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestHostPathMessage sends a state as a message of its own, which counts as
// no finding.
func TestHostPathMessage(t *testing.T) {
	r := newRig(t, forward.Options{})
	h := event.HostPath{
		Host: "ESX01.corp.local", State: event.PathSilent, Time: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC),
		Reasons: []string{"No line for 10 minutes."},
	}
	for range 2 { // the same again is the same message
		if err := r.pub.HostPath(&h); err != nil {
			t.Fatal(err)
		}
		r.flush()
	}
	all := stored(t, r.nc, forward.FindingsStream)
	if len(all) != 1 || all[0].Subject != "vegress.hosts.esx01_corp_local" || all[0].Header.Get("ce-type") != "vegress.host.silent" ||
		all[0].Header.Get(nats.MsgIdHdr) == "" {
		t.Fatalf("%d messages: %+v", len(all), all)
	}
	var got event.HostPath
	if err := json.Unmarshal(all[0].Data, &got); err != nil || got.State != event.PathSilent || len(got.Reasons) != 1 {
		t.Errorf("%s: %v", all[0].Data, err)
	}
	if s := r.pub.Stats(); s.Findings != 0 || s.HostPaths != 2 {
		t.Errorf("%+v", s)
	}
	open, left, err := forward.OpenFindings(t.Context(), r.nc)
	if err != nil || len(open)+left != 0 {
		t.Errorf("%d open findings, %d left, %v", len(open), left, err)
	}
}
