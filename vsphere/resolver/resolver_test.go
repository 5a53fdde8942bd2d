package resolver_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere/resolver"
)

// What a program says beside its queries stays a text.
func TestOthersAreLeft(t *testing.T) {
	for program, texts := range map[string][]string{
		"unbound": {
			"", "info:", "[1:0] info: 10.0.1.15", "[1:0] info: 10.0.1.15 www.example.com.", "[1:0] info: 10.0.1.15 www.example.com. A",
			"[1:0] info: x www.example.com. A IN", "[1:0] info: 10.0.1.15 www.example.com. a IN",
			"[1:0] info: example.net. refuse x@4242 www.example.net. A IN", "a b c d e f info: 10.0.1.15 www.example.com. A IN",
		},
		"named": {
			"", "client ", "client @0x1", "client 10.0.1.15#x: query: www.example.com IN A +", "client 10.0.1.15#1: query: www.example.com A IN +",
			"client 10.0.1.15#1: query (cache) 'x' denied", "client 10.0.1.15#1: query failed (SERVFAIL) for www.example.com/IN/A at query.c:1",
		},
		"dnsdist": {
			"", "Packet from", "Packet from 10.0.1.15:1", "Packet from x:1 for a. A with id 1", "Packet from 10.0.1.15:1 to a. A with id 1",
			"Answer to 10.0.1.15:1 for a. a (x)",
		},
		"dns": {
			"", "PACKET ", "PACKET  1 UDP Rcv 10.0.1.15 5b47   Q [0001   D   NOERROR] A      (3)www(7)example(3)com",
			"PACKET  1 UDP Rcv 10.0.1.15 5b47   Q [0001   D   NOERROR] A      (4)www(7)example(3)com(0)",
			"PACKET  1 UDP Rcv 10.0.1.15 5b47   Q [0001   D   NOERROR] A      (7)www.exa(3)com(0)",
			"PACKET  1 UDP Rcv 10.0.1.15 5b47   U [0028       NOERROR] SOA    (3)www(0)",
			"PACKET  1 UDP Rcv 10.0.1.15 5b47   Q [0001   D   NOERROR A      (3)www(0)",
			"PACKET  1 UDP Via 10.0.1.15 5b47   Q [0001   D   NOERROR] A     (3)www(0)",
			"QUERY_RECEIVED: Source=10.0.1.15", "QUERY_RECEIVED: QNAME=www.example.com.", "QUERY_RECEIVED: Source=x; QNAME=www.example.com.",
			strings.Repeat(" ", 300) + "QUERY_RECEIVED: Source=10.0.1.15; QNAME=www.example.com.; QTYPE=1",
		},
	} {
		for _, text := range texts {
			var ev event.Event
			if recognizeAs(program, text, &ev) || !reflect.DeepEqual(ev, event.Event{}) {
				t.Errorf("%s: %q became %+v", program, text, ev)
			}
		}
	}
}

// The packet of an answer may be cut anywhere, or lie about its sizes.
func TestAnswersOfAPacket(t *testing.T) {
	const front = "RESPONSE_SUCCESS: Destination=10.0.1.15; QNAME=www.example.com.; QTYPE=1; RCODE=0; PacketData="
	const packet = "0x1092818000010003000000000377777707657861" + "6D706C6503636F6D0000010001" +
		"C00C000500010000003C000704656467650000" + "C02D000100010000003C0004CB007128" + "C02D001C00010000003C001020010DB8000000000000000000000040"
	for n, want := range map[int]int{0: 0, 2: 0, 26: 0, 27: 0, 80: 0, len(packet) - 40: 1, len(packet) - 1: 1, len(packet): 2} {
		var ev event.Event
		if !recognizeAs("dns", front+packet[:n], &ev) || len(ev.DNS.Answers) != want {
			t.Errorf("%d digits: %v, want %d", n, ev.DNS.Answers, want)
		}
	}
	many := "0x109281800000FFFF00000000" + strings.Repeat("00000100010000003C0004CB007128", 200)
	var ev event.Event
	if recognizeAs("dns", front+many, &ev); len(ev.DNS.Answers) != 32 {
		t.Errorf("%d answers", len(ev.DNS.Answers))
	}
}

// FuzzRecognize: no text makes a recognizer panic; what it reads is not longer
// than the text, and what it refuses it leaves alone.
func FuzzRecognize(f *testing.F) {
	f.Add("unbound", "[1:0] reply: 10.0.1.15 www.example.com. A IN NOERROR 0.012345 0 56")
	f.Add("unbound", "[1:0] info: example.net. refuse 10.0.1.15@4242 www.example.net. A IN")
	f.Add("named", "client @0x1 10.0.1.15#4242 (www.example.com): view v: query: www.example.com IN A +E(0)K (10.0.0.53)")
	f.Add("named", "client 10.0.1.15#4242: query (cache) 'www.example.com/A/IN' denied")
	f.Add("dnsdist", "[1.2] Answer to 10.0.1.15:4242 for www.example.com. A (No Error) with id 17")
	f.Add("dns", "PACKET  1 UDP Snd 10.0.1.15 5b47 R Q [8081   DR  NOERROR] A (3)www(7)example(3)com(0)")
	f.Add("dns", "RESPONSE_SUCCESS: Destination=10.0.1.15; QNAME=a.; RCODE=0; PacketData=0x10928180000000010000000000000100010000003C0004CB007128")
	f.Fuzz(func(t *testing.T, program, text string) {
		if _, ok := resolver.Recognizers()[program]; !ok || program == "" {
			return
		}
		var ev event.Event
		if !recognizeAs(program, text, &ev) {
			if !reflect.DeepEqual(ev, event.Event{}) {
				t.Errorf("%q is refused, but left %+v", text, ev)
			}
			return
		}
		if len(ev.DNS.Query) > len(text) || len(ev.DNS.Answers) > 32 || ev.Class != event.DNSActivity {
			t.Errorf("%q became %+v", text, ev)
		}
	})
}

func BenchmarkRecognize(b *testing.B) {
	for program, text := range map[string]string{
		"dnsmasq": "reply www.example.com is 203.0.113.40",
		"unbound": "[4242:0] reply: 10.0.1.15 www.example.com. A IN NOERROR 0.012345 0 56",
		"named":   "client @0x7f3c2c0a1b68 10.0.1.15#4242 (www.example.com): query: www.example.com IN A +E(0)K (10.0.0.53)",
		"dns":     "6/5/2026 10:00:32 AM 0E70 PACKET  00000000033397A0 UDP Rcv 10.0.1.15       5b47   Q [0001   D   NOERROR] A      (3)www(7)example(3)com(0)",
	} {
		b.Run(program, func(b *testing.B) {
			r, m := resolver.Recognizers()[program], &syslog.Message{Text: text}
			ev := &event.Event{Fields: make([]event.Field, 0, 8)}
			b.ReportAllocs()
			for b.Loop() {
				ev.Reset()
				r.Recognize(m, ev)
			}
		})
	}
}

func recognizeAs(program, text string, ev *event.Event) bool {
	return resolver.Recognizers()[program].Recognize(&syslog.Message{App: program, Text: text}, ev)
}
