package names_test

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/names"
	"github.com/vegress/vegress/event"
)

// log is a resolver's default log, a line an event: "+1s ? a.example.com
// 10.0.0.1" is a question, "! a.example.com 203.0.113.1" an answer, "! a -> "
// an alias; "17 10.0.0.1! ..." names serial and client.
func log(lines string) []*event.Event {
	var out []*event.Event
	at := time.Duration(0)
	for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
		w := strings.Fields(line)
		if strings.HasPrefix(w[0], "+") {
			d, _ := time.ParseDuration(w[0][1:])
			at, w = at+d, w[1:]
		}
		ev := &event.Event{Class: event.DNSActivity, Activity: event.DNSResponse, Time: start.Add(at), Device: event.Device{Hostname: "dns01"}}
		if _, err := strconv.Atoi(w[0]); err == nil {
			ev.Add(event.Intern("serial"), w[0])
			ev.Src.IP = ip(w[1])
			w = w[2:]
		}
		ev.DNS.Query = w[1]
		switch {
		case w[0] == "?":
			ev.Activity, ev.Src.IP = event.DNSQuery, ip(w[2])
		case w[2] == "->":
			ev.Add(event.Intern("answer"), "<CNAME>")
		default:
			ev.DNS.Answers = []netip.Addr{ip(w[2])}
		}
		out = append(out, ev)
	}
	return out
}

func TestQuestionAndAnswer(t *testing.T) {
	tests := []struct {
		name, log string
		want      map[string]string // "source address": what a flow between them gets
	}{
		{"the client's own", "? a.example.com 10.0.0.1\n! a.example.com 203.0.113.1\n! a.example.com 203.0.113.2", map[string]string{
			"10.0.0.1 203.0.113.1": "a.example.com dns", "10.0.0.1 203.0.113.2": "a.example.com dns", "10.0.0.2 203.0.113.1": "a.example.com dns_shared",
		}},
		{"several ask", "? a.example.com 10.0.0.1\n? b.example.com 10.0.0.3\n? a.example.com 10.0.0.2\n! a.example.com 203.0.113.1", map[string]string{
			"10.0.0.1 203.0.113.1": "a.example.com dns", "10.0.0.2 203.0.113.1": "a.example.com dns", "10.0.0.3 203.0.113.1": "a.example.com dns_shared",
		}},
		{"alias", "? www.example.com 10.0.0.1\n! www.example.com ->\n! edge.example.net ->\n! e1.example.net 203.0.113.1\n! e1.example.net 203.0.113.2", map[string]string{
			"10.0.0.1 203.0.113.1": "www.example.com dns", "10.0.0.1 203.0.113.2": "www.example.com dns", "10.0.0.2 203.0.113.1": "e1.example.net dns_shared",
		}},
		{"alias of both types", "? www.example.com 10.0.0.1\n! www.example.com ->\n! e.example.net 203.0.113.1\n! www.example.com ->\n! e.example.net 2001:db8::1", map[string]string{
			"10.0.0.1 203.0.113.1": "www.example.com dns", "10.0.0.1 2001:db8::1": "www.example.com dns",
		}},
		{"too late", "? a.example.com 10.0.0.1\n+11s ! a.example.com 203.0.113.1", map[string]string{"10.0.0.1 203.0.113.1": "a.example.com dns_shared"}},
		{"in time", "? a.example.com 10.0.0.1\n+9s ! a.example.com 203.0.113.1", map[string]string{"10.0.0.1 203.0.113.1": "a.example.com dns"}},
		{"one of two is too late", "? a.example.com 10.0.0.1\n+8s ? a.example.com 10.0.0.2\n+8s ! a.example.com 203.0.113.1", map[string]string{
			"10.0.0.1 203.0.113.1": "a.example.com dns_shared", "10.0.0.2 203.0.113.1": "a.example.com dns",
		}},
		{"nobody asked", "! a.example.com 203.0.113.1", map[string]string{"10.0.0.1 203.0.113.1": "a.example.com dns_shared"}},
		{"a question between ends the chain", "? www.example.com 10.0.0.1\n! www.example.com ->\n? x.example.com 10.0.0.1\n! e.example.net 203.0.113.1", map[string]string{
			"10.0.0.1 203.0.113.1": "e.example.net dns_shared",
		}},
		{"what is not behind an alias is not in the chain", "? www.example.com 10.0.0.1\n! www.example.com 203.0.113.1\n! other.example.net 203.0.113.2", map[string]string{
			"10.0.0.1 203.0.113.2": "other.example.net dns_shared",
		}},
		// A line may be lost: the address is the alias's, or the answer to a
		// question of its own. Nobody is told.
		{"alias to what was asked too", "? evil.example.org 10.0.0.1\n? good.example.com 10.0.0.1\n! evil.example.org ->\n! good.example.com 203.0.113.1\n! good.example.com 203.0.113.2", map[string]string{
			"10.0.0.1 203.0.113.1": "good.example.com dns_shared", "10.0.0.1 203.0.113.2": "good.example.com dns_shared",
		}},
		{"a chain does not wait", "? www.example.com 10.0.0.1\n! www.example.com ->\n+3s ! e.example.net 203.0.113.1", map[string]string{
			"10.0.0.1 203.0.113.1": "e.example.net dns_shared",
		}},
		{"with serials", "1 10.0.0.1 ? www.example.com 10.0.0.1\n2 10.0.0.2 ? e.example.net 10.0.0.2\n1 10.0.0.1 ! www.example.com ->\n1 10.0.0.1 ! e.example.net 203.0.113.1\n2 10.0.0.2 ! e.example.net 203.0.113.1", map[string]string{
			"10.0.0.1 203.0.113.1": "www.example.com dns", "10.0.0.2 203.0.113.1": "e.example.net dns",
		}},
		{"another serial", "1 10.0.0.1 ? www.example.com 10.0.0.1\n1 10.0.0.1 ! www.example.com ->\n2 10.0.0.1 ! e.example.net 203.0.113.1", map[string]string{
			"10.0.0.1 203.0.113.1": "e.example.net dns",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := names.New(names.Options{})
			for _, ev := range log(tt.log) {
				n.Annotate(ev)
			}
			for pair, want := range tt.want {
				src, dst, _ := strings.Cut(pair, " ")
				if got := named(n, flow(20*time.Second, src, dst)); got != want {
					t.Errorf("%s: got %q, want %q", pair, got, want)
				}
			}
		})
	}
}

