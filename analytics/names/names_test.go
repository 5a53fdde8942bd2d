package names_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/names"
	"github.com/vegress/vegress/event"
)

var start = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func ip(s string) netip.Addr {
	a, _ := netip.ParseAddr(s)
	return a
}

// answer is a DNS response; without client it is a resolver's reply line.
func answer(at time.Duration, client, query string, addrs ...string) *event.Event {
	ev := &event.Event{
		Class: event.DNSActivity, Activity: event.DNSResponse, Time: start.Add(at),
		Device: event.Device{Hostname: "resolver"}, Src: event.Endpoint{IP: ip(client)}, DNS: event.DNS{Query: query},
	}
	for _, a := range addrs {
		ev.DNS.Answers = append(ev.DNS.Answers, ip(a))
	}
	return ev
}

func flow(at time.Duration, src, dst string) *event.Event {
	return &event.Event{
		Class: event.NetworkActivity, Time: start.Add(at),
		Src: event.Endpoint{IP: ip(src)}, Dst: event.Endpoint{IP: ip(dst), Port: 443},
	}
}

// named annotates ev and gives what it got: "host via".
func named(n *names.Names, ev *event.Event) string {
	n.Annotate(ev)
	return ev.Dst.Hostname + " " + ev.Dst.NameVia
}

// A record that has a name in its URL needs none from others.
func TestURLNamesItself(t *testing.T) {
	n := names.New(names.Options{})
	n.Annotate(answer(0, "10.0.0.1", "a.example.com", "203.0.113.1"))
	for url, want := range map[string]string{"https://b.example.org/x": " ", "/x": "a.example.com dns_shared"} {
		ev := flow(1, "10.0.0."+fmt.Sprint(len(url)), "203.0.113.1")
		ev.URL = url
		if got := named(n, ev); got != want {
			t.Errorf("%s: got %q, want %q", url, got, want)
		}
	}
}

func TestOwnAnswersFirst(t *testing.T) {
	n := names.New(names.Options{})
	n.Annotate(answer(0, "10.0.0.1", "a.example.com.", "203.0.113.1", "2001:db8::1"))
	n.Annotate(answer(0, "10.0.0.2", "B.Example.COM", "203.0.113.1"))
	f := func(ev *event.Event, want string) {
		t.Helper()
		if got := named(n, ev); got != want {
			t.Errorf("%v -> %v: got %q, want %q", ev.Src.IP, ev.Dst.IP, got, want)
		}
	}
	f(flow(1, "10.0.0.1", "203.0.113.1"), "a.example.com dns")
	f(flow(1, "10.0.0.2", "203.0.113.1"), "b.example.com dns")
	f(flow(1, "10.0.0.2", "::ffff:203.0.113.1"), "b.example.com dns")
	f(flow(1, "10.0.0.3", "203.0.113.1"), " ") // two names: none is preferred
	f(flow(1, "10.0.0.3", "2001:db8::1"), "a.example.com dns_shared")
	f(flow(1, "10.0.0.1", "203.0.113.2"), " ")
	f(flow(25*time.Hour, "10.0.0.1", "203.0.113.1"), " ")
	if s := n.Stats(); s.Learned != 3 || s.Annotated != 4 || s.Pairs != 3 || s.Sources != 2 || s.Shared != 2 {
		t.Errorf("stats %+v", s)
	}
}

func TestTheLatestNameCounts(t *testing.T) {
	n := names.New(names.Options{})
	n.Annotate(answer(0, "10.0.0.1", "a.example.com", "203.0.113.1"))
	n.Annotate(answer(time.Minute, "10.0.0.1", "b.example.com", "203.0.113.1"))
	if got := named(n, flow(time.Hour, "10.0.0.1", "203.0.113.1")); got != "b.example.com dns" {
		t.Errorf("got %q", got)
	}
}

