package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/broker"
	"github.com/vegress/vegress/forward/ingest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 3 * time.Minute

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

var ample = ingest.Options{HTTP: true, MaxBody: 1 << 20, MaxUnpacked: 4 << 20, MaxRecord: 64 << 10}

// rig is a NATS server with the streams, and the way in by HTTP.
type rig struct {
	t    testing.TB
	nc   *nats.Conn
	js   jetstream.JetStream
	http *ingest.HTTP
	url  string
}

// newRig makes one whose streams may take room bytes.
func newRig(t testing.TB, o ingest.Options, room int64) *rig {
	t.Helper()
	b, err := broker.Start(broker.Options{StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	r := &rig{t: t}
	if r.nc, err = forward.Connect(b, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.nc.Close)
	if r.js, err = jetstream.New(r.nc); err != nil {
		t.Fatal(err)
	}
	if _, err := forward.Ensure(t.Context(), r.nc, forward.Options{}, room); err != nil {
		t.Fatal(err)
	}
	access, err := o.Open()
	if err != nil {
		t.Fatal(err)
	}
	if r.http, err = ingest.NewHTTP(r.nc, []string{"json", "zeek"}, access); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /ingest/{source}", r.http)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

type answer struct {
	code     int
	header   http.Header
	text     string
	Accepted int
	Error    string
}

// post sends a body; headers are names and values in turn.
func (r *rig) post(path string, body io.Reader, headers ...string) (a answer) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.url+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	got, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer got.Body.Close()
	text, _ := io.ReadAll(got.Body)
	a.code, a.header, a.text = got.StatusCode, got.Header, string(text)
	if err := json.Unmarshal(text, &a); err != nil && a.code != http.StatusMethodNotAllowed {
		r.t.Errorf("the answer is %q", text)
	}
	return a
}

// stored are the messages in the stream.
func (r *rig) stored() (all []*jetstream.RawStreamMsg) {
	r.t.Helper()
	st, err := r.js.Stream(r.t.Context(), forward.IngestStream)
	if err != nil {
		r.t.Fatal(err)
	}
	state := st.CachedInfo().State
	for seq := state.FirstSeq; seq <= state.LastSeq && state.Msgs > 0; seq++ {
		m, err := st.GetMsg(r.t.Context(), seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func gzipped(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(text)
	_ = w.Close()
	return b.Bytes()
}

func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"n\":%d,\"text\":%q}\n", i, strings.Repeat("x", 100))
	}
	return b.String()
}

// TestAccepted: what is answered with 200 is in the stream, packed, under its
// source and machine.
func TestAccepted(t *testing.T) {
	r := newRig(t, ample, 1<<30)
	for _, c := range []struct {
		path, body string
		headers    []string
		accepted   int
		subject    string
	}{
		{"/ingest/json", lines(3), nil, 3, "vegress.ingest.json._"},
		{"/ingest/json?host=WS01.corp.local", "{}", nil, 1, "vegress.ingest.json.ws01_corp_local"},
		{"/ingest/zeek", "\r\n{\"a\":1}\r\n\n{\"b\":2}\r\n", []string{"X-Vegress-Host", "sensor"}, 2, "vegress.ingest.zeek.sensor"},
		{"/ingest/json", string(gzipped([]byte(lines(5)))), []string{"Content-Encoding", "gzip"}, 5, "vegress.ingest.json._"},
		{"/ingest/json", `[{"a":[{}]}, {"b":"]"},` + "\n {\"c\":\n1}]", []string{"Content-Type", "application/json"}, 3, "vegress.ingest.json._"},
		{"/ingest/json", "{\n \"pretty\": {\n  \"a\": 1 }\n}\n", nil, 1, "vegress.ingest.json._"},
	} {
		got := r.post(c.path, strings.NewReader(c.body), c.headers...)
		all := r.stored()
		last := all[len(all)-1]
		if got.code != 200 || got.Accepted != c.accepted || last.Subject != c.subject || bytes.Count(last.Data, []byte("\n")) != c.accepted {
			t.Errorf("%s: %d %s, stored %s: %q", c.path, got.code, got.text, last.Subject, last.Data)
		}
	}
	before := len(r.stored())
	if got := r.post("/ingest/json", strings.NewReader(lines(8000))); got.code != 200 || got.Accepted != 8000 {
		t.Errorf("%+v", got)
	}
	records := 0
	for _, m := range r.stored()[before:] {
		records += bytes.Count(m.Data, []byte("\n"))
		if len(m.Data) > 256<<10+200 {
			t.Errorf("a message of %d bytes", len(m.Data))
		}
	}
	if st := r.http.Stats(); records != 8000 || st.Records != 8015 || st.Held != 0 || st.Answers[200] != 7 {
		t.Errorf("%d records; %+v", records, st)
	}
}

// TestRefused: what cannot be taken says why, with nothing of what was sent,
// and leaves nothing in the stream.
func TestRefused(t *testing.T) {
	r := newRig(t, ample, 1<<30)
	bomb := gzipped(bytes.Repeat([]byte("{\"a\":1}\n"), 1<<20))
	if len(bomb) > 1<<20 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	const secret = "s3cret-text"
	for _, c := range []struct {
		name, path, body string
		headers          []string
		code             int
		cause            string
	}{
		{"source", "/ingest/" + secret, "{}", nil, 400, "json, zeek"},
		{"empty", "/ingest/json", "\n\r\n", nil, 400, "no records"},
		{"host", "/ingest/json?host=" + strings.Repeat("h", 300), "{}", nil, 400, "host"},
		{"encoding", "/ingest/json", "{}", []string{"Content-Encoding", "br"}, 415, "gzip"},
		{"no gzip", "/ingest/json", secret + lines(1), []string{"Content-Encoding", "gzip"}, 400, "no gzip"},
		{"cut gzip", "/ingest/json", string(gzipped([]byte(lines(100)))[:60]), []string{"Content-Encoding", "gzip"}, 400, "to its end"},
		{"long body", "/ingest/json", strings.Repeat("{}\n", 400_000), nil, 413, "the body is longer than 1048576"},
		{"bomb", "/ingest/json", string(bomb), []string{"Content-Encoding", "gzip"}, 413, "the unpacked body is longer than 4194304"},
		{"endless line", "/ingest/json", "{}\n" + secret + strings.Repeat("x", 70_000), nil, 413, "a record is longer than 65536"},
		{"long object", "/ingest/json", "{\n" + secret + strings.Repeat("x", 70_000), nil, 413, "a record is longer than 65536"},
		{"web page", "/ingest/json", "{}", []string{"Origin", "https://example.com"}, 403, "web page"},
	} {
		got := r.post(c.path, strings.NewReader(c.body), c.headers...)
		if got.code != c.code || !strings.Contains(got.Error, c.cause) || strings.Contains(got.text, secret) || got.Accepted != 0 {
			t.Errorf("%s: %d %s", c.name, got.code, got.text)
		}
	}
	// Its length is not known before: the limit is met on the way.
	if got := r.post("/ingest/json", io.MultiReader(strings.NewReader(strings.Repeat("{}\n", 400_000)))); got.code != 413 {
		t.Errorf("chunked: %d %s", got.code, got.text)
	}
	if n := len(r.stored()); n != 0 || r.http.Stats().Held != 0 {
		t.Errorf("%d messages are stored; %+v", n, r.http.Stats())
	}
	if got, err := http.Get(r.url + "/ingest/json"); err != nil || got.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v, %v", got, err)
	} else {
		got.Body.Close()
		http.DefaultClient.CloseIdleConnections()
	}
}

// TestLyingLength: a body that ends before its length is refused, though all
// lines that came are good.
func TestLyingLength(t *testing.T) {
	r := newRig(t, ample, 1<<30)
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /ingest/json HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n%s", lines(2))
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(conn)
	if !bytes.HasPrefix(text, []byte("HTTP/1.1 400")) || len(r.stored()) != 0 {
		t.Errorf("%s", text)
	}
}

// TestToken: only who bears the token may send, whoever it is; another token
// is in force from the moment that it is read.
func TestToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	const first, second = "0123456789abcdef-first", "0123456789abcdef-second"
	token := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	token(first + "\n")
	o := ample
	o.TokenFile = file
	r := newRig(t, o, 1<<30)
	check := func(bearer string, code int) {
		t.Helper()
		got := r.post("/ingest/json", strings.NewReader("{}"), "Authorization", bearer)
		if got.code != code || code == 401 && got.header.Get("WWW-Authenticate") == "" || strings.Contains(got.text, "0123456789") {
			t.Errorf("%q: %d %s", bearer, got.code, got.text)
		}
	}
	check("", 401)
	check("Bearer "+first, 200)
	check("bearer "+first, 200)
	check("Basic "+first, 401)
	check("Bearer "+first+"x", 401)
	check("Bearer", 401)
	token(second)
	access, err := o.Open()
	if err != nil {
		t.Fatal(err)
	}
	r.http.Use(access)
	check("Bearer "+first, 401)
	check("Bearer "+second, 200)
	for _, text := range []string{"", "short", "0123456789 0123456789"} {
		token(text)
		if _, err := o.Open(); err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestOnlyThisMachine: without a token, nobody else may send.
func TestOnlyThisMachine(t *testing.T) {
	r := newRig(t, ample, 1<<30)
	for peer, code := range map[string]int{"127.0.0.1:9": 200, "[::1]:9": 200, "[::ffff:127.0.0.1]:9": 200, "192.0.2.1:9": 403, "[2001:db8::1]:9": 403, "": 403} {
		request := httptest.NewRequest(http.MethodPost, "/ingest/json", strings.NewReader("{}"))
		request.RemoteAddr = peer
		request.SetPathValue("source", "json")
		w := httptest.NewRecorder()
		r.http.ServeHTTP(w, request)
		if w.Code != code {
			t.Errorf("%s: %d", peer, w.Code)
		}
	}
}

// TestFull: a stream that is full says to come again later, and how much of a
// request was taken.
func TestFull(t *testing.T) {
	r := newRig(t, ample, 16<<20) // of which telemetry has 1 MiB
	body := lines(5000)
	var got answer
	for n := 0; n < 20 && got.code != 429; n++ {
		got = r.post("/ingest/json", strings.NewReader(body))
	}
	if got.code != 429 || got.header.Get("Retry-After") == "" || got.Accepted >= 5000 {
		t.Errorf("%d %s", got.code, got.text)
	}
}

// TestNoStore: a store that does not acknowledge gets no 200.
func TestNoStore(t *testing.T) {
	r := newRig(t, ample, 1<<30)
	if err := r.js.DeleteStream(t.Context(), forward.IngestStream); err != nil {
		t.Fatal(err)
	}
	if got := r.post("/ingest/json", strings.NewReader("{}")); got.code != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", got.code, got.text)
	}
	r.nc.Close()
	if got := r.post("/ingest/json", strings.NewReader("{}")); got.code != 503 {
		t.Errorf("%d %s", got.code, got.text)
	}
}

// TestHeld: what a request sent is held before its record is whole, and not
// after its answer.
func TestHeld(t *testing.T) {
	r := newRig(t, ample, 1<<30)
	body, send := io.Pipe()
	var sent sync.WaitGroup
	sent.Go(func() {
		if got := r.post("/ingest/json", body); got.code != 200 {
			t.Errorf("%d %s", got.code, got.text)
		}
	})
	const least, part = 64 << 10, 50 << 10
	_, _ = io.WriteString(send, strings.Repeat("x", part))
	eventually(t, "a part is held", func() bool { return r.http.Stats().Held >= least+part })
	_ = send.Close()
	sent.Wait()
	if n := r.http.Stats().Held; n != 0 {
		t.Errorf("%d bytes are still held", n)
	}
}

// taker keeps messages until it is told to be done with them.
type taker struct {
	mu   sync.Mutex
	open []*ingest.Message
	all  map[string]int // uid -> deliveries
	text []string
	done bool // with each at once
}

func (k *taker) Message(m *ingest.Message) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = map[string]int{}
	}
	k.all[m.UID]++
	for record := range m.Records() {
		k.text = append(k.text, m.Source+" "+m.Host+" "+string(record))
	}
	if k.done {
		m.Done(true)
		return
	}
	k.open = append(k.open, m)
}