// The client's question and the resolver's answer are of two entities, and two
// shards: the one that keeps the client learns, no other does.
func TestShardOfTheClientLearns(t *testing.T) {
	client, other := names.New(names.Options{}), names.New(names.Options{})
	lines := log("? www.example.com 10.0.0.1\n! www.example.com ->\n! e.example.net 203.0.113.1")
	client.Annotate(lines[0])
	other.Learn(lines[0])
	for _, ev := range lines[1:] {
		client.Learn(ev)
		other.Annotate(ev)
	}
	if got := named(client, flow(1, "10.0.0.1", "203.0.113.1")); got != "www.example.com dns" {
		t.Errorf("got %q", got)
	}
	if s := other.Stats(); s.Pairs != 0 || s.Joined != 0 || s.Shared != 1 {
		t.Errorf("the other shard: %+v", s)
	}
}

// Resolvers do not answer each other's questions.
func TestAnswerOfAnotherResolver(t *testing.T) {
	n := names.New(names.Options{})
	lines := log("? a.example.com 10.0.0.1\n! a.example.com 203.0.113.1")
	lines[1].Device.Hostname = "dns02"
	for _, ev := range lines {
		n.Annotate(ev)
	}
	if got := named(n, flow(1, "10.0.0.1", "203.0.113.1")); got != "a.example.com dns_shared" {
		t.Errorf("got %q", got)
	}
}

// Machines that tell of their own questions with the answers are no
// resolvers: there may be thousands.
func TestManyTellOfThemselves(t *testing.T) {
	n := names.New(names.Options{})
	lines := log("? a.example.com 10.0.0.1\n! a.example.com 203.0.113.1")
	n.Annotate(lines[0])
	for i := range 100 {
		ev := answer(0, "10.0.1.1", "b.example.com", "203.0.113.2")
		ev.Device.Hostname = fmt.Sprint("pc", i)
		n.Annotate(ev)
	}
	n.Annotate(lines[1])
	if got := named(n, flow(1, "10.0.0.1", "203.0.113.1")); got != "a.example.com dns" {
		t.Errorf("got %q", got)
	}
}

func TestQuestionsAreBounded(t *testing.T) {
	n := names.New(names.Options{MaxQuestions: 10})
	ask := func(host string) { n.Annotate(log("? " + host + " 10.0.0.1")[0]) }
	known := func(host string) bool {
		n.Annotate(log("! " + host + " 203.0.113.1")[0])
		return named(n, flow(1, "10.0.0.1", "203.0.113.1")) == host+" dns"
	}
	ask("first.example.com")
	for i := range 100 {
		ask(fmt.Sprintf("x%d.example.com", i))
	}
	ask("last.example.com")
	if known("first.example.com") || !known("last.example.com") {
		t.Error("the first question is still known, or the last is not")
	}
	ask("again.example.com")
	for i := range 20 {
		lines := log("? y.example.com 10.0.0.9")
		lines[0].Device.Hostname, lines[0].Time = fmt.Sprint("forged", i), start.Add(time.Second)
		n.Annotate(lines[0])
	}
	if known("again.example.com") {
		t.Error("more resolvers are kept than there may be")
	}
}

func FuzzQuestions(f *testing.F) {
	f.Add("? a.example.com 10.0.0.1\n! a.example.com ->\n+1s ! b.example.com 203.0.113.1\n3 10.0.0.1 ! a.b 203.0.113.1")
	f.Fuzz(func(t *testing.T, text string) {
		n := names.New(names.Options{MaxPairs: 10, MaxPerSource: 4, MaxShared: 4, MaxQuestions: 4})
		for line := range strings.SplitSeq(text, "\n") {
			w := strings.Fields(line)
			if len(w) < 3 {
				continue
			}
			ev := &event.Event{Class: event.DNSActivity, Activity: event.Activity(1 + len(line)%2), Time: start, DNS: event.DNS{Query: w[0]}}
			ev.Src.IP, ev.Device.Hostname = ip(w[1]), w[1]
			if a, err := netip.ParseAddr(w[2]); err == nil {
				ev.DNS.Answers = []netip.Addr{a}
			} else {
				ev.Add(event.Intern("answer"), "<CNAME>")
			}
			if len(w) > 3 {
				ev.Add(event.Intern("serial"), w[3])
			}
			n.Annotate(ev)
			n.Learn(ev)
		}
		if s := n.Stats(); s.Pairs > 10 || s.Shared > 4 {
			t.Fatalf("bounds passed: %+v", s)
		}
	})
}

func BenchmarkJoin(b *testing.B) {
	n := names.New(names.Options{})
	lines := log("? www.example.com 10.0.0.1\n! www.example.com ->\n! e.example.net 203.0.113.1")
	b.ReportAllocs()
	for b.Loop() {
		for _, ev := range lines {
			n.Annotate(ev)
		}
	}
}