func TestReplyWithoutClient(t *testing.T) {
	n := names.New(names.Options{})
	n.Annotate(answer(0, "", "a.example.com", "203.0.113.1"))
	if got := named(n, flow(1, "10.0.0.1", "203.0.113.1")); got != "a.example.com dns_shared" {
		t.Errorf("got %q", got)
	}
	n.Annotate(answer(time.Hour, "", "b.example.com", "203.0.113.1"))
	if got := named(n, flow(time.Hour, "10.0.0.1", "203.0.113.1")); got != " " {
		t.Errorf("ambiguous, but got %q", got)
	}
	// A day later only one of the names is still given.
	n.Annotate(answer(26*time.Hour, "", "b.example.com", "203.0.113.1"))
	if got := named(n, flow(26*time.Hour, "10.0.0.1", "203.0.113.1")); got != "b.example.com dns_shared" {
		t.Errorf("got %q", got)
	}
}

func TestLearnsFromNamedConnections(t *testing.T) {
	n := names.New(names.Options{})
	tls := flow(0, "10.0.0.1", "203.0.113.1")
	tls.Dst.Hostname, tls.Dst.NameVia = "sni.example.com", "sni"
	if got := named(n, tls); got != "sni.example.com sni" {
		t.Errorf("a name of the record's own became %q", got)
	}
	if got := named(n, flow(1, "10.0.0.1", "203.0.113.1")); got != "sni.example.com connection" {
		t.Errorf("got %q", got)
	}
}

// What a client was told counts for more than what it writes itself.
func TestDNSBeforeConnection(t *testing.T) {
	n := names.New(names.Options{})
	tls := func(at time.Duration, host string) {
		ev := flow(at, "10.0.0.1", "203.0.113.1")
		ev.Dst.Hostname = host
		n.Annotate(ev)
	}
	n.Annotate(answer(0, "10.0.0.1", "a.example.com", "203.0.113.1"))
	tls(time.Second, "good.example.org")
	if got := named(n, flow(time.Minute, "10.0.0.1", "203.0.113.1")); got != "a.example.com dns" {
		t.Errorf("got %q", got)
	}
	tls(25*time.Hour, "later.example.org") // the answer is too old
	if got := named(n, flow(26*time.Hour, "10.0.0.1", "203.0.113.1")); got != "later.example.org connection" {
		t.Errorf("got %q", got)
	}
	n.Annotate(answer(27*time.Hour, "10.0.0.1", "b.example.com", "203.0.113.1"))
	if got := named(n, flow(27*time.Hour, "10.0.0.1", "203.0.113.1")); got != "b.example.com dns" {
		t.Errorf("got %q", got)
	}
}

func TestLearnsFromURLs(t *testing.T) {
	n := names.New(names.Options{})
	for dst, url := range map[string]string{"203.0.113.1": "https://api.example.com:8443/x", "203.0.113.2": "http://203.0.113.2/x", "203.0.113.3": "/x"} {
		ev := flow(0, "10.0.0.1", dst)
		ev.Class, ev.URL = event.HTTPActivity, url
		n.Annotate(ev)
	}
	for dst, want := range map[string]string{"203.0.113.1": "api.example.com connection", "203.0.113.2": " ", "203.0.113.3": " "} {
		if got := named(n, flow(1, "10.0.0.1", dst)); got != want {
			t.Errorf("%s: got %q, want %q", dst, got, want)
		}
	}
}

func TestAge(t *testing.T) {
	n := names.New(names.Options{})
	n.Annotate(answer(time.Hour, "10.0.0.1", "a.example.com", "203.0.113.1"))
	for at, want := range map[time.Duration]uint32{0: 0, time.Hour: 0, 2 * time.Hour: 3600} {
		ev := flow(at, "10.0.0.1", "203.0.113.1")
		if n.Annotate(ev); ev.Dst.NameAge != want || ev.Dst.NameVia != "dns" {
			t.Errorf("after %v: %d s by %q, want %d", at, ev.Dst.NameAge, ev.Dst.NameVia, want)
		}
	}
}

