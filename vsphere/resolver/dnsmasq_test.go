package resolver_test

import (
	"net/netip"
	"testing"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere/resolver"
)

func TestDnsmasq(t *testing.T) {
	tests := []struct {
		text     string
		activity event.Activity
		client   string
		query    string
		kind     string
		answer   string
		rcode    string
	}{
		{"query[A] api.example.com from 10.0.1.15", event.DNSQuery, "10.0.1.15", "api.example.com", "A", "", ""},
		{"query[AAAA] api.example.com from 2001:db8::5", event.DNSQuery, "2001:db8::5", "api.example.com", "AAAA", "", ""},
		{"reply api.example.com is 203.0.113.40", event.DNSResponse, "", "api.example.com", "", "203.0.113.40", ""},
		{"17 10.0.1.15/4242 cached api.example.com is 2001:db8::40", event.DNSResponse, "10.0.1.15", "api.example.com", "", "2001:db8::40", ""},
		{"/etc/hosts nas.example.com is 10.0.0.2", event.DNSResponse, "", "nas.example.com", "", "10.0.0.2", ""},
		{"reply www.example.com is <CNAME>", event.DNSResponse, "", "www.example.com", "", "", ""},
		{"reply nope.example.com is NXDOMAIN", event.DNSResponse, "", "nope.example.com", "", "", "NXDOMAIN"},
	}
	for _, tt := range tests {
		ev, ok := recognize(tt.text)
		if !ok {
			t.Errorf("%q is not recognized", tt.text)
			continue
		}
		var answer string
		if len(ev.DNS.Answers) > 0 {
			answer = ev.DNS.Answers[0].String()
		}
		client, _ := netip.ParseAddr(tt.client)
		if ev.Class != event.DNSActivity || ev.Activity != tt.activity || ev.Src.IP != client || ev.DNS.Query != tt.query ||
			ev.DNS.Type != tt.kind || answer != tt.answer || ev.DNS.RCode != tt.rcode {
			t.Errorf("%q: got %v %v from %v, %+v", tt.text, ev.Class, ev.Activity, ev.Src.IP, ev.DNS)
		}
	}
}

func TestDnsmasqLeavesOthers(t *testing.T) {
	for _, text := range []string{
		"", "forwarded api.example.com to 192.0.2.53", "started, version 2.90 cachesize 150",
		"query[A] api.example.com", "reply api.example.com", "17",
	} {
		if ev, ok := recognize(text); ok {
			t.Errorf("%q: recognized as %+v", text, ev)
		}
	}
}

func FuzzDnsmasq(f *testing.F) {
	f.Add("query[A] api.example.com from 10.0.1.15")
	f.Add("17 10.0.1.15/4242 reply api.example.com is 203.0.113.40")
	f.Fuzz(func(t *testing.T, text string) {
		if ev, ok := recognize(text); ok && len(ev.DNS.Query) > len(text) {
			t.Errorf("the name %q is longer than the record %q", ev.DNS.Query, text)
		}
	})
}

func recognize(text string) (event.Event, bool) {
	var ev event.Event
	ev.Device.Hostname = "dns01"
	ok := resolver.Recognizers()["dnsmasq"].Recognize(&syslog.Message{App: "dnsmasq", Text: text}, &ev)
	return ev, ok
}