func (k *taker) Beat(time.Time) {}

func (k *taker) count() (messages, records int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.all), len(k.text)
}

// read runs a reader until it is stopped.
func (r *rig) read(k *taker) (reader *ingest.Reader, stop func()) {
	r.t.Helper()
	reader, err := ingest.NewReader(r.nc, "Test", slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var both sync.WaitGroup
	both.Go(func() { reader.Run(ctx, k) })
	both.Go(func() { reader.Acknowledge(ctx) })
	return reader, sync.OnceFunc(func() { cancel(); both.Wait() })
}

func (r *rig) publish(subject, encoding string, data []byte) {
	r.t.Helper()
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{}}
	if encoding != "" {
		m.Header.Set("Content-Encoding", encoding)
	}
	if _, err := r.js.PublishMsg(r.t.Context(), m); err != nil {
		r.t.Fatal(err)
	}
}

// TestReader: messages are handed on once, with their machine, and are in the
// stream until they are done; another process gets at once what was not.
func TestReader(t *testing.T) {
	r := newRig(t, ample, 1<<30)
	r.post("/ingest/json?host=WS01.corp.local", strings.NewReader("{\"a\":1}\n{\"b\":2}"))
	r.publish("vegress.ingest.zeek.sensor.corp.local", "", []byte("{}\r\n\n"))
	r.publish("vegress.ingest.zeek", "", []byte("{}"))
	r.publish("vegress.ingest.json.x", "zstd", []byte("no zstd"))
	k := &taker{}
	reader, stop := r.read(k)
	defer stop()
	eventually(t, "all are read", func() bool { n, _ := k.count(); return n == 4 })
	want := []string{`json WS01.corp.local {"a":1}`, `json WS01.corp.local {"b":2}`, `zeek sensor.corp.local {}`, `zeek  {}`, `json x no zstd`}
	if strings.Join(k.text, "\n") != strings.Join(want, "\n") || k.open[3].Err == nil || reader.Stats().Broken != 1 {
		t.Errorf("%q", k.text)
	}
	for uid := range k.all {
		if !strings.HasPrefix(uid, "test-VEGRESS_INGEST.") {
			t.Errorf("uid %s", uid)
		}
	}
	k.open[0].Done(true)
	k.open[2].Done(false)
	eventually(t, "one is acknowledged", func() bool { return len(r.stored()) == 3 })
	if st := reader.Stats(); st.Open != 2 || st.Messages != 4 {
		t.Errorf("%+v", st)
	}
	stop()
	for _, m := range k.open {
		if m.Body != nil {
			t.Errorf("%s keeps its body", m.UID)
		}
	}
	later := &taker{done: true}
	_, stopLater := r.read(later)
	defer stopLater()
	eventually(t, "what was left is read", func() bool { n, _ := later.count(); return n == 3 })
	for uid := range later.all {
		if k.all[uid] != 1 {
			t.Errorf("%s was %d times with the first", uid, k.all[uid])
		}
	}
	eventually(t, "all are acknowledged", func() bool { return len(r.stored()) == 0 })
}

