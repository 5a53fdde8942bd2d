package app

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// BenchmarkIngest measures the whole process: CPU time for each record of
// telemetry (Zeek's conn, in JSON), from the request or message to the
// acknowledgement of its event, and how many a second were acknowledged to
// who sent them (sent/s) and as events (events/s):
//
//	go test -run '^$' -bench Ingest -benchtime 300000x ./cmd/internal/app
func BenchmarkIngest(b *testing.B) {
	const many = 500
	for _, bb := range []struct {
		name    string
		records int // of a request or message
		send    func(*testing.B, *process, []byte) (send func(), close func())
	}{
		{"http500", many, byHTTP},
		{"nats100", 100, byNATS},
		{"nats1", 1, byNATS},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p := spawn(b, b.TempDir(), "max_skew: 24h\n")
			body := []byte(strings.Repeat(zeekLine+"\n", bb.records))
			send, end := bb.send(b, p, body)
			defer end()
			before, began := cpuTime(b, p.cmd.Process.Pid), time.Now()
			b.ResetTimer()
			n := 0
			for ; n < b.N; n += bb.records {
				send()
			}
			end()
			sent := time.Since(began)
			for p.account().Forwarded < int64(n) {
				time.Sleep(50 * time.Millisecond)
			}
			b.StopTimer()
			reportCPU(b, p.cmd.Process.Pid, before, int64(n))
			b.ReportMetric(float64(n)/sent.Seconds(), "sent/s")
			b.ReportMetric(float64(n)/time.Since(began).Seconds(), "events/s")
			b.ReportMetric(peakMemory(b, p.cmd.Process.Pid), "peak-MB")
			b.SetBytes(int64(len(zeekLine) + 1))
			p.terminate()
		})
	}
}

func byHTTP(b *testing.B, p *process, body []byte) (send, end func()) {
	return func() {
		answer, err := http.Post("http://"+p.http+"/ingest/zeek?host=sensor", "application/x-ndjson", bytes.NewReader(body))
		if err != nil || answer.StatusCode != http.StatusOK {
			b.Fatalf("%v, %v", answer, err)
		}
		answer.Body.Close()
	}, http.DefaultClient.CloseIdleConnections
}

func byNATS(b *testing.B, p *process, body []byte) (send, end func()) {
	nc, err := nats.Connect(p.nats)
	if err != nil {
		b.Fatal(err)
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(256))
	if err != nil {
		b.Fatal(err)
	}
	var acks []jetstream.PubAckFuture
	settle := func() {
		for _, ack := range acks {
			select {
			case <-ack.Ok():
			case err := <-ack.Err():
				b.Fatal(err)
			}
		}
		acks = acks[:0]
	}
	send = func() {
		ack, err := js.PublishAsync("vegress.ingest.zeek.sensor", body)
		if err != nil {
			b.Fatal(err)
		}
		if acks = append(acks, ack); len(acks) == 256 {
			settle()
		}
	}
	return send, func() { settle(); nc.Close() }
}
