package network_test

import (
	"reflect"
	"testing"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/analytics/endpoint/network"
	"github.com/vegress/vegress/event"
)

// eve is a record with a tuple from the client to the server.
func eve(kind, rest string) string {
	return `{"timestamp":"2026-08-29T12:40:20.250000+0200","flow_id":1,"in_iface":"ens1","event_type":"` + kind +
		`","src_ip":"10.0.1.15","src_port":50123,"dest_ip":"203.0.113.40","dest_port":443,"proto":"TCP",` + rest + `}`
}

const eveTuple = "device=sensor1 dir=2 proto=6 src=10.0.1.15 sport=50123 dst=203.0.113.40 dport=443"

func TestEVEFlows(t *testing.T) {
	const counts = `"flow":{"pkts_toserver":20,"pkts_toclient":41,"bytes_toserver":2548,"bytes_toclient":44140,"start":"2026-08-29T12:40:00.500000+0200","end":"2026-08-29T12:40:12.750000+0200","age":12,"state":"closed","reason":"timeout","alerted":false}`
	const times = " time=2026-08-29T10:40:12.75 start=2026-08-29T10:40:00.5 end=2026-08-29T10:40:12.75"
	flow := eve("flow", counts+`,"app_proto":"tls","tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"state":"closed"}`)
	refused := eve("flow", `"flow":{"pkts_toserver":1,"pkts_toclient":1,"bytes_toserver":60,"bytes_toclient":54,"start":"2026-08-29T12:40:12.750000+0200","end":"2026-08-29T12:40:12.750000+0200"},"tcp":{"tcp_flags":"16","tcp_flags_ts":"02","tcp_flags_tc":"14"}`)
	silent := eve("flow", `"flow":{"pkts_toserver":3,"pkts_toclient":0,"bytes_toserver":180,"bytes_toclient":0},"tcp":{"tcp_flags":"02"}`)
	dropped := eve("flow", `"flow":{"pkts_toserver":3,"bytes_toserver":180,"action":"drop"}`)
	netflow := eve("netflow", `"netflow":{"pkts":20,"bytes":2548,"start":"2026-08-29T12:40:00.500000+0200","end":"2026-08-29T12:40:12.750000+0200","age":12,"min_ttl":64,"max_ttl":64}`)
	d := network.NewEVE()
	events := decode(t, d, flow, "@cee: "+refused, silent, dropped, netflow)
	check(t, events,
		"suricata.flow network_activity/6 status=1 "+eveTuple+" out=2548/20 in=44140/41"+times,
		"suricata.flow network_activity/5 status=2 "+eveTuple+" out=60/1 in=54/1 time=2026-08-29T10:40:12.75 start=2026-08-29T10:40:12.75 end=2026-08-29T10:40:12.75",
		"suricata.flow network_activity/4 status=2 "+eveTuple+" out=180/3 in=0/0 time=2026-08-29T10:40:20.25",
		"suricata.flow network_activity/5 status=2 "+eveTuple+" out=180/3 in=0/0 time=2026-08-29T10:40:20.25",
		"suricata.netflow network_activity/6 "+eveTuple+" out=2548/20 in=0/0"+times,
	)
	for name, want := range map[string]string{"flow.reason": "timeout", "flow.alerted": "false", "tcp.syn": "true", "in_iface": "ens1", "app_proto": "tls"} {
		if got := fields(&events[0], name); !reflect.DeepEqual(got, []string{want}) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if events[0].TCPFlags != 0x1b {
		t.Errorf("TCP flags %#x", events[0].TCPFlags)
	}
}

// The three formats of DNS say the same.
func TestEVEDNS(t *testing.T) {
	const answer = "suricata.dns dns_activity/2 status=1 device=sensor1 dir=3 proto=17 src=10.0.1.15 sport=40000 dst=10.0.0.53 dport=53 query=www.example.com type=A rcode=NOERROR answer=203.0.113.40 time=2026-08-29T10:40:00"
	const asked = "suricata.dns dns_activity/1 device=sensor1 dir=3 proto=17 src=10.0.1.15 sport=40000 dst=10.0.0.53 dport=53 query=www.example.com type=A time=2026-08-29T10:40:00"
	dns := func(swapped bool, rest string) string {
		tuple := `"src_ip":"10.0.1.15","src_port":40000,"dest_ip":"10.0.0.53","dest_port":53`
		if swapped {
			tuple = `"src_ip":"10.0.0.53","src_port":53,"dest_ip":"10.0.1.15","dest_port":40000`
		}
		return `{"timestamp":"2026-08-29T10:40:00Z","event_type":"dns",` + tuple + `,"proto":"UDP","dns":{` + rest + `}}`
	}
	for _, tt := range []struct{ name, record, want string }{
		{"1 query", dns(false, `"type":"query","id":1,"rrname":"www.example.com","rrtype":"A","tx_id":0`), asked},
		{"1 answer", dns(true, `"type":"answer","id":1,"flags":"8180","qr":true,"rcode":"NOERROR","rrname":"www.example.com","rrtype":"A","ttl":60,"rdata":"203.0.113.40"`), answer},
		{"2 answer", dns(true, `"version":2,"type":"answer","id":1,"rcode":"NOERROR","rrname":"www.example.com","rrtype":"A","answers":[{"rrname":"www.example.com","rrtype":"CNAME","ttl":60,"rdata":"edge.example.net"},{"rrname":"edge.example.net","rrtype":"A","ttl":60,"rdata":"203.0.113.40"}],"grouped":{"CNAME":["edge.example.net"]}`), answer},
		{"2 grouped", dns(false, `"version":2,"type":"answer","id":1,"rcode":"NOERROR","rrname":"www.example.com","rrtype":"A","grouped":{"A":["203.0.113.40"],"CNAME":["edge.example.net"]}`), answer},
		{"3 request", dns(false, `"version":3,"type":"request","tx_id":0,"id":1,"flags":"100","rd":true,"opcode":0,"rcode":"NOERROR","queries":[{"rrname":"www.example.com","rrtype":"A"}]`), "suricata.dns dns_activity/1 device=sensor1 dir=3 proto=17 src=10.0.1.15 sport=40000 dst=10.0.0.53 dport=53 query=www.example.com type=A rcode=NOERROR time=2026-08-29T10:40:00"},
		{"3 response", dns(false, `"version":3,"type":"response","tx_id":1,"id":1,"rcode":"NOERROR","queries":[{"rrname":"www.example.com","rrtype":"A"}],"answers":[{"rrname":"www.example.com","rrtype":"A","ttl":60,"rdata":"203.0.113.40"}]`), answer},
	} {
		t.Run(tt.name, func(t *testing.T) { check(t, decode(t, network.NewEVE(), tt.record), tt.want) })
	}
}

func TestEVEOthers(t *testing.T) {
	events := decode(t, network.NewEVE(),
		eve("tls", `"tls":{"subject":"CN=www.example.com","sni":"www.example.com","version":"TLS 1.3","ja3":{"hash":"x"}}`),
		eve("http", `"http":{"hostname":"files.example.com","http_port":8080,"url":"/a?b=1","http_user_agent":"curl/8.5.0","http_method":"PUT","protocol":"HTTP/1.1","status":201,"length":3,"request_headers":[{"name":"Accept","value":"*/*"}]}`),
		eve("http", `"http":{"hostname":"api.example.com","url":"api.example.com:443","http_method":"CONNECT","protocol":"HTTP/1.1","status":"200"}`),
		eve("alert", `"alert":{"action":"allowed","gid":1,"signature_id":2000001,"rev":1,"signature":"LOCAL test","category":"Misc","severity":1},"http":{"hostname":"files.example.com"}`),
		eve("fileinfo", `"fileinfo":{"filename":"/a.bin","gaps":false,"state":"CLOSED","stored":false,"size":3}`),
		`{"timestamp":"2026-08-29T10:40:00Z","host":"probe9","event_type":"stats","stats":{"uptime":5,"capture":{"kernel_packets":7}}}`,
		`{"@timestamp":"2026-08-29T10:40:01Z","host":{"name":"probe9"},"message":"{\"timestamp\":\"2026-08-29T10:40:00Z\",\"event_type\":\"stats\"}"}`,
	)
	check(t, events,
		"suricata.tls network_activity/1 "+eveTuple+" host=www.example.com via=sni time=2026-08-29T10:40:20.25",
		"suricata.http http_activity/7 status=1 "+eveTuple+" host=files.example.com method=PUT url=http://files.example.com:443/a?b=1 version=1.1 code=201 agent=curl/8.5.0 time=2026-08-29T10:40:20.25",
		"suricata.http http_activity/1 status=1 device=sensor1 dir=2 proto=6 src=10.0.1.15 sport=50123 dport=443 host=api.example.com method=CONNECT version=1.1 code=200 time=2026-08-29T10:40:20.25",
		"suricata.alert base_event/0 severity=high "+eveTuple+" message=LOCAL test time=2026-08-29T10:40:20.25",
		"suricata.fileinfo base_event/0 "+eveTuple+" file=/a.bin time=2026-08-29T10:40:20.25",
		"suricata.stats base_event/0 device=probe9 time=2026-08-29T10:40:00",
		"suricata.stats base_event/0 device=sensor1 time=2026-08-29T10:40:00",
	)
	if got := fields(&events[0], "tls.ja3.hash"); !reflect.DeepEqual(got, []string{"x"}) {
		t.Errorf("tls.ja3.hash: %q", got)
	}
	if got := fields(&events[1], "http.request_headers.value"); !reflect.DeepEqual(got, []string{"*/*"}) {
		t.Errorf("headers: %q", got)
	}
}

func TestRefused(t *testing.T) {
	for _, d := range []endpoint.Decoder{network.NewEVE(), network.NewZeek("conn.log"), network.NewProxy()} {
		for _, text := range []string{"{", "[1]", `{"a":`, "x", `{"a":"` + string(make([]byte, endpoint.MaxRecord)) + `"}`} {
			err := d.Decode(endpoint.Record{Text: text}, func(ev *event.Event) { t.Errorf("%T: %.20q became an event", d, text) })
			if err == nil {
				t.Errorf("%T: %.20q is taken", d, text)
			}
		}
	}
}
