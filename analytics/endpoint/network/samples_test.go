package network_test

import (
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/analytics/endpoint/network"
	"github.com/vegress/vegress/event"
)

// sample is records of one format, in their order.
type sample struct {
	name    string
	decoder func() endpoint.Decoder
	header  []string
	records []string
}

func zeekDecoder() endpoint.Decoder  { return network.NewZeek("") }
func eveDecoder() endpoint.Decoder   { return network.NewEVE() }
func proxyDecoder() endpoint.Decoder { return network.NewProxy() }

func samples() []sample {
	return []sample{
		{"zeek/tsv", zeekDecoder, zeekHeader, []string{connLine("SF"), connLine("S0")}},
		{"zeek/json/conn", zeekDecoder, nil, []string{`{"_path":"conn","ts":1788000000.5,"uid":"CaB1","id.orig_h":"10.0.1.15","id.orig_p":50123,"id.resp_h":"203.0.113.40","id.resp_p":443,"proto":"tcp","service":"ssl","duration":12.25,"orig_bytes":1500,"resp_bytes":42000,"conn_state":"SF","local_orig":true,"local_resp":false,"missed_bytes":0,"history":"ShADadFf","orig_pkts":20,"orig_ip_bytes":2548,"resp_pkts":41,"resp_ip_bytes":44140}`}},
		{"zeek/json/dns", zeekDecoder, nil, []string{`{"_path":"dns","ts":1788000000.5,"uid":"CaB2","id.orig_h":"10.0.1.15","id.orig_p":40000,"id.resp_h":"10.0.0.53","id.resp_p":53,"proto":"udp","trans_id":4711,"rtt":0.012,"query":"www.example.com","qclass":1,"qclass_name":"C_INTERNET","qtype":1,"qtype_name":"A","rcode":0,"rcode_name":"NOERROR","AA":false,"TC":false,"RD":true,"RA":true,"Z":0,"answers":["edge.example.net","203.0.113.40"],"TTLs":[60.0,60.0],"rejected":false}`}},
		{"zeek/json/http", zeekDecoder, nil, []string{`{"_path":"http","ts":1788000000.5,"uid":"CaB3","id.orig_h":"10.0.1.15","id.orig_p":50300,"id.resp_h":"203.0.113.42","id.resp_p":80,"trans_depth":1,"method":"GET","host":"files.example.com","uri":"/a?b=1","version":"1.1","user_agent":"curl/8.5.0","request_body_len":0,"response_body_len":512,"status_code":200,"status_msg":"OK","tags":[],"resp_fuids":["F7rW"],"resp_mime_types":["text/html"]}`, `{"_path":"ssl","ts":1788000000.5,"id.orig_h":"10.0.1.15","id.orig_p":50301,"id.resp_h":"203.0.113.42","id.resp_p":443,"version":"TLSv13","server_name":"api.example.com","established":true}`, `{"_path":"weird","ts":1788000000.5,"id.orig_h":"10.0.1.15","name":"bad_TCP_checksum","notice":false,"peer":null}`}},
		{"eve/flow", eveDecoder, nil, []string{eve("flow", `"flow":{"pkts_toserver":20,"pkts_toclient":41,"bytes_toserver":2548,"bytes_toclient":44140,"start":"2026-08-29T12:40:00.500000+0200","end":"2026-08-29T12:40:12.750000+0200","age":12,"state":"closed","reason":"timeout","alerted":false},"app_proto":"tls","tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed"}`)}},
		{"eve/dns", eveDecoder, nil, []string{`{"timestamp":"2026-08-29T10:40:00Z","event_type":"dns","src_ip":"10.0.1.15","src_port":40000,"dest_ip":"10.0.0.53","dest_port":53,"proto":"UDP","dns":{"version":3,"type":"response","tx_id":1,"id":1,"rcode":"NOERROR","queries":[{"rrname":"www.example.com","rrtype":"A"}],"answers":[{"rrname":"www.example.com","rrtype":"A","ttl":60,"rdata":"203.0.113.40"}]}}`}},
		{"eve/others", eveDecoder, nil, []string{
			eve("tls", `"tls":{"sni":"www.example.com","version":"TLS 1.3"}`), eve("http", `"http":{"hostname":"files.example.com","url":"/a?b=1","http_user_agent":"curl/8.5.0","http_method":"GET","protocol":"HTTP/1.1","status":200,"length":3}`),
			eve("alert", `"alert":{"action":"allowed","signature_id":2000001,"signature":"LOCAL test","severity":2}`), eve("fileinfo", `"fileinfo":{"filename":"/a.bin","size":3}`), eve("netflow", `"netflow":{"pkts":20,"bytes":2548}`),
		}},
		{"proxy/squid", proxyDecoder, nil, []string{"1788000000.123    180 10.0.1.15 TCP_MISS/200 5120 GET http://www.example.com/a?b=1 - HIER_DIRECT/203.0.113.40 text/html", `1788000000.123   2812 10.0.1.15 TCP_TUNNEL/200 5435 CONNECT www.example.com:443 CORP\jane HIER_DIRECT/203.0.113.40 -`}},
		{"proxy/combined", proxyDecoder, nil, []string{`203.0.113.9 - - [29/Aug/2026:12:40:00 +0200] "POST /login HTTP/2.0" 401 12 "http://ref.example/" "Mozilla/5.0"`, `10.0.1.15 - jane [29/Aug/2026:12:40:00 +0200] "GET http://www.example.com/a HTTP/1.1" 200 512 "-" "curl/8.5.0" TCP_MISS:HIER_DIRECT`}},
		{"proxy/w3c", proxyDecoder, []string{"#Software: SGOS 7.3.9.1", "#Fields: date time time-taken c-ip cs-username sc-filter-result cs-categories cs(Referer) sc-status s-action cs-method rs(Content-Type) cs-uri-scheme cs-host cs-uri-port cs-uri-path cs-uri-query cs-uri-extension cs(User-Agent) s-ip sc-bytes cs-bytes r-ip"}, []string{`2026-08-29 10:40:00 250 10.0.1.15 CORP\jane OBSERVED "Technology/Internet" http://ref.example/ 200 TCP_NC_MISS GET text/html http www.example.com 80 /a ?b=1 - "Mozilla/5.0 (Windows NT 10.0)" 10.0.0.3 5120 410 203.0.113.40`}},
		{"proxy/asim", proxyDecoder, nil, []string{`{"TimeGenerated":"2026-08-29T10:40:01Z","EventStartTime":"2026-08-29T10:39:58Z","EventEndTime":"2026-08-29T10:40:00Z","EventType":"HTTPsession","EventResult":"Success","EventResultDetails":"200","DvcHostname":"gw1","DvcAction":"Allow","SrcIpAddr":"10.0.1.15","SrcPortNumber":50123,"SrcUsername":"CORP\\jane","SrcBytes":2000,"DstIpAddr":"203.0.113.40","DstPortNumber":443,"DstBytes":9000,"Url":"https://www.example.com/a?b=1","HttpRequestMethod":"GET","HttpUserAgent":"curl/8.5.0"}`}},
	}
}

