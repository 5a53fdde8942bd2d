package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/event"
)

const (
	// maxHeld bounds what all requests together hold in memory, in bytes, and
	// requestBytes is what each holds at least.
	maxHeld      = 64 << 20
	requestBytes = 64 << 10
	// packBytes is the size at which a message takes no further record.
	packBytes = 256 << 10
	// How long a request's body may take, and its storing.
	bodyTimeout  = time.Minute
	storeTimeout = 10 * time.Second
	maxHost      = 255
)

// Access is who may send, and how much at once: Options with the token read.
type Access struct {
	options Options
	token   *[sha256.Size]byte // its hash; nil: none is asked for
}

// shortestToken is the least length of a token.
const shortestToken = 16

// Open reads the token's file. Its errors hold no token.
func (o Options) Open() (*Access, error) {
	a := &Access{options: o}
	if o.TokenFile == "" {
		return a, nil
	}
	text, err := os.ReadFile(o.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("ingest.token_file: %w", err)
	}
	token := bytes.TrimSpace(text)
	if len(token) < shortestToken || bytes.ContainsAny(token, " \t\r\n") {
		return nil, fmt.Errorf("ingest.token_file %q: must hold one token of at least %d characters, without blanks", o.TokenFile, shortestToken)
	}
	sum := sha256.Sum256(token)
	a.token = &sum
	return a, nil
}

// HTTP serves POST /ingest/{source}: it stores the records of a request in
// VEGRESS_INGEST, and answers when they are stored. It is safe for concurrent
// use.
type HTTP struct {
	js      jetstream.JetStream
	sources []string
	access  atomic.Pointer[Access]
	held    atomic.Int64

	records, bytes atomic.Int64
	answers        [len(answerCodes)]atomic.Int64
}

// answerCodes are the statuses of answers.
var answerCodes = [...]int{200, 400, 401, 403, 413, 415, 429, 503}

// NewHTTP makes the handler for these sources over a connection to a server
// with the streams of forward.Ensure.
func NewHTTP(nc *nats.Conn, sources []string, a *Access) (*HTTP, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	h := &HTTP{js: js, sources: sources}
	h.Use(a)
	return h, nil
}

// Use puts another Access in force, for requests that come from now on.
func (h *HTTP) Use(a *Access) { h.access.Store(a) }

// refusal is an error with its status.
type refusal struct {
	code  int
	cause string
	retry int // seconds; 0: not worth it
}

// Error is for package errors.
func (r refusal) Error() string { return r.cause }

