package app

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
	"github.com/vegress/vegress/vsphere/ipfix"
)

// replayer is the pipeline in one goroutine. Order is the input's: an event
// stands where its first record stood.
type replayer struct {
	policy   *policy
	decoder  *vsphere.Decoder
	enrich   func(*event.Event)
	analysis *analysis
	floor    *floor
	parser   syslog.Parser
	pieces   syslog.Assembler
	ledger   ledger

	out              *bufio.Writer
	events, findings bool
	line             []byte
	found            []*event.Finding // not written yet
	failed           error

	sources  *sources
	named    *origin   // that of all files; nil: of lines, or to be seen from each file
	auto     bool      // to be seen from each file
	carried  *carried  // records that syslog carries
	decoding *decoding // records that are the lines of a file
	capture  bool      // the files are packet captures
	place    uint64    // ordinal of the record whose events are told
	told     int       // of them

	source  string
	ordinal uint64    // of the latest record, over all files
	latest  time.Time // of the records so far; stands in where a record has no time
	waiting waiting
	summary replaySummary

	flows *ipfix.Decoder // nil: the files hold lines
}

// reach is how many records later the pieces of a record may still come.
const reach = 64

func newReplayer(out io.Writer, flags replayFlags) (*replayer, error) {
	config, err := configs.Load(flags.config, flags.overrides())
	if err != nil {
		return nil, usage(err)
	}
	policy, err := compile(&config)
	if err != nil {
		return nil, usage(err)
	}
	r := &replayer{
		policy:   policy,
		out:      bufio.NewWriterSize(out, 1<<16),
		events:   slices.Contains(flags.output, "events"),
		findings: slices.Contains(flags.output, "findings"),
		decoder:  newDecoder(vsphere.Options{Replay: true}),
		enrich:   func(*event.Event) {},
	}
	r.floor = newFloor(1, policy, r.report)
	r.analysis = newAnalysis(policy, share{of: 1}, r.floor.observe)
	r.openSource(flags.source)
	if flags.inventory == "" {
		return r, nil
	}
	file, err := os.Open(flags.inventory)
	if err != nil {
		return nil, fmt.Errorf("open --inventory: %w", err)
	}
	defer file.Close()
	known, err := readInventory(file, flags.inventory, config.Roles)
	if err != nil {
		return nil, err
	}
	r.enrich = known.Enrich
	return r, nil
}

// file runs the pipeline over one file.
func (r *replayer) file(ctx context.Context, stdin io.Reader, name string, reference time.Time) error {
	in, modified, err := openInput(ctx, stdin, name)
	if err != nil {
		return err
	}
	defer in.Close()
	if reference.IsZero() {
		reference = modified
	}
	r.source = name
	r.parser.Reference = reference
	if r.latest.IsZero() {
		r.latest = reference
	}
	if err := r.read(ctx, in); err != nil {
		return fmt.Errorf("replay %s: %w", name, err)
	}
	return nil
}

// openInput opens a file or standard input, and unpacks gzip. When ctx ends, it
// is closed, also where nobody writes into the pipe that is read.
func openInput(ctx context.Context, stdin io.Reader, name string) (in input, modified time.Time, err error) {
	raw, modified, err := openRaw(stdin, name)
	if err != nil {
		return in, modified, err
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	end := closer(func() error { stop(); return raw.Close() })
	buffered := bufio.NewReaderSize(raw, peekBytes)
	if magic, _ := buffered.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return input{buffered, end}, modified, nil
	}
	unpacked, err := gzip.NewReader(buffered)
	if err != nil {
		return in, modified, errors.Join(fmt.Errorf("unpack %s: %w", name, err), end())
	}
	return input{bufio.NewReaderSize(unpacked, peekBytes), end}, modified, nil
}

// peekBytes is how much of a file can be looked at before it is read.
const peekBytes = 64 << 10

type input struct {
	*bufio.Reader
	io.Closer
}

type closer func() error

// Close is for package io.
func (c closer) Close() error { return c() }

