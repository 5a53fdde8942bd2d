package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

// TestNameOfADestination follows lines of resolvers, a proxy and a firewall on
// their whole way, and looks at what the last one's destination is called.
func TestNameOfADestination(t *testing.T) {
	ranges := filepath.Join(t.TempDir(), "ip-ranges.json")
	if err := os.WriteFile(ranges, []byte(`{"prefixes": [{"ip_prefix": "198.51.100.0/24", "service": "S3"}], "ipv6_prefixes": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	config := testConfig(t, "", nil)
	config.Catalogue.Paths = []string{ranges}
	p, err := compile(&config)
	if err != nil {
		t.Fatal(err)
	}
	const (
		front    = "<13>2026-11-22T10:00:09.001Z esx01.lab.example FIREWALL-PKTLOG[2101]: 5a3c11d0 INET match PASS mainrs/1031 OUT 60 TCP "
		flow     = front + "10.0.1.15/32808->203.0.113.40/443 S egress"
		resolver = "<30>2026-11-22T10:00:01Z dns01.lab.example dnsmasq[812]: "
		windows  = "<14>1 2026-11-22T10:00:01Z dc01.lab.example Microsoft-Windows-DNSServer 1 257 - "
		squid    = "<30>2026-11-22T10:00:01Z proxy01.lab.example squid[812]: 1795341600.123 2812 10.0.1.15 "
	)
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"nothing":          {[]string{flow}, " via none, "},
		"range file":       {[]string{front + "10.0.1.15/32808->198.51.100.9/443 S egress"}, " via catalogue, Amazon S3"},
		"dnsmasq":          {[]string{resolver + "query[A] api.telegram.org from 10.0.1.15", resolver + "reply api.telegram.org is <CNAME>", resolver + "reply edge.example.net is 203.0.113.40", flow}, "api.telegram.org via dns, Telegram"},
		"dnsmasq, another": {[]string{resolver + "query[A] pastebin.com from 10.0.1.16", resolver + "reply pastebin.com is 203.0.113.40", flow}, "pastebin.com via dns_shared, Pastebin"},
		"Windows":          {[]string{windows + "RESPONSE_SUCCESS: Destination=10.0.1.15; QNAME=pastebin.com.; QTYPE=1; RCODE=0; PacketData=0x10928180000000010000000000000100010000003C0004CB007128", flow}, "pastebin.com via dns, Pastebin"},
		"unbound":          {[]string{"<30>2026-11-22T10:00:01Z dns01.lab.example unbound[812]: [812:0] reply: 10.0.1.15 pastebin.com. A IN NOERROR 0.01 0 56", flow}, " via none, "},
		"FQDN rule":        {[]string{front + "10.0.1.15/32808->203.0.113.40/443 S pastebin.com(11111111-2222-3333-4444-555555555555)", flow}, "pastebin.com via connection, Pastebin"},
		"proxy":            {[]string{squid + "TCP_TUNNEL/200 5435 CONNECT pastebin.com:443 - HIER_DIRECT/203.0.113.40 -"}, "pastebin.com via , Pastebin"},
	} {
		t.Run(name, func(t *testing.T) {
			decoder, a := newDecoder(vsphere.Options{Replay: true}), newAnalysis(p, share{}, nil)
			var last event.Event
			for _, line := range c.lines {
				var m syslog.Message
				last = event.Event{}
				new(syslog.Parser).Parse(line, &m)
				m.Received = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
				decoder.Decode(&m, &last)
				a.see(&last, func(*event.Finding) {})
			}
			if got := last.Dst.Hostname + " via " + last.Dst.NameVia + ", " + last.Dst.Service; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if last.Src.IP.String() != "10.0.1.15" || last.Justification.Verdict != event.VerdictUnknown {
				t.Errorf("%s, verdict %v: it is not judged as the client's", last.Src.IP, last.Justification.Verdict)
			}
		})
	}
}