// What a connection names is between its two ends: others were not told.
func TestConnectionsTeachNoOthers(t *testing.T) {
	n := names.New(names.Options{})
	proxy := flow(0, "10.0.0.1", "203.0.113.1")
	proxy.Dst.Hostname = "a.example.com"
	n.Annotate(proxy)
	if got := named(n, flow(1, "10.0.0.2", "203.0.113.1")); got != " " {
		t.Errorf("got %q", got)
	}
}

// Learn is for what another shard annotates: all shards know the same of
// those who asked nothing themselves.
func TestLearn(t *testing.T) {
	here, there := names.New(names.Options{}), names.New(names.Options{})
	ev := answer(0, "10.0.0.1", "a.example.com", "203.0.113.1")
	here.Annotate(ev)
	there.Learn(ev)
	there.Learn(flow(0, "10.0.0.1", "203.0.113.1"))
	for _, n := range []*names.Names{here, there} {
		if got := named(n, flow(1, "10.0.0.2", "203.0.113.1")); got != "a.example.com dns_shared" {
			t.Errorf("got %q", got)
		}
	}
	if s := there.Stats(); s.Sources != 0 || s.Shared != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestByVM(t *testing.T) {
	n := names.New(names.Options{})
	vm := &event.VM{Key: "vm:vc1/1"}
	query := answer(0, "10.0.0.1", "a.example.com", "203.0.113.1")
	query.Src.Context.VM = vm
	n.Annotate(query)
	n.Annotate(answer(0, "10.0.0.9", "other.example.com", "203.0.113.1"))
	second := flow(1, "10.9.9.9", "203.0.113.1") // the VM's second address
	second.Src.Context.VM = vm
	if got := named(n, second); got != "a.example.com dns" {
		t.Errorf("got %q", got)
	}
}

func TestWhatIsNoName(t *testing.T) {
	n := names.New(names.Options{})
	for _, q := range []string{"", "localhost", "1.0.0.10.in-addr.arpa", "203.0.113.1", "bad name.example", ".", "x:y.example"} {
		n.Annotate(answer(0, "10.0.0.1", q, "203.0.113.1"))
	}
	if s := n.Stats(); s.Learned != 0 {
		t.Errorf("learned %d", s.Learned)
	}
	file := flow(0, "10.0.0.1", "203.0.113.1")
	file.Class = event.FileActivity
	n.Annotate(answer(0, "10.0.0.1", "a.example.com", "203.0.113.1"))
	if got := named(n, file); got != " " {
		t.Errorf("a file event got %q", got)
	}
}

func TestBounds(t *testing.T) {
	n := names.New(names.Options{MaxPairs: 100, MaxPerSource: 20, MaxShared: 50})
	for i := range 1000 {
		n.Annotate(answer(0, "10.0.0.1", "x.example.com", fmt.Sprintf("203.0.%d.%d", i/250, i%250)))
	}
	if s := n.Stats(); s.Pairs > 20 || s.Shared > 50 || s.Forgotten == 0 {
		t.Errorf("one source: %+v", s)
	}
	for i := range 1000 {
		n.Annotate(answer(0, fmt.Sprintf("10.1.%d.%d", i/250, i%250), "x.example.com", "203.0.113.1"))
	}
	if s := n.Stats(); s.Pairs > 100 || s.Sources > 100 {
		t.Errorf("many sources: %+v", s)
	}
	// The latest source is still known.
	if got := named(n, flow(0, "10.1.3.249", "203.0.113.1")); got != "x.example.com dns" {
		t.Errorf("got %q", got)
	}
}

// What falls off because something else is looked up leaves the sum too.
func TestSumStaysRight(t *testing.T) {
	n := names.New(names.Options{MaxPairs: 1000, MaxPerSource: 4})
	for range 100 {
		for _, i := range []int{1, 2, 3, 4, 1, 2} { // the last are old while 3 and 4 are young
			n.Annotate(answer(0, "10.0.0.1", "x.example.com", fmt.Sprint("203.0.113.", i)))
		}
	}
	if s := n.Stats(); s.Pairs > 4 {
		t.Errorf("one source of at most 4 addresses, and %d pairs", s.Pairs)
	}
}

func TestRegistrableDomain(t *testing.T) {
	for host, want := range map[string]string{
		"api.example.co.uk": "example.co.uk", "example.com": "example.com", "com": "com", "": "", "localhost": "localhost",
		"a.b.c.github.io": "c.github.io",
	} {
		if got := names.RegistrableDomain(host); got != want {
			t.Errorf("%q: got %q, want %q", host, got, want)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	n := names.New(names.Options{})
	learn, ask := answer(0, "10.0.0.1", "a.example.com", "203.0.113.1"), flow(1, "10.0.0.1", "203.0.113.1")
	n.Annotate(learn)
	if got := testing.AllocsPerRun(100, func() {
		n.Annotate(learn)
		ask.Dst.Hostname = ""
		n.Annotate(ask)
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func FuzzAnnotate(f *testing.F) {
	f.Add("a.example.com", []byte{203, 0, 113, 1}, []byte{10, 0, 0, 1})
	f.Add("..", []byte{}, []byte{})
	n := names.New(names.Options{MaxPairs: 10, MaxPerSource: 4, MaxShared: 4})
	f.Fuzz(func(t *testing.T, query string, dst, src []byte) {
		d, _ := netip.AddrFromSlice(dst)
		s, _ := netip.AddrFromSlice(src)
		n.Annotate(&event.Event{Class: event.DNSActivity, Time: start, Src: event.Endpoint{IP: s}, DNS: event.DNS{Query: query, Answers: []netip.Addr{d}}})
		ask := flow(0, "", "")
		ask.Src.IP, ask.Dst.IP = s, d
		n.Annotate(ask)
		if st := n.Stats(); st.Pairs > 10 || st.Shared > 4 {
			t.Fatalf("bounds passed: %+v", st)
		}
		names.RegistrableDomain(query)
	})
}

func BenchmarkAnnotate(b *testing.B) {
	for _, sources := range []int{1, 1000, 40000} {
		n := names.New(names.Options{})
		events := make([]*event.Event, sources)
		for i := range events {
			src := fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
			n.Annotate(answer(0, src, "a.example.com", "203.0.113.1"))
			events[i] = flow(1, src, "203.0.113.1")
		}
		b.Run(fmt.Sprintf("known/sources=%d", sources), func(b *testing.B) {
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				ev := events[i%sources]
				ev.Dst.Hostname = ""
				n.Annotate(ev)
				i++
			}
		})
	}
	n := names.New(names.Options{})
	b.Run("learn", func(b *testing.B) {
		ev := answer(0, "10.0.0.1", "a.example.com", "203.0.113.1")
		b.ReportAllocs()
		for b.Loop() {
			n.Annotate(ev)
		}
	})
	b.Run("unknown", func(b *testing.B) {
		ev := flow(0, "10.0.0.1", "203.0.113.1")
		b.ReportAllocs()
		for b.Loop() {
			n.Annotate(ev)
		}
	})
}

func BenchmarkRegistrableDomain(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		names.RegistrableDomain("bucket.s3.eu-central-1.amazonaws.com")
	}
}

func ExampleNames() {
	n := names.New(names.Options{})
	n.Annotate(answer(0, "10.0.0.1", "api.telegram.org", "149.154.167.220"))
	ev := flow(time.Second, "10.0.0.1", "149.154.167.220")
	n.Annotate(ev)
	fmt.Println(ev.Dst.Hostname, ev.Dst.NameVia)
	// Output: api.telegram.org dns
}