// TestEventsAreOCSF holds an event of each format against its schema.
func TestEventsAreOCSF(t *testing.T) {
	var events []event.Event
	for _, s := range samples() {
		d := s.decoder()
		decode(t, d, s.header...)
		events = append(events, decode(t, d, s.records...)...)
	}
	captured, _ := sampleCapture(t, 1).events(network.PcapOptions{})
	valid(t, append(events, captured...))
}

// What a decoder gives is gone with the next record, but for the text.
func TestEventsDoNotLeak(t *testing.T) {
	for _, s := range samples() {
		d := s.decoder()
		decode(t, d, s.header...)
		first := decode(t, d, s.records[0])
		decode(t, d, s.records...)
		again := decode(t, d, s.records[0])
		if got, want := summary(&again[0]), summary(&first[0]); got != want || len(again[0].Fields) != len(first[0].Fields) {
			t.Errorf("%s: the same record became\n%s\nafter others, and\n%s\nbefore", s.name, got, want)
		}
	}
}

func fuzzDecoder(f *testing.F, kind string, decoder func() endpoint.Decoder) {
	for _, s := range samples() {
		if strings.HasPrefix(s.name, kind) {
			f.Add(strings.Join(append(append([]string{}, s.header...), s.records...), "\n"))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := decoder()
		for line := range strings.SplitSeq(text, "\n") {
			told := 0
			err := d.Decode(endpoint.Record{Text: line, Host: "sensor1"}, func(ev *event.Event) {
				told++
				if ev.Raw != line || ev.Records != 1 || len(ev.Fields) > 1100 || ev.Traffic.BytesIn < 0 || ev.Traffic.BytesOut < 0 {
					t.Errorf("%q became %+v", line, ev)
				}
				if len(ev.URL) > 2*len(line)+64 || len(ev.Dst.Hostname) > len(line)+64 {
					t.Errorf("%q grew: %q %q", line, ev.URL, ev.Dst.Hostname)
				}
				if _, err := ev.Time.MarshalJSON(); err != nil {
					t.Errorf("%q: %v", line, err)
				}
			})
			if err != nil && told > 0 || told > 1 {
				t.Errorf("%q: %d events and %v", line, told, err)
			}
		}
	})
}

func FuzzZeek(f *testing.F)  { fuzzDecoder(f, "zeek", zeekDecoder) }
func FuzzEVE(f *testing.F)   { fuzzDecoder(f, "eve", eveDecoder) }
func FuzzProxy(f *testing.F) { fuzzDecoder(f, "proxy", proxyDecoder) }

func BenchmarkDecode(b *testing.B) {
	for _, s := range samples() {
		b.Run(s.name, func(b *testing.B) {
			d := s.decoder()
			decode(b, d, s.header...)
			record := endpoint.Record{Text: s.records[0], Host: "sensor1"}
			b.SetBytes(int64(len(record.Text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Decode(record, func(*event.Event) {}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// sampleCapture is connections of all kinds, n times.
func sampleCapture(tb testing.TB, n int) *wire {
	tb.Helper()
	w := newWire(tb, false)
	whole, question := hello(tb, "api.example.com", "h2"), dnsMessage(tb, "api.example.com")
	for i := range n {
		w.udp("10.0.1.15:40000", "10.0.0.53:53", question)
		c := w.connect(clientOf(i), "203.0.113.40:443")
		c.say(true, whole, 1400)
		for range 8 {
			c.say(false, make([]byte, 1400), 1400)
			c.say(true, make([]byte, 100), 1400)
		}
		c.close()
		h := w.connect(clientOf(i+1), "203.0.113.40:80")
		h.say(true, []byte("GET /a HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/8.5.0\r\n\r\n"), 1400)
		h.close()
	}
	return w
}
