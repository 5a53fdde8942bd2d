package egress_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/event"
)

// What has no name says so: the event by its hostname_via, the finding in a
// sentence.
func TestNoName(t *testing.T) {
	for _, c := range []struct {
		s             sample
		via, sentence string
	}{
		{sample{}, "none", "No name is known for 203.0.113.200."},
		{sample{URL: "https://203.0.113.200/x", Class: "http"}, "none", "No name is known for 203.0.113.200."},
		{sample{Via: "catalogue", Service: "Telegram", Category: "messaging"}, "catalogue", "No name is known for 203.0.113.200; in the catalogue it is in a range of Telegram."},
		{sample{Host: "a.example.org", Via: "dns"}, "dns", ""},
		{sample{URL: "https://a.example.org/x", Class: "http"}, "", ""},
		{sample{Dst: new(string), URL: "https://a.example.org/x", Class: "http"}, "", ""},
	} {
		d, ev := egress.New(policy(t, options(t)), domain, nil), c.s.event()
		var explained []string
		d.Detect(ev, func(f *event.Finding) { explained = f.Explanation })
		if ev.Dst.NameVia != c.via {
			t.Errorf("%+v: via %q, want %q", c.s, ev.Dst.NameVia, c.via)
		}
		i := slices.IndexFunc(explained, func(s string) bool { return strings.HasPrefix(s, "No name") })
		if len(explained) == 0 || (i >= 0) != (c.sentence != "") || i >= 0 && explained[i] != c.sentence {
			t.Errorf("%+v: explanation %q, want %q", c.s, explained, c.sentence)
		}
	}
	inside, ev := sample{Dst: new("10.0.0.9")}, (*event.Event)(nil)
	ev = inside.event()
	egress.New(policy(t, options(t)), domain, nil).Detect(ev, func(*event.Finding) { t.Error("a finding") })
	if ev.Dst.NameVia != "" {
		t.Errorf("what is not judged says %q", ev.Dst.NameVia)
	}
}

// Behind a cloud or a CDN is anybody: two names, or addresses, there are two
// findings. A service of its own is one.
func TestCloudIsNoService(t *testing.T) {
	for _, c := range []struct {
		s    sample
		want string
	}{
		{sample{Host: "a.example.org", Service: "Amazon EC2", Category: "cloud"}, "example.org"},
		{sample{Via: "catalogue", Service: "Amazon EC2", Category: "cloud"}, "203.0.113.200"},
		{sample{Via: "catalogue", Service: "Amazon CloudFront", Category: "cdn"}, "203.0.113.200"},
		{sample{Via: "catalogue", Service: "Amazon S3", Category: "cloud_storage"}, "Amazon S3"},
	} {
		found, _ := run(t, egress.New(policy(t, options(t)), domain, nil), c.s)
		if len(found) != 1 || found[0].Key != c.want {
			t.Errorf("%+v: %d findings, want the key %q", c.s, len(found), c.want)
		}
	}
}

// An old name says how old.
func TestOldName(t *testing.T) {
	s := sample{Host: "a.example.org", Via: "dns"}
	for seconds, want := range map[uint32]string{0: "(name by dns)", 3599: "(name by dns)", 7300: "(name by dns, 2 h old)"} {
		ev := s.event()
		ev.Dst.NameAge = seconds
		egress.New(policy(t, options(t)), domain, nil).Detect(ev, func(f *event.Finding) {
			if !strings.Contains(f.Explanation[0], want) {
				t.Errorf("%d s: %q", seconds, f.Explanation[0])
			}
		})
	}
}

// What a proxy denied got nowhere.
func TestDeniedByProxy(t *testing.T) {
	for result, want := range map[string]string{"TCP_DENIED": "Lower: an attempt was refused or failed.", "TCP_TUNNEL": ""} {
		s := sample{Dst: new(string), Class: "http", Host: "pastebin.example.org", Service: "Pastebin", Category: "paste"}
		ev := s.event()
		ev.Add(event.Intern("proxy_result"), result)
		egress.New(policy(t, options(t)), domain, nil).Detect(ev, func(f *event.Finding) {
			if slices.Contains(f.Explanation, "Lower: an attempt was refused or failed.") != (want != "") {
				t.Errorf("%s: %q", result, f.Explanation)
			}
		})
	}
}
