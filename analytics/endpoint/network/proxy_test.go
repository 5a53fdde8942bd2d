package network_test

import (
	"reflect"
	"testing"

	"github.com/vegress/vegress/analytics/endpoint/network"
)

func TestProxySquid(t *testing.T) {
	events := decode(t, network.NewProxy(),
		"1788000000.123    180 10.0.1.15 TCP_MISS/200 5120 GET http://www.example.com/a?b=1 - HIER_DIRECT/203.0.113.40 text/html",
		`1788000000.123   2812 10.0.1.15 TCP_TUNNEL/200 5435 CONNECT www.example.com:443 CORP\jane HIER_DIRECT/203.0.113.40 -`,
		"1788000000.123      0 10.0.1.15 TCP_DENIED/403 3900 CONNECT [2001:db8::9]:443 jane HIER_NONE/- text/html",
		"1788000000.123      5 10.0.1.15 TCP_MISS/503 100 POST https://198.51.100.7:8443/x - FIRSTUP_PARENT/10.0.0.4 -",
		`10.0.1.15 - jane [29/Aug/2026:12:40:00 +0200] "GET http://www.example.com/a HTTP/1.1" 200 512 "-" "curl/8.5.0" TCP_MISS:HIER_DIRECT`,
		`203.0.113.9 - - [29/Aug/2026:12:40:00 +0200] "POST /login?next=http://x/ HTTP/2.0" 401 12 "http://ref.example/" "Mozilla/5.0 (X; \"Y\")"`,
		`{"message":"1788000000.123 1 10.0.1.15 TCP_MISS/200 1 GET http://www.example.com/ - HIER_DIRECT/203.0.113.40 -","host":{"name":"proxy1"}}`,
	)
	check(t, events,
		"squid http_activity/3 status=1 device=sensor1 dir=2 proto=6 src=10.0.1.15 dst=203.0.113.40 dport=80 host=www.example.com out=0/0 in=5120/0 method=GET url=http://www.example.com/a?b=1 code=200 time=2026-08-29T10:40:00.123 start=2026-08-29T10:39:59.943 end=2026-08-29T10:40:00.123",
		"squid http_activity/1 status=1 device=sensor1 dir=2 proto=6 src=10.0.1.15 dst=203.0.113.40 dport=443 host=www.example.com out=0/0 in=5435/0 method=CONNECT code=200 user=jane domain=CORP time=2026-08-29T10:40:00.123 start=2026-08-29T10:39:57.311 end=2026-08-29T10:40:00.123",
		"squid http_activity/1 status=2 device=sensor1 dir=2 proto=6 src=10.0.1.15 dst=2001:db8::9 dport=443 out=0/0 in=3900/0 method=CONNECT code=403 user=jane time=2026-08-29T10:40:00.123",
		"squid http_activity/6 status=2 device=sensor1 dir=2 proto=6 src=10.0.1.15 dst=198.51.100.7 dport=8443 out=0/0 in=100/0 method=POST url=https://198.51.100.7:8443/x code=503 time=2026-08-29T10:40:00.123 start=2026-08-29T10:40:00.118 end=2026-08-29T10:40:00.123",
		"squid http_activity/3 status=1 device=sensor1 dir=2 proto=6 src=10.0.1.15 dport=80 host=www.example.com out=0/0 in=512/0 method=GET url=http://www.example.com/a version=1.1 code=200 agent=curl/8.5.0 user=jane time=2026-08-29T10:40:00",
		`access_log http_activity/6 status=2 device=sensor1 dir=1 proto=6 src=203.0.113.9 host=sensor1 out=0/0 in=12/0 method=POST url=/login?next=http://x/ version=2.0 code=401 agent=Mozilla/5.0 (X; \"Y\") time=2026-08-29T10:40:00`,
		"squid http_activity/3 status=1 device=sensor1 dir=2 proto=6 src=10.0.1.15 dst=203.0.113.40 dport=80 host=www.example.com out=0/0 in=1/0 method=GET url=http://www.example.com/ code=200 time=2026-08-29T10:40:00.123 start=2026-08-29T10:40:00.122 end=2026-08-29T10:40:00.123",
	)
	for name, want := range map[string][]string{"proxy_result": {"TCP_DENIED"}, "hierarchy": {"HIER_NONE"}, "parent": nil, "sc-status": {"403"}, "cs-uri": {"[2001:db8::9]:443"}} {
		if got := fields(&events[2], name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := fields(&events[3], "parent"); !reflect.DeepEqual(got, []string{"10.0.0.4"}) {
		t.Errorf("parent: %q", got)
	}
}

// Blue Coat's main format.
func TestProxyW3C(t *testing.T) {
	p := network.NewProxy()
	events := decode(t, p,
		"#Software: SGOS 7.3.9.1", "#Version: 1.0", "#Date: 2026-08-29 10:39:00",
		"#Fields: date time time-taken c-ip cs-username cs-auth-group x-exception-id sc-filter-result cs-categories cs(Referer) sc-status s-action cs-method rs(Content-Type) cs-uri-scheme cs-host cs-uri-port cs-uri-path cs-uri-query cs-uri-extension cs(User-Agent) s-ip sc-bytes cs-bytes x-virus-id r-ip",
		`2026-08-29 10:40:00 250 10.0.1.15 CORP\jane - - OBSERVED "Technology/Internet;Web ""x""" http://ref.example/ 200 TCP_NC_MISS GET text/html http www.example.com 80 /a ?b=1 - "Mozilla/5.0 (Windows NT 10.0)" 10.0.0.3 5120 410 - 203.0.113.40`,
		`2026-08-29 10:40:01 40 10.0.1.15 - - - OBSERVED "none" - 200 TCP_TUNNELED CONNECT - tcp api.example.com 443 / - - - 10.0.0.3 39 200 - 203.0.113.41`,
		`2026-08-29 10:40:02 1 10.0.1.15 jane - policy_denied DENIED "Malware" - 403 TCP_DENIED POST - https bad.example.net 8443 /gate.php - php "x" 10.0.0.3 900 300 - -`,
	)
	check(t, events,
		"w3c http_activity/3 status=1 device=sensor1 dir=2 proto=6 src=10.0.1.15 dst=203.0.113.40 dport=80 host=www.example.com out=410/0 in=5120/0 method=GET url=http://www.example.com/a?b=1 code=200 agent=Mozilla/5.0 (Windows NT 10.0) user=jane domain=CORP time=2026-08-29T10:40:00 start=2026-08-29T10:39:59.75 end=2026-08-29T10:40:00",
		"w3c http_activity/1 status=1 device=sensor1 dir=2 proto=6 src=10.0.1.15 dst=203.0.113.41 dport=443 host=api.example.com out=200/0 in=39/0 method=CONNECT code=200 time=2026-08-29T10:40:01 start=2026-08-29T10:40:00.96 end=2026-08-29T10:40:01",
		"w3c http_activity/6 status=2 device=sensor1 dir=2 proto=6 src=10.0.1.15 dport=8443 host=bad.example.net out=300/0 in=900/0 method=POST url=https://bad.example.net:8443/gate.php code=403 agent=x user=jane time=2026-08-29T10:40:02 start=2026-08-29T10:40:01.999 end=2026-08-29T10:40:02",
	)
	for name, want := range map[string][]string{"cs-categories": {`Technology/Internet;Web "x"`}, "cs-uri-query": {"?b=1"}, "proxy_result": {"TCP_NC_MISS"}, "s-action": {"TCP_NC_MISS"}, "x-virus-id": nil} {
		if got := fields(&events[0], name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// IIS writes the same format, of what came in.
func TestProxyIIS(t *testing.T) {
	check(t, decode(t, network.NewProxy(),
		"#Software: Microsoft Internet Information Services 10.0",
		"#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken",
		"2026-08-29 10:40:00 10.0.0.7 POST /ews/x.asmx a=1 443 - 203.0.113.9 python-requests/2.31 - 500 0 0 93"),
		"w3c http_activity/6 status=2 device=sensor1 dir=1 proto=6 src=203.0.113.9 dst=10.0.0.7 dport=443 method=POST url=/ews/x.asmx?a=1 code=500 agent=python-requests/2.31 time=2026-08-29T10:40:00 start=2026-08-29T10:39:59.907 end=2026-08-29T10:40:00")
}

// Columns with tabs, a whole URL, and a time of the header's.
func TestProxyW3CVariants(t *testing.T) {
	check(t, decode(t, network.NewProxy(),
		"#Date: 2026-08-29 00:00:00", "#Fields: time\tc-ip\tcs-method\tcs-uri\tc-agent\tr-host\tr-ip",
		"10:40:00\t10.0.1.15\tGET\thttps://www.example.com/a b\tcurl 8\twww.example.com\t203.0.113.40"),
		"w3c http_activity/3 device=sensor1 dir=2 proto=6 src=10.0.1.15 dst=203.0.113.40 dport=443 host=www.example.com method=GET url=https://www.example.com/a b agent=curl 8 time=2026-08-29T10:40:00")
}

func TestProxyASIM(t *testing.T) {
	events := decode(t, network.NewProxy(),
		`{"TimeGenerated":"2026-08-29T10:40:01Z","EventStartTime":"2026-08-29T10:39:58Z","EventEndTime":"2026-08-29T10:40:00Z","EventSchema":"WebSession","EventType":"HTTPsession","EventResult":"Success","EventResultDetails":"200","DvcHostname":"gw1","DvcAction":"Allow","SrcIpAddr":"10.0.1.15","SrcPortNumber":50123,"SrcUsername":"CORP\\jane","SrcBytes":2000,"DstHostname":"www","DstFQDN":"www.example.com","DstIpAddr":"203.0.113.40","DstPortNumber":443,"DstBytes":9000,"Url":"https://www.example.com/a?b=1","HttpRequestMethod":"GET","HttpUserAgent":"curl/8.5.0","HttpVersion":"1.1"}`,
		`{"EventType":"HTTPsession","EventResult":"Failure","DvcAction":"Deny","SrcIpAddr":"10.0.1.15","DstHostname":"bad.example.net","HttpRequestMethod":"POST"}`,
		`{"EventType":"WebServerSession","EventResult":"Success","SrcIpAddr":"203.0.113.9","DstHostname":"www.example.com","Url":"/x","HttpStatusCode":"404","HttpRequestMethod":"GET"}`,
	)
	check(t, events,
		"asim.websession http_activity/3 status=1 device=gw1 dir=2 proto=6 src=10.0.1.15 sport=50123 dst=203.0.113.40 dport=443 host=www.example.com out=2000/0 in=9000/0 method=GET url=https://www.example.com/a?b=1 version=1.1 code=200 agent=curl/8.5.0 user=jane domain=CORP time=2026-08-29T10:40:00 start=2026-08-29T10:39:58 end=2026-08-29T10:40:00",
		"asim.websession http_activity/6 status=2 device=sensor1 dir=2 proto=6 src=10.0.1.15 host=bad.example.net method=POST",
		"asim.websession http_activity/3 status=2 device=sensor1 dir=1 proto=6 src=203.0.113.9 host=www.example.com method=GET url=/x code=404",
	)
	if got := fields(&events[1], "proxy_result"); !reflect.DeepEqual(got, []string{"DENIED"}) {
		t.Errorf("proxy_result: %q", got)
	}
}