// ServeHTTP implements http.Handler; the pattern names the source {source}.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	accepted, err := h.take(w, r)
	answer := struct {
		Accepted int    `json:"accepted"`
		Error    string `json:"error,omitempty"`
	}{Accepted: accepted}
	code := http.StatusOK
	w.Header().Set("Content-Type", "application/json")
	var no refusal
	if errors.As(err, &no) {
		code, answer.Error = no.code, no.cause
		if no.retry > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(no.retry))
		}
		if code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="vegress"`)
		}
	}
	h.records.Add(int64(accepted))
	h.answers[slices.Index(answerCodes[:], code)].Add(1)
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer)
}

// take is the way of one request. Its error is a refusal.
func (h *HTTP) take(w http.ResponseWriter, r *http.Request) (accepted int, err error) {
	a := h.access.Load()
	if err := a.admit(r); err != nil {
		return 0, err
	}
	q := request{http: h, options: a.options}
	if q.source = r.PathValue("source"); !slices.Contains(h.sources, q.source) {
		return 0, refusal{code: 400, cause: "no such source: must be one of " + strings.Join(h.sources, ", ")}
	}
	if q.host = r.URL.Query().Get("host"); q.host == "" {
		q.host = r.Header.Get("X-Vegress-Host")
	}
	if len(q.host) > maxHost {
		return 0, refusal{code: 400, cause: fmt.Sprintf("host is longer than %d bytes", maxHost)}
	}
	defer q.free()
	if err := q.read(w, r); err != nil {
		return 0, err
	}
	return q.store(r.Context())
}

// admit says whether the request may be served at all.
func (a *Access) admit(r *http.Request) error {
	if a.token != nil {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(sum[:], a.token[:]) != 1 {
			return refusal{code: 401, cause: "a bearer token is needed, that of ingest.token_file"}
		}
		return nil
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return refusal{code: 403, cause: "without ingest.token_file only this machine may send"}
	}
	// A page in a browser on this machine is not this machine's word.
	if r.Header.Get("Origin") != "" {
		return refusal{code: 403, cause: "without ingest.token_file no web page may send"}
	}
	return nil
}

// request is one request's records on their way into the stream.
type request struct {
	http    *HTTP
	options Options
	source  string
	host    string
	packs   []*pack
	held    int64
}

// pack is what becomes one message.
type pack struct {
	data    []byte
	records int
}

// reserve takes its part of the memory of all requests.
func (q *request) reserve(n int64) error {
	if q.http.held.Add(n) > maxHeld {
		q.http.held.Add(-n)
		return refusal{code: 503, cause: "too much is being sent at once", retry: 1}
	}
	q.held += n
	return nil
}

func (q *request) free() { q.http.held.Add(-q.held) }

// read takes the whole body in, cut into records, before anything is stored.
func (q *request) read(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength > q.options.MaxBody {
		return tooLong("the body", q.options.MaxBody)
	}
	if err := q.reserve(requestBytes); err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // what cannot set one has none
	body, err := unpack(r.Header.Get("Content-Encoding"), http.MaxBytesReader(w, r.Body, q.options.MaxBody))
	if err != nil {
		return q.unreadable(err)
	}
	counted := &limited{in: body, left: q.options.MaxUnpacked, reserve: q.reserve}
	cutter := Cutter{Limit: int(q.options.MaxRecord)}
	scanner := cutter.Scanner(counted)
	for scanner.Scan() {
		if cutter.Cut {
			return tooLong("a record", q.options.MaxRecord)
		}
		if len(scanner.Bytes()) == 0 {
			continue
		}
		q.add(scanner.Bytes())
	}
	if err := scanner.Err(); err != nil {
		return q.unreadable(err)
	}
	if len(q.packs) == 0 {
		return refusal{code: 400, cause: "no records in the body"}
	}
	q.http.bytes.Add(q.options.MaxUnpacked - counted.left)
	return nil
}

func tooLong(what string, limit int64) error {
	return refusal{code: 413, cause: fmt.Sprintf("%s is longer than %d bytes", what, limit)}
}

// errUnpacked says that a body is unpacked longer than it may be.
var errUnpacked = errors.New("too long unpacked")

// unreadable says what is wrong with a body, with nothing of it.
func (q *request) unreadable(err error) error {
	var no refusal
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &no):
		return no
	case errors.As(err, &long):
		return tooLong("the body", q.options.MaxBody)
	case errors.Is(err, errUnpacked):
		return tooLong("the unpacked body", q.options.MaxUnpacked)
	case errors.Is(err, bufio.ErrTooLong):
		return tooLong("a record", q.options.MaxRecord)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return refusal{code: 400, cause: "the body is no gzip"}
	}
	return refusal{code: 400, cause: "the body cannot be read to its end"}
}

func unpack(encoding string, body io.Reader) (io.Reader, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		return gzip.NewReader(body)
	}
	return nil, refusal{code: 415, cause: "the Content-Encoding must be gzip, or none"}
}

// limited reads no more than left bytes, and says when there are more. It
// reserves what it reads: a record is held before it is whole.
type limited struct {
	in      io.Reader
	left    int64
	reserve func(n int64) error
}

// Read implements io.Reader. It fills p, however small the pieces are that come:
// whoever cuts records looks anew at one that is not whole yet after each Read.
func (l *limited) Read(p []byte) (n int, err error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	for n < len(p) && err == nil {
		var more int
		more, err = l.in.Read(p[n:])
		n += more
		if full := l.reserve(int64(more)); full != nil {
			err = full
		}
	}
	if l.left -= int64(n); l.left < 0 {
		return n, errUnpacked
	}
	return n, err
}

// add puts a record into the latest pack, or into a new one.
func (q *request) add(record []byte) {
	n := len(q.packs)
	if n == 0 || len(q.packs[n-1].data)+len(record) >= packBytes {
		q.packs = append(q.packs, &pack{})
		n++
	}
	p := q.packs[n-1]
	start := len(p.data)
	p.data = append(append(p.data, record...), '\n')
	if record[0] == '{' { // between the parts of an object a line's end says nothing
		for i := start; i < len(p.data)-1; i++ {
			if c := p.data[i]; c == '\n' || c == '\r' {
				p.data[i] = ' '
			}
		}
	}
	p.records++
}

// storeFailed is JetStream's code for a stream that is full.
const storeFailed = 10077

// store publishes the packs in their order, each acknowledged before the next.
func (q *request) store(ctx context.Context) (accepted int, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for _, p := range q.packs {
		msg := &nats.Msg{Subject: Subject(q.source, q.host), Data: p.data, Header: nats.Header{"Content-Type": {"application/x-ndjson"}}}
		if q.host != "" && event.Slug(q.host) != q.host {
			msg.Header.Set(headerHost, strings.Map(printable, q.host))
		}
		if _, err := q.http.js.PublishMsg(ctx, msg); err != nil {
			return accepted, refused(err)
		}
		accepted += p.records
	}
	return accepted, nil
}

// printable keeps what may stand in a header.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

func refused(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == storeFailed {
		return refusal{code: 429, cause: "the stream of what comes in is full", retry: 5}
	}
	return refusal{code: 503, cause: "the store does not acknowledge", retry: 5}
}

// HTTPStats is what an HTTP counted.
type HTTPStats struct {
	Records int64 // stored
	Bytes   int64 // unpacked, of requests that could be read
	Answers map[int]int64
	Held    int64 // bytes of memory, of requests that are not answered yet
}

// Stats reads the counts.
func (h *HTTP) Stats() HTTPStats {
	s := HTTPStats{Records: h.records.Load(), Bytes: h.bytes.Load(), Held: h.held.Load(), Answers: map[int]int64{}}
	for i, code := range answerCodes {
		s.Answers[code] = h.answers[i].Load()
	}
	return s
}
