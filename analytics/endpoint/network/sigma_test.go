package network_test

import (
	"slices"
	"testing"

	"github.com/vegress/vegress/analytics/endpoint/network"
	"github.com/vegress/vegress/analytics/sigma/source"
	"github.com/vegress/vegress/configs/sigma"
	"github.com/vegress/vegress/event"
)

// TestSigma: the events are of the log sources that Sigma's rules ask for, and
// have the fields that the rules name.
func TestSigma(t *testing.T) {
	table, err := source.Load(sigma.Files)
	if err != nil {
		t.Fatal(err)
	}
	zeek, eves, proxy := network.NewZeek(""), network.NewEVE(), network.NewProxy()
	decode(t, proxy, "#Fields: date time c-ip cs-method cs-uri-scheme cs-host cs-uri-path cs-uri-query cs-uri-extension cs(User-Agent) cs(Cookie) cs(Referer) sc-status sc-bytes cs-bytes")
	tests := []struct {
		name   string
		ev     event.Event
		source source.Source
		fields map[string]string
	}{
		{
			"zeek conn", one(t, zeek, `{"_path":"conn","ts":1,"id.orig_h":"10.0.1.15","id.resp_h":"203.0.113.40","id.resp_p":443,"conn_state":"SF"}`),
			source.Source{Product: "zeek", Service: "conn"},
			map[string]string{"id.orig_h": "10.0.1.15", "id.resp_h": "203.0.113.40", "id.resp_p": "443", "conn_state": "SF"},
		},
		{
			"zeek dns", one(t, zeek, `{"_path":"dns","ts":1,"id_orig_h":"10.0.1.15","id_resp_p":53,"query":"www.example.com","qtype_name":"A","answers":["203.0.113.40"],"rejected":false,"Z":0}`),
			source.Source{Product: "zeek", Service: "dns"},
			map[string]string{"query": "www.example.com", "qtype_name": "A", "answers": "203.0.113.40", "id.resp_p": "53", "rejected": "false", "Z": "0"},
		},
		{
			"zeek dns, any", one(t, zeek, `{"_path":"dns","ts":1,"id_orig_h":"10.0.1.15","id_resp_p":53,"query":"www.example.com","qtype_name":"TXT","answers":["TXT 3 abc","203.0.113.40"]}`),
			source.Source{Category: "dns"},
			map[string]string{"query": "www.example.com", "record_type": "TXT", "answer": "TXT 3 abc"},
		},
		{
			"zeek http", one(t, zeek, `{"_path":"http","ts":1,"id":{"orig_h":"10.0.1.15","resp_h":"203.0.113.40","resp_p":80},"method":"GET","host":"www.example.com","uri":"/a.exe","user_agent":"x","status_code":200,"resp_mime_types":["application/x-dosexec"]}`),
			source.Source{Product: "zeek", Service: "http"},
			map[string]string{"uri": "/a.exe", "c-uri": "http://www.example.com/a.exe", "c-useragent": "x", "user_agent": "x", "host": "www.example.com", "method": "GET", "status_code": "200", "resp_mime_types": "application/x-dosexec", "id.resp_h": "203.0.113.40"},
		},
		{
			"zeek http as a proxy's", one(t, zeek, `{"_path":"http","ts":1,"id":{"orig_h":"10.0.1.15","resp_h":"203.0.113.40","resp_p":80},"method":"GET","host":"www.example.com","uri":"/a.exe?b"}`),
			source.Source{Category: "proxy"},
			map[string]string{"c-uri": "http://www.example.com/a.exe?b", "cs-uri-stem": "/a.exe", "c-uri-query": "b", "cs-host": "www.example.com", "cs-method": "GET", "dst_ip": "203.0.113.40"},
		},
		{
			"zeek http of a server", one(t, zeek, `{"_path":"http","ts":1,"id":{"orig_h":"203.0.113.9","resp_h":"10.0.0.7","resp_p":80},"method":"POST","host":"www.example.com","uri":"/x?b=1","referrer":"r","status_code":404}`),
			source.Source{Category: "webserver"},
			map[string]string{"cs-method": "POST", "sc-status": "404", "cs-uri-stem": "/x", "cs-referer": "r"},
		},
		{
			"zeek ssl", one(t, zeek, `{"_path":"ssl","ts":1,"id.orig_h":"10.0.1.15","id.resp_h":"203.0.113.40","server_name":"www.example.com"}`),
			source.Source{Product: "zeek", Service: "ssl"},
			map[string]string{"server_name": "www.example.com"},
		},
		{
			"zeek x509", one(t, zeek, `{"_path":"x509","ts":1,"certificate.serial":"01"}`),
			source.Source{Product: "zeek", Service: "x509"},
			map[string]string{"certificate.serial": "01"},
		},
		{
			"zeek smb_files", one(t, zeek, `{"_path":"smb_files","ts":1,"path":"\\\\a\\b","name":"c"}`),
			source.Source{Product: "zeek", Service: "smb_files"},
			map[string]string{"path": `\\a\b`, "name": "c"},
		},
		{
			"suricata dns", one(t, eves, `{"timestamp":"2026-08-29T10:40:00Z","event_type":"dns","src_ip":"10.0.1.15","dest_ip":"10.0.0.53","dns":{"type":"query","rrname":"www.example.com","rrtype":"TXT"}}`),
			source.Source{Category: "dns"},
			map[string]string{"query": "www.example.com", "record_type": "TXT"},
		},
		{
			"suricata http", one(t, eves, eve("http", `"http":{"hostname":"www.example.com","url":"/a","http_user_agent":"x","http_method":"GET","status":200}`)),
			source.Source{Category: "proxy"},
			map[string]string{"c-uri": "http://www.example.com:443/a", "c-useragent": "x", "sc-status": "200"},
		},
		{
			"squid", one(t, proxy, "1788000000.123 1 10.0.1.15 TCP_DENIED/403 5120 GET http://www.example.com/a.exe?b jane HIER_DIRECT/203.0.113.40 text/html"),
			source.Source{Category: "proxy"},
			map[string]string{"c-uri": "http://www.example.com/a.exe?b", "cs-uri": "http://www.example.com/a.exe?b", "cs-host": "www.example.com", "r-dns": "www.example.com", "cs-method": "GET", "sc-status": "403", "sc-bytes": "5120", "s-action": "TCP_DENIED", "cs-username": "jane", "c-ip": "10.0.1.15"},
		},
		{
			"w3c", one(t, proxy, "2026-08-29 10:40:00 10.0.1.15 GET http www.example.com /a.exe ?b=1 exe curl a=1 http://r/ 200 5120 410"),
			source.Source{Category: "proxy"},
			map[string]string{"c-uri": "http://www.example.com/a.exe?b=1", "c-useragent": "curl", "cs-host": "www.example.com", "cs-bytes": "410", "sc-bytes": "5120", "c-uri-extension": "exe", "cs-cookie": "a=1", "cs-referer": "http://r/", "c-uri-query": "b=1"},
		},
		{
			"asim", one(t, proxy, `{"SrcIpAddr":"10.0.1.15","Url":"https://www.example.com/a","HttpUserAgent":"x","SrcBytes":7,"HttpRequestMethod":"GET","EventResultDetails":"200"}`),
			source.Source{Category: "proxy"},
			map[string]string{"c-uri": "https://www.example.com/a", "c-useragent": "x", "cs-bytes": "7", "sc-status": "200", "r-dns": "www.example.com"},
		},
	}
	view := table.NewView()
	for i := range tests {
		tt := &tests[i]
		ids := view.Look(&tt.ev)
		k := slices.IndexFunc(ids, func(id source.ID) bool { return slices.Contains(table.Select(tt.source), id) })
		if k < 0 {
			t.Errorf("%s: not of %s", tt.name, tt.source)
			continue
		}
		for name, want := range tt.fields {
			if f, ok := view.Value(ids[k], name); !ok || f.Value != want {
				t.Errorf("%s: %s is %q, want %q", tt.name, name, f.Value, want)
			}
		}
	}
}
