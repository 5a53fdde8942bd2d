package proxy_test

import (
	"reflect"
	"testing"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere/proxy"
)

func recognize(text string, ev *event.Event) bool {
	return proxy.Recognizers()["squid"].Recognize(&syslog.Message{App: "squid", Text: text}, ev)
}

func TestSquidLeavesOthers(t *testing.T) {
	for _, text := range []string{
		"", "1795341600.123", "Accepting HTTP Socket connections at conn3", "storeLateRelease: released 0 objects",
		"1795341600 1 10.0.1.15 TCP_MISS/200 1 GET http://a.example/ - HIER_DIRECT/203.0.113.40 -",
		"1795341600.1 1 10.0.1.15:99 TCP_MISS/200 1 GET http://a.example/ - HIER_DIRECT/203.0.113.40 -",
		"1795341600.1 1 10.0.1.15 TCP_MISS 1 GET http://a.example/ - HIER_DIRECT/203.0.113.40 -",
		"1795341600.1 1 10.0.1.15 TCP_MISS/200 x GET http://a.example/ - HIER_DIRECT/203.0.113.40 -",
		"1795341600.1 1 10.0.1.15 TCP_MISS/200 1 GET http://a.example/ - - -",
		"1795341600.1 1 10.0.1.15 TCP_TUNNEL/200 1 CONNECT a:b:c - HIER_DIRECT/203.0.113.40 -",
	} {
		var ev event.Event
		if recognize(text, &ev) || !reflect.DeepEqual(ev, event.Event{}) {
			t.Errorf("%q became %+v", text, ev)
		}
	}
}

// An address that the client asked for is where it meant to go, whatever
// stands behind it.
func TestSquidKeepsTheAddressOfTheURL(t *testing.T) {
	var ev event.Event
	recognize("1795341600.1 1 10.0.1.15 TCP_MISS/200 1 GET http://203.0.113.9/x - HIER_DIRECT/203.0.113.40 -", &ev)
	if got := ev.Dst.IP.String(); got != "203.0.113.9" || ev.Dst.Hostname != "" {
		t.Errorf("got %s %q", got, ev.Dst.Hostname)
	}
}

func FuzzSquid(f *testing.F) {
	f.Add("1795341600.123    180 10.0.1.15 TCP_MISS/200 5120 GET http://www.example.com/a?b=1 - HIER_DIRECT/203.0.113.40 text/html")
	f.Add("1795341600.123      0 10.0.1.15 TCP_DENIED/403 3900 CONNECT www.example.net:443 jane HIER_NONE/- text/html")
	f.Fuzz(func(t *testing.T, text string) {
		var ev event.Event
		if !recognize(text, &ev) {
			if !reflect.DeepEqual(ev, event.Event{}) {
				t.Errorf("%q is refused, but left %+v", text, ev)
			}
			return
		}
		if len(ev.URL) > len(text) || len(ev.Dst.Hostname) > len(text) || ev.Traffic.BytesIn < 0 {
			t.Errorf("%q became %+v", text, ev)
		}
	})
}
