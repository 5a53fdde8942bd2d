package app

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/simulator"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/syslog/server"
	"github.com/vegress/vegress/vsphere/inventory"
)

// BenchmarkWay is the way of a line of BenchmarkService without sockets, queues
// and NATS: collect is its first half, from the bytes of a stream to the
// enriched event, whole also the second, to the event's JSON in a pack; without
// rules is the same with none loaded. One goroutine does it all, so that short
// runs compare versions on a busy machine.
//
//	go test -run '^$' -bench Way -benchtime 50000x -count 20 ./cmd/internal/app
func BenchmarkWay(b *testing.B) {
	estate, vcenter := openEstate(b)
	config, err := configs.Load(write(b, "vegress.yaml", vcenter+estate.Site.Config()), map[string]any{"data_dir": b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	known, err := inventory.Collect(b.Context(), inventory.Options{VCenters: config.VCenters, Roles: config.Roles})
	if err != nil {
		b.Fatal(err)
	}
	stream := captureLoad(b, estate.Site.Seed)
	for _, name := range []string{"collect", "without rules", "whole"} {
		config.Rules.Builtin = name != "without rules"
		p, err := compile(&config)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			sh := benchShard(b, p)
			w := &way{stream: stream, shard: sh, scanner: syslog.NewScanner(0), analyze: name != "collect"}
			c := newCollector([]*shard{sh}, known.Enrich, time.Hour, clock{})
			w.session = c.Open(server.Source{Transport: "tcp"})
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; {
				n += w.read()
			}
		})
	}
}

// benchShard is a shard under a floor of its own.
func benchShard(b *testing.B, p *policy) *shard {
	upper := newFloor(1, p, func(*event.Finding) {})
	go upper.run()
	b.Cleanup(func() { close(upper.in) })
	return newShard(share{}, p, new(jsonOutlet), clock{}, upper.in)
}

// captureLoad is what simulator.Load sends over one connection.
func captureLoad(b *testing.B, seed uint64) []byte {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	got := make(chan []byte, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			close(got)
			return
		}
		defer conn.Close()
		text, _ := io.ReadAll(conn)
		got <- text
	}()
	_, err = simulator.Load(b.Context(), simulator.LoadOptions{Target: "tcp://" + l.Addr().String(), Count: 8192, Seed: seed})
	if err != nil {
		b.Fatal(err)
	}
	return <-got
}

// way is a connection and its shard in one goroutine.
type way struct {
	stream  []byte
	at      int
	scanner *syslog.Scanner
	frames  [server.MaxBatch]syslog.Frame
	lines   [server.MaxBatch]server.Line
	session server.Session
	shard   *shard
	analyze bool
}

// Read gives the stream again and again.
func (w *way) Read(p []byte) (int, error) {
	if w.at == len(w.stream) {
		w.at = 0
	}
	n := copy(p, w.stream[w.at:])
	w.at += n
	return n, nil
}

// read takes what one read brings as far as the benchmark goes.
func (w *way) read() (records int) {
	_, _ = w.scanner.Fill(w)
	for {
		frames := w.scanner.Frames(w.frames[:0])
		if len(frames) == 0 {
			return records
		}
		for i, f := range frames {
			w.lines[i] = server.Line{Text: f.Text}
		}
		w.session.Lines(&server.Batch{Received: time.Now(), Lines: w.lines[:len(frames)]})
		records += len(frames)
		w.drain()
	}
}

func (w *way) drain() {
	for len(w.shard.in) > 0 {
		d := <-w.shard.in
		if w.analyze {
			w.shard.deliver(d)
		} else {
			d.parcel.done()
		}
	}
}

// jsonOutlet makes packs, and throws them away.
type jsonOutlet struct{ pack []byte }

func (o *jsonOutlet) Stamp(ev *event.Event) { ev.UID = "esx-collector-abcdefghij-12345-123" }

func (o *jsonOutlet) Add(ev *event.Event) error {
	if len(o.pack) > 64<<10 {
		o.pack = o.pack[:0]
	}
	o.pack = append(ev.AppendJSON(o.pack), '\n')
	return nil
}

func (o *jsonOutlet) Finding(*event.Finding) error { return nil }
func (o *jsonOutlet) Claim(*forward.Claim)         {}
func (o *jsonOutlet) Tick(time.Time)               {}
func (o *jsonOutlet) Flush()                       {}