// TestReaderHost: a machine's name is no longer than one can be.
func TestReaderHost(t *testing.T) {
	r := newRig(t, ample, 1<<30)
	m := &nats.Msg{Subject: "vegress.ingest.json.x", Data: []byte("{}"), Header: nats.Header{"Vegress-Host": {strings.Repeat("h", 10_000)}}}
	if _, err := r.js.PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	k := &taker{done: true}
	_, stop := r.read(k)
	defer stop()
	eventually(t, "it is read", func() bool { n, _ := k.count(); return n == 1 })
	if want := "json " + strings.Repeat("h", 255) + " {}"; k.text[0] != want {
		t.Errorf("%q", k.text)
	}
}

// TestReaderComesBack: whoever removes the consumer, or the stream, does not
// end the reading.
func TestReaderComesBack(t *testing.T) {
	r := newRig(t, ample, 1<<30)
	k := &taker{done: true}
	reader, stop := r.read(k)
	defer stop()
	for n, harm := range []func() error{
		func() error { return nil },
		func() error { return r.js.DeleteConsumer(t.Context(), forward.IngestStream, ingest.Durable) },
		func() error { return r.js.DeleteStream(t.Context(), forward.IngestStream) },
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		if _, err := forward.Ensure(t.Context(), r.nc, forward.Options{}, 1<<30); err != nil {
			t.Fatal(err)
		}
		r.publish("vegress.ingest.json.x", "", []byte(strconv.Itoa(n)))
		eventually(t, "message "+strconv.Itoa(n), func() bool { n2, _ := k.count(); return n2 == n+1 })
	}
	if err := reader.Health(); err != nil {
		t.Error(err)
	}
}
