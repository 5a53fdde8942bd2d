package app

import (
	"bufio"
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/simulator"
)

// TestAccount: records received are forwarded, joined, dropped or in flight,
// at every scrape of a service under load; and at the end the account is what
// the stream holds and what was sent.
func TestAccount(t *testing.T) {
	t.Parallel()
	// A piece that a busy machine delays is joined all the same.
	s := startWith(t, Options{Config: testConfig(t, "", nil), PieceWait: time.Minute})
	var truth simulator.Truth
	last := account{}
	for scrapes := 0; scrapes < 10; {
		played := playNights(t, s, &truth)
		for playing := true; playing; scrapes++ {
			last = checkScrapes(t, s, last)
			select {
			case <-played:
				playing = false
			default:
			}
		}
	}
	a := s.settled(int64(truth.Records))
	if a.Received != int64(truth.Records) || a.Joined != int64(truth.Joined()) || a.Forwarded != int64(truth.Events) {
		t.Errorf("%+v; want %d received, %d joined, %d forwarded", a, truth.Records, truth.Joined(), truth.Events)
	}
	checkScrapes(t, s, a)
	s.sendLast()
	events, records := 0, 0
	readBack(t, s.broker.ClientURL(), func(ev *event.Event) {
		events++
		records += 1 + strings.Count(ev.Raw, "\n")
	})
	if events != truth.Events || records != truth.Records {
		t.Errorf("the stream has %d events of %d records, want %d of %d", events, records, truth.Events, truth.Records)
	}
}

// playNights sends two simulated nights at a time, over a connection for each
// sender, and adds what they are to truth. The channel closes at their end.
func playNights(t *testing.T, s *service, truth *simulator.Truth) (played chan struct{}) {
	t.Helper()
	var plays sync.WaitGroup
	for seed := range uint64(2) {
		site, err := simulator.NewSite(simulator.Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		traffic := site.Traffic()
		of := traffic.Truth()
		truth.Records, truth.Events = truth.Records+of.Records, truth.Events+of.Events
		plays.Go(func() {
			if _, err := traffic.Play(t.Context(), simulator.PlayOptions{Targets: s.listeners()}); err != nil {
				t.Error(err)
			}
		})
	}
	played = make(chan struct{})
	go func() { plays.Wait(); close(played) }()
	return played
}

// checkScrapes reads the account by both ways, and holds each against the sum
// and against the one before it: nothing is taken back.
func checkScrapes(t *testing.T, s *service, last account) account {
	t.Helper()
	for _, read := range []func(*testing.T, *service) account{metricsAccount, healthAccount} {
		a := read(t, s)
		sum := a.Forwarded + a.Joined + a.Deduplicated + a.InFlight
		for _, n := range a.Dropped {
			sum += n
		}
		switch {
		case a.Received != sum:
			t.Fatalf("the account does not add up: %+v", a)
		case a.InFlight < 0 || a.InFlight > mostInFlight(s):
			t.Fatalf("in flight beyond its bounds, 0 to %d: %+v", mostInFlight(s), a)
		case a.Received < last.Received || a.Forwarded < last.Forwarded || a.Joined < last.Joined:
			t.Fatalf("a counter went back: %+v after %+v", a, last)
		}
		last = a
	}
	return last
}

// mostInFlight bounds the records within a service: what waits in the queues,
// in a connection's hands, in open packs, and for acknowledgements.
func mostInFlight(s *service) int64 {
	const perPack, connections, classes = forward.PackEvents, 64, 16
	shards, window := len(s.collector.shards), cmp.Or(s.config.Forward.Streams.WindowMessages, 256)
	return int64(shards*(queueLength+1)*maxParcel + connections*maxParcel + shards*classes*perPack + window*perPack)
}

func get(t *testing.T, s *service, path string) *http.Response {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + s.adminAddr() + path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

func healthAccount(t *testing.T, s *service) account {
	t.Helper()
	answer := get(t, s, "/healthz")
	defer answer.Body.Close()
	var body struct {
		Status  string
		Records account
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil || body.Status != "ok" {
		t.Fatalf("/healthz says %q, %v", body.Status, err)
	}
	return body.Records
}

func metricsAccount(t *testing.T, s *service) account {
	t.Helper()
	m := scrapeMetrics(t, s)
	a := account{
		Received: m["vegress_received_records_total"], Forwarded: m["vegress_forwarded_records_total"],
		Joined: m["vegress_joined_records_total"], Deduplicated: m["vegress_deduplicated_records_total"],
		InFlight: m["vegress_in_flight_records"], Dropped: map[string]int64{},
	}
	for name, n := range m {
		if strings.HasPrefix(name, "vegress_dropped_records_total{") {
			a.Dropped[name] = n
		}
	}
	return a
}

// scrapeMetrics reads /metrics: whole values by name and labels.
func scrapeMetrics(t *testing.T, s *service) map[string]int64 {
	t.Helper()
	answer := get(t, s, "/metrics")
	defer answer.Body.Close()
	all := map[string]int64{}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), "} ")
		if ok {
			name += "}"
		} else if name, value, ok = strings.Cut(lines.Text(), " "); !ok {
			continue
		}
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			all[name] = int64(n)
		}
	}
	return all
}
