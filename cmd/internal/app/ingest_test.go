package app

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/ingest"
)

// post sends a body to a service's way in, and gives the status and the
// records that were accepted.
func (s *service) post(path string, body io.Reader, headers ...string) (code, accepted int) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://"+s.adminAddr()+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	var got struct{ Accepted int }
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		s.t.Error(err)
	}
	return answer.StatusCode, got.Accepted
}

// record is a record of source json that is told from all others.
func record(sender string, n int) string {
	return fmt.Sprintf(`{"@timestamp":%q,"message":"record %s-%d end","deep":{"er":[1,null,true]}}`,
		time.Now().UTC().Format(time.RFC3339Nano), sender, n)
}

func records(sender string, from, to int) string {
	var b strings.Builder
	for n := from; n < to; n++ {
		b.WriteString(record(sender, n) + "\n")
	}
	return b.String()
}

func gzipped(text string) *bytes.Buffer {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return &b
}

// TestIngest: what comes by HTTP and by NATS is events with its fields, what is
// no event of its source is a Base Event that says so, and the account adds up.
func TestIngest(t *testing.T) {
	t.Parallel()
	s := start(t, testConfig(t, "", nil))
	if code, n := s.post("/ingest/json?host=WS01.corp.local", strings.NewReader(records("plain", 0, 5))); code != 200 || n != 5 {
		t.Errorf("%d, %d accepted", code, n)
	}
	if code, n := s.post("/ingest/json", gzipped(records("gzip", 0, 700)), "Content-Encoding", "gzip", "X-Vegress-Host", "ws02"); code != 200 || n != 700 {
		t.Errorf("%d, %d accepted", code, n)
	}
	nc, err := nats.Connect(s.broker.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for subject, text := range map[string]string{
		"vegress.ingest.json.ws03":           record("nats", 0),
		"vegress.ingest.json.ws.with.dots":   records("nats", 1, 3) + "no JSON\n",
		"vegress.ingest.from_the_future.ws4": record("nats", 3) + "\n\n" + `{"a":`,
	} {
		if err := nc.Publish(subject, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	a := s.settled(711)
	if a.Received != 711 || a.Forwarded != 711 || a.Joined != 0 {
		t.Errorf("%+v", a)
	}
	s.sendLast()
	hosts, undecoded := map[string]int{}, 0
	seen, uids := map[string]int{}, map[string]bool{}
	readBack(t, s.broker.ClientURL(), func(ev *event.Event) {
		hosts[ev.Device.Hostname]++
		seen[number(ev)]++
		uids[ev.UID] = true
		f, is := ev.Field(fieldUndecoded)
		if is {
			undecoded++
			if f.Value != endpoint.ErrNotJSON.Error() || ev.Message != ev.Raw {
				t.Errorf("%+v", ev)
			}
			return
		}
		if f, _ := ev.Field(event.Intern("deep.er")); f.Value != "1" || ev.Class != event.BaseEvent || ev.LogName != sourceJSON {
			t.Errorf("%+v", ev)
		}
	})
	if undecoded != 2 || hosts["WS01.corp.local"] != 5 || hosts["ws02"] != 700 || hosts["ws.with.dots"] != 3 || hosts["ws4"] != 2 || len(uids) != 711 {
		t.Errorf("%d undecoded, %v, %d uids", undecoded, hosts, len(uids))
	}
	checkNumbered(t, seen, "gzip", 700)
	checkNumbered(t, seen, "nats", 4)
	s.eventually("all acknowledged", func() bool { return s.streamed() == 0 })
}

// streamed is how many messages the stream of telemetry holds.
func (s *service) streamed() uint64 {
	s.t.Helper()
	js, err := jetstream.New(s.conn)
	if err != nil {
		s.t.Fatal(err)
	}
	st, err := js.Stream(s.t.Context(), forward.IngestStream)
	if err != nil {
		s.t.Fatal(err)
	}
	return st.CachedInfo().State.Msgs
}

var _ = ingest.Durable

// connected is the audit event of a connection, in three records.
func connected(n int) []string {
	id := fmt.Sprintf("msg=audit(%d.%03d:%d)", time.Now().Unix(), n%1000, n)
	return []string{
		fmt.Sprintf(`type=SYSCALL %s: arch=c000003e syscall=42 success=yes exit=0 a0=3 items=0 ppid=1 pid=%d auid=1000 uid=1000 comm="curl" exe="/usr/bin/curl" key="record audit-%d end"`, id, 1000+n, n),
		fmt.Sprintf(`type=SOCKADDR %s: saddr=020001BBB9C76C850000000000000000`, id),
		fmt.Sprintf(`type=PROCTITLE %s: proctitle=6375726C`, id),
	}
}

// hurry is publish without waiting for an answer: messages come as close behind
// one another as they can.
func (s *service) hurry(subject, text string) {
	s.t.Helper()
	if err := s.conn.Publish(subject, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// publish stores a message in the stream of telemetry.
func (s *service) publish(subject, text string) {
	s.t.Helper()
	js, err := jetstream.New(s.conn)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := js.Publish(s.t.Context(), subject, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// TestIngestJoins: records of one event come in messages of their own, some
// end late and some never. Each message is acknowledged when no event can come
// of it any more, and the account adds up meanwhile.
func TestIngestJoins(t *testing.T) {
	t.Parallel()
	s := start(t, testConfig(t, "", nil))
	const whole, host = 50, "vegress.ingest.auditd.web01"
	for n := range whole {
		for _, one := range connected(n) {
			s.hurry(host, one)
		}
	}
	s.hurry(host, connected(whole)[0]) // the others never come
	s.hurry(host, "type=EOE msg=audit(1.0:1): ")
	s.hurry(host, "no audit record")
	const all = 3*whole + 3
	checkScrapes(t, s, account{})
	a := s.settled(all)
	if a.Received != all || a.Forwarded != whole+2 || a.Joined != 2*whole+1 {
		t.Errorf("%+v", a)
	}
	s.eventually("all acknowledged", func() bool { return s.streamed() == 0 })
	s.sendLast()
	seen := map[string]int{}
	readBack(t, s.broker.ClientURL(), func(ev *event.Event) {
		seen[number(ev)]++
		if ev.Class == event.NetworkActivity && (ev.Dst.Port != 443 || ev.Device.Hostname != "web01" || !strings.Contains(ev.UID, "-VEGRESS_INGEST.")) {
			t.Errorf("%+v", ev)
		}
	})
	checkNumbered(t, seen, "audit", whole+1)
}

// TestIngestRestart: the service is stopped, hard and in the middle of what
// comes in, while its store acknowledges nothing. What was not acknowledged
// comes again when it starts, under the same uids, and nothing is lost.
func TestIngestRestart(t *testing.T) {
	t.Parallel()
	config := testConfig(t, "", nil)
	s := startWith(t, Options{Config: config, StopWithin: 100 * time.Millisecond})
	const each, audits = 40, 20
	for n := range each {
		s.publish("vegress.ingest.json.ws01", records("first", 10*n, 10*n+10))
	}
	s.settled(10 * each)
	store := s.tapStore()
	store.hold()
	nc, err := nats.Connect(s.broker.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for n := range each {
		if _, err := js.Publish(t.Context(), "vegress.ingest.json.ws01", []byte(records("second", 10*n, 10*n+10))); err != nil {
			t.Fatal(err)
		}
	}
	for n := range audits {
		for _, one := range connected(n) {
			if _, err := js.Publish(t.Context(), "vegress.ingest.auditd.web01", []byte(one)); err != nil {
				t.Fatal(err)
			}
		}
	}
	nc.Close()
	if err := s.stop(); err == nil {
		t.Error("all that was read is acknowledged")
	}
	s.stop = func() error { return nil }
	again := startWith(t, Options{Config: config})
	again.eventually("all is read", func() bool { return again.streamed() == 0 && again.account().InFlight == 0 })
	again.sendLast()
	seen, uids := map[string]int{}, map[string]string{}
	readBack(t, again.broker.ClientURL(), func(ev *event.Event) {
		name := number(ev)
		seen[name]++
		if uid, ok := uids[name]; ok && uid != ev.UID {
			t.Errorf("%s is stored as %s and as %s", name, uid, ev.UID)
		}
		uids[name] = ev.UID
	})
	for sender, n := range map[string]int{"first": 10 * each, "second": 10 * each, "audit": audits} {
		for i := range n {
			if seen[fmt.Sprintf("%s-%d", sender, i)] == 0 {
				t.Fatalf("record %d of %s is lost", i, sender)
			}
		}
	}
	if n := seen["first-0"]; n != 1 {
		t.Errorf("what was acknowledged is stored %d times", n)
	}
}

// TestIngestGate: a reload comes in within a message of many records.
func TestIngestGate(t *testing.T) {
	t.Parallel()
	s := start(t, testConfig(t, "", nil))
	gate, of := &s.collector.gate, s.telemetry.decoding
	const all = 1000
	told, entered := 0, make(chan int, 1)
	gate.Lock()
	take := of.take
	of.take = func(m *machine, ev *event.Event) {
		take(m, ev)
		if told++; told > 1 {
			return
		}
		go func() {
			gate.Lock()
			entered <- told
			gate.Unlock()
		}()
		for gate.TryRLock() { // until the other one waits
			gate.RUnlock()
			runtime.Gosched()
		}
	}
	gate.Unlock()
	s.publish("vegress.ingest.json.ws01", records("gate", 0, all))
	if n := <-entered; n == all {
		t.Errorf("in after all %d records", n)
	}
	s.settled(all)
}

// TestIngestTokenStays: a reload without the way in, which is open until a
// restart, does not take its token away.
func TestIngestTokenStays(t *testing.T) {
	t.Parallel()
	const token = "first-0123456789abcdef"
	config := testConfig(t, write(t, "c.yaml", fmt.Sprintf("ingest: {token_file: %q}\n", write(t, "token", token))), nil)
	s := start(t, config)
	config.Ingest.HTTP, config.Ingest.TokenFile = false, ""
	if err := s.reload(config); err != nil {
		t.Fatal(err)
	}
	if code, _ := s.post("/ingest/json", strings.NewReader("{}")); code != http.StatusUnauthorized {
		t.Errorf("without a token: %d", code)
	}
	if code, _ := s.post("/ingest/json", strings.NewReader("{}"), "Authorization", "Bearer "+token); code != http.StatusOK {
		t.Errorf("with the token: %d", code)
	}
}