func openRaw(stdin io.Reader, name string) (in io.ReadCloser, modified time.Time, err error) {
	if name == "-" {
		return closable(stdin), time.Now(), nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, modified, fmt.Errorf("open input: %w", err)
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("open input %s: is a folder; name the files in it", name)
	}
	if err != nil {
		return nil, modified, errors.Join(err, file.Close())
	}
	return file, info.ModTime(), nil
}

// closable is standard input with a Close that ends a Read, which that of a
// terminal does not.
func closable(stdin io.Reader) io.ReadCloser {
	out, in := io.Pipe()
	go func() { // ends with its next Read at the latest
		_, err := io.CopyBuffer(in, stdin, make([]byte, 1<<16))
		in.CloseWithError(err)
	}()
	return out
}

// records frames in as a stream is framed, and runs each record through.
func (r *replayer) records(ctx context.Context, in io.Reader) error {
	scanner := syslog.NewScanner(0)
	frames := make([]syslog.Frame, 0, 64)
	for {
		_, err := scanner.Fill(in)
		for {
			frames = scanner.Frames(frames[:0])
			r.take(frames)
			if len(frames) < cap(frames) {
				break
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			r.take(scanner.Rest(frames[:0]))
			return r.failed
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return err
		case r.failed != nil:
			return r.failed
		}
	}
}

func (r *replayer) take(frames []syslog.Frame) {
	for i := range frames {
		r.record(&frames[i])
	}
}

// record is the first half of a record's way. The Assembler's clock goes by
// records, not by time: reach records later, a piece is late.
func (r *replayer) record(frame *syslog.Frame) {
	r.ordinal++
	r.ledger.received.Add(1)
	var m syslog.Message
	r.parser.Parse(frame.Text, &m)
	m.Ordinal = r.ordinal
	m.Received = recordTime(r.ordinal)
	m.Truncated = m.Truncated || frame.Truncated
	r.pieces.Add(&m, r.message)
	r.pieces.Rest(m.Received, r.message)
	r.release(r.ordinal)
}

// recordTime is the Assembler's clock at the n-th record.
func recordTime(n uint64) time.Time {
	return time.Unix(0, int64(n)*int64(syslog.HoldTime/reach))
}

// message makes an event of a whole message. The event waits until all that
// came before it is out.
func (r *replayer) message(m *syslog.Message) {
	r.ledger.message(m)
	if m.Time.IsZero() {
		m.Received = r.latest
	} else {
		m.Received, r.latest = m.Time, m.Time
	}
	r.place, r.told = m.Ordinal, 0
	if of, record := r.sources.inSyslog(m); of != nil {
		r.carried.decode(of, record, m)
		return
	}
	ev := new(event.Event)
	r.decoder.Decode(m, ev)
	r.wait(ev)
}

// wait puts an event of the record at hand to those that wait.
func (r *replayer) wait(ev *event.Event) {
	ev.UID = r.uid(r.place, r.told)
	heap.Push(&r.waiting, waitingEvent{ordinal: r.place, told: r.told, ev: ev})
	r.told++
}

// uid is that of the n-th event of a record, the same in every replay of a
// source.
func (r *replayer) uid(ordinal uint64, n int) string {
	text := r.source + "\x00" + strconv.FormatUint(ordinal, 10)
	if n > 0 {
		text += "\x00" + strconv.Itoa(n)
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// release lets out the events that no record still held can come before.
func (r *replayer) release(now uint64) {
	for len(r.waiting) > 0 && r.waiting[0].ordinal+reach < now {
		r.emit(heap.Pop(&r.waiting).(waitingEvent).ev)
	}
}

// emit is the second half of an event's way: enriched, judged, written, and
// the findings that it made after it.
func (r *replayer) emit(ev *event.Event) {
	r.enrich(ev)
	r.analysis.see(ev, r.judged)
	r.floor.pass(0, r.analysis.watermark)
	r.summary.Events++
	if r.events {
		r.write(ev.AppendJSON(r.line[:0]))
	}
	r.writeFindings()
}

func (r *replayer) report(f *event.Finding) { r.found = append(r.found, f) }

// judged takes a finding of the detectors below the floor.
func (r *replayer) judged(f *event.Finding) {
	r.report(f)
	weigh(f, r.floor.observe)
}

// writeFindings writes what was found since it was last called.
func (r *replayer) writeFindings() {
	for _, f := range r.found {
		r.finding(f)
	}
	r.found = r.found[:0]
}

func (r *replayer) finding(f *event.Finding) {
	r.summary.Findings++
	if r.findings {
		r.write(f.AppendJSON(r.line[:0]))
	}
}

func (r *replayer) write(line []byte) {
	r.line = append(line, '\n')
	if _, err := r.out.Write(r.line); err != nil && r.failed == nil {
		r.failed = fmt.Errorf("write output: %w", err)
	}
}

// finish lets out what is still held, and the last word of each finding.
func (r *replayer) finish() error {
	r.pieces.Flush(r.message)
	r.ordinal++ // behind all records
	r.place, r.told = r.ordinal, 0
	r.carried.flush()
	r.decoding.flush()
	if r.flows != nil {
		r.flows.Close()
	}
	for len(r.waiting) > 0 {
		r.emit(heap.Pop(&r.waiting).(waitingEvent).ev)
	}
	r.analysis.finish(r.judged)
	r.floor.finish()
	r.writeFindings()
	if r.failed != nil {
		return r.failed
	}
	return r.out.Flush()
}

func (r *replayer) summarize(to io.Writer, asJSON bool) error {
	s := r.summary
	s.Records, s.Joined = r.ledger.received.Load(), r.ledger.joined.Load()
	s.Malformed = r.ledger.flawCounts()
	r.countFlows(&s)
	s.Rules = r.countRules()
	r.countSources(&s)
	decoded := r.decoder.Stats()
	maps.DeleteFunc(decoded.Recognized, func(_ string, n uint64) bool { return n == 0 })
	s.Recognized, s.Unknown = decoded.Recognized, decoded.Unknown
	for _, n := range decoded.Plain {
		s.Plain += n
	}
	if asJSON {
		return json.NewEncoder(to).Encode(s)
	}
	var known []string
	for _, program := range slices.Sorted(maps.Keys(s.Recognized)) {
		known = append(known, fmt.Sprintf("%s %d", program, s.Recognized[program]))
	}
	_, err := fmt.Fprintf(to, "%d records, %d events (%d records joined), %d revisions of findings\n", s.Records, s.Events, s.Joined, s.Findings)
	if err == nil && len(known) > 0 {
		_, err = fmt.Fprintf(to, "recognized: %s; other lines of known programs: %d; of unknown programs: %d\n",
			strings.Join(known, ", "), s.Plain, s.Unknown)
	}
	if err == nil {
		_, err = fmt.Fprintln(to, s.Rules)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Sources)) {
		if of := s.Sources[name]; err == nil {
			_, err = fmt.Fprintf(to, "%s: %d records, %d of them no event of it\n", name, of.Records, of.Undecoded)
		}
	}
	if err == nil && s.Flows != nil {
		_, err = fmt.Fprintln(to, s.Flows)
	}
	if err == nil && len(s.Malformed) > 0 {
		_, err = fmt.Fprintf(to, "malformed envelopes: %v\n", s.Malformed)
	}
	return err
}

// waiting is a heap of events by the ordinal of their first record.
type waiting []waitingEvent

type waitingEvent struct {
	ordinal uint64
	told    int // events of that record before it
	ev      *event.Event
}

// Len is for package heap.
func (w waiting) Len() int { return len(w) }

// Less puts the event first whose record stood first.
func (w waiting) Less(i, j int) bool {
	return w[i].ordinal < w[j].ordinal || w[i].ordinal == w[j].ordinal && w[i].told < w[j].told
}

// Swap is for package heap.
func (w waiting) Swap(i, j int) { w[i], w[j] = w[j], w[i] }

// Push is for package heap.
func (w *waiting) Push(x any) { *w = append(*w, x.(waitingEvent)) }

// Pop is for package heap.
func (w *waiting) Pop() any {
	last := len(*w) - 1
	x := (*w)[last]
	*w = (*w)[:last]
	return x
}
