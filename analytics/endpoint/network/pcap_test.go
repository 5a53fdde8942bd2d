package network_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/vegress/vegress/analytics/endpoint/network"
	"github.com/vegress/vegress/event"
)

// wire writes a capture, packet by packet, a hundredth of a second each.
type wire struct {
	tb   testing.TB
	file bytes.Buffer
	pcap *pcapgo.Writer
	ng   *pcapgo.NgWriter
	at   time.Time
	snap int
	vlan uint16
}

var start = time.Date(2026, 8, 29, 10, 40, 0, 0, time.UTC)

func newWire(tb testing.TB, ng bool) *wire {
	w := &wire{tb: tb, at: start, snap: 262144}
	var err error
	if ng {
		w.ng, err = pcapgo.NewNgWriter(&w.file, layers.LinkTypeEthernet)
	} else {
		w.pcap = pcapgo.NewWriter(&w.file)
		err = w.pcap.WriteFileHeader(262144, layers.LinkTypeEthernet)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// frame writes a frame of layers above Ethernet.
func (w *wire) frame(kind layers.EthernetType, above ...gopacket.SerializableLayer) {
	w.tb.Helper()
	ethernet := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: kind}
	all := []gopacket.SerializableLayer{ethernet}
	if w.vlan != 0 {
		ethernet.EthernetType = layers.EthernetTypeDot1Q
		all = append(all, &layers.Dot1Q{VLANIdentifier: w.vlan, Type: kind})
	}
	buffer := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, append(all, above...)...); err != nil {
		w.tb.Fatal(err)
	}
	w.raw(buffer.Bytes())
}

func (w *wire) raw(data []byte) {
	w.tb.Helper()
	info := gopacket.CaptureInfo{Timestamp: w.at, CaptureLength: min(len(data), w.snap), Length: len(data)}
	var err error
	if w.ng != nil {
		err = w.ng.WritePacket(info, data[:info.CaptureLength])
	} else {
		err = w.pcap.WritePacket(info, data[:info.CaptureLength])
	}
	if err != nil {
		w.tb.Fatal(err)
	}
	w.at = w.at.Add(10 * time.Millisecond)
}

// ip is the layer between, by the family of the addresses.
func ip(src, dst netip.Addr, protocol layers.IPProtocol) (layers.EthernetType, gopacket.SerializableLayer, gopacket.NetworkLayer) {
	if src.Is4() {
		l := &layers.IPv4{Version: 4, TTL: 64, Protocol: protocol, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
		return layers.EthernetTypeIPv4, l, l
	}
	l := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: protocol, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
	return layers.EthernetTypeIPv6, l, l
}

func (w *wire) udp(src, dst string, payload []byte) {
	from, to := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	kind, header, network := ip(from.Addr(), to.Addr(), layers.IPProtocolUDP)
	udp := &layers.UDP{SrcPort: layers.UDPPort(from.Port()), DstPort: layers.UDPPort(to.Port())}
	if err := udp.SetNetworkLayerForChecksum(network); err != nil {
		w.tb.Fatal(err)
	}
	w.frame(kind, header, udp, gopacket.Payload(payload))
}

// connection is a TCP connection whose numbers go on.
type connection struct {
	w              *wire
	client, server netip.AddrPort
	out, in        uint32 // next sequence numbers
}

func (w *wire) connect(client, server string) *connection {
	c := &connection{w: w, client: netip.MustParseAddrPort(client), server: netip.MustParseAddrPort(server), out: 0xfffffff0, in: 7000}
	c.segment(true, c.out, "S", nil)
	c.out++
	c.segment(false, c.in, "SA", nil)
	c.in++
	c.segment(true, c.out, "A", nil)
	return c
}

// segment writes a segment as it is.
func (c *connection) segment(up bool, seq uint32, flags string, payload []byte) {
	from, to, ack := c.client, c.server, c.in
	if !up {
		from, to, ack = c.server, c.client, c.out
	}
	kind, header, network := ip(from.Addr(), to.Addr(), layers.IPProtocolTCP)
	tcp := &layers.TCP{
		SrcPort: layers.TCPPort(from.Port()), DstPort: layers.TCPPort(to.Port()), Seq: seq, Ack: ack, Window: 64000,
		SYN: strings.Contains(flags, "S"), ACK: strings.Contains(flags, "A"), FIN: strings.Contains(flags, "F"), RST: strings.Contains(flags, "R"),
	}
	if err := tcp.SetNetworkLayerForChecksum(network); err != nil {
		c.w.tb.Fatal(err)
	}
	c.w.frame(kind, header, tcp, gopacket.Payload(payload))
}

// say sends data in segments of at most size bytes.
func (c *connection) say(up bool, data []byte, size int) {
	for len(data) > 0 {
		n := min(size, len(data))
		if up {
			c.segment(true, c.out, "A", data[:n])
			c.out += uint32(n)
		} else {
			c.segment(false, c.in, "A", data[:n])
			c.in += uint32(n)
		}
		data = data[n:]
	}
}

func (c *connection) close() {
	c.segment(true, c.out, "FA", nil)
	c.segment(false, c.in, "FA", nil)
	c.out, c.in = c.out+1, c.in+1
	c.segment(true, c.out, "A", nil)
}

// readCapture gives all events of a capture, and how it ended.
func readCapture(tb testing.TB, file []byte, opts network.PcapOptions) ([]event.Event, network.PcapStats, error) {
	tb.Helper()
	p, err := network.NewPcap(bytes.NewReader(file), opts)
	if err != nil {
		tb.Fatal(err)
	}
	var events []event.Event
	for {
		if err := p.Next(func(ev *event.Event) { events = append(events, ev.Clone()) }); err != nil {
			return events, p.Stats(), err
		}
	}
}

func (w *wire) events(opts network.PcapOptions) ([]event.Event, network.PcapStats) {
	w.tb.Helper()
	if w.ng != nil {
		if err := w.ng.Flush(); err != nil {
			w.tb.Fatal(err)
		}
	}
	events, stats, err := readCapture(w.tb, w.file.Bytes(), opts)
	if !errors.Is(err, io.EOF) || err != io.EOF {
		w.tb.Fatalf("the capture ended with %v", err)
	}
	return events, stats
}

// hello gives a ClientHello as Go's own TLS writes it.
func hello(tb testing.TB, name string, protocols ...string) []byte {
	tb.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		defer client.Close()
		_ = tls.Client(client, &tls.Config{ServerName: name, NextProtos: protocols}).Handshake() // fails: nobody answers
	}()
	head := make([]byte, 5)
	if _, err := io.ReadFull(server, head); err != nil {
		tb.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(server, body); err != nil {
		tb.Fatal(err)
	}
	return append(head, body...)
}

// only gives the events of a log.
func only(events []event.Event, log string) (some []event.Event) {
	for _, ev := range events {
		if ev.LogName == log {
			some = append(some, ev)
		}
	}
	return some
}

// The name is found however the ClientHello is cut, in records and segments,
// and in which order the segments come.
func TestPcapTLS(t *testing.T) {
	whole := hello(t, "api.example.com", "h2", "http/1.1")
	split := append([]byte{22, 3, 1, 0, 100}, whole[5:105]...)
	split = append(split, 22, 3, 1, byte((len(whole)-105)>>8), byte(len(whole)-105))
	split = append(split, whole[105:]...)
	for name, say := range map[string]func(*connection){
		"one segment": func(c *connection) { c.say(true, whole, 4000) },
		"bytes":       func(c *connection) { c.say(true, whole, 1) },
		"two records": func(c *connection) { c.say(true, split, 90) },
		"reordered": func(c *connection) {
			c.segment(true, c.out+200, "A", whole[200:])
			c.segment(true, c.out+100, "A", whole[100:200])
			c.segment(true, c.out, "A", whole[:100])
			c.out += uint32(len(whole))
		},
		"sent again": func(c *connection) {
			c.segment(true, c.out, "A", whole[:150])
			c.segment(true, c.out, "A", whole[:150])
			c.segment(true, c.out+50, "A", whole[50:])
			c.out += uint32(len(whole))
		},
	} {
		for _, ng := range []bool{false, true} {
			w := newWire(t, ng)
			c := w.connect("10.0.1.15:50123", "203.0.113.40:8443")
			say(c)
			c.say(false, []byte("answer"), 100)
			c.close()
			events, _ := w.events(network.PcapOptions{})
			if len(events) != 2 || events[0].LogName != "pcap.tls" || events[1].LogName != "pcap.flow" {
				t.Fatalf("%s: %d events: %v", name, len(events), events)
			}
			for i := range events {
				if d := events[i].Dst; d.Hostname != "api.example.com" || d.NameVia != "sni" || d.Port != 8443 || d.IP.String() != "203.0.113.40" {
					t.Errorf("%s: the destination of %s is %+v", name, events[i].LogName, d)
				}
			}
			if got := fields(&events[0], "tls.alpn"); len(got) != 2 || got[0] != "h2" {
				t.Errorf("%s: ALPN %q", name, got)
			}
		}
	}
}

func TestPcapFlow(t *testing.T) {
	for _, vlan := range []uint16{0, 7} {
		w := newWire(t, false)
		w.vlan = vlan
		c := w.connect("10.0.1.15:50123", "203.0.113.40:9000")
		c.say(true, make([]byte, 3000), 1000)
		c.say(false, make([]byte, 500), 500)
		c.close()
		events, stats := w.events(network.PcapOptions{})
		// 40 bytes of headers for each of seven and four packets.
		check(t, events, "pcap.flow network_activity/6 status=1 dir=2 proto=6 src=10.0.1.15 sport=50123 dst=203.0.113.40 dport=9000 out=3280/7 in=620/3 time=2026-08-29T10:40:00.09 start=2026-08-29T10:40:00 end=2026-08-29T10:40:00.09")
		if stats.Packets != 10 || stats.Flows != 0 || stats.Events != 1 {
			t.Errorf("stats %+v", stats)
		}
		valid := fields(&events[0], "packet")
		if len(valid) != 1 || valid[0] != "10" {
			t.Errorf("packet: %q", valid)
		}
	}
}

// What did not come about, and what began before the capture.
func TestPcapAttempts(t *testing.T) {
	w := newWire(t, false)
	silent := &connection{w: w, client: netip.MustParseAddrPort("10.0.1.15:1025"), server: netip.MustParseAddrPort("203.0.113.40:443")}
	silent.segment(true, 1, "S", nil)
	silent.segment(true, 1, "S", nil)
	refused := &connection{w: w, client: netip.MustParseAddrPort("10.0.1.15:1026"), server: netip.MustParseAddrPort("203.0.113.40:443")}
	refused.segment(true, 1, "S", nil)
	refused.segment(false, 1, "RA", nil)
	old := &connection{w: w, client: netip.MustParseAddrPort("10.0.1.15:1027"), server: netip.MustParseAddrPort("203.0.113.40:443")}
	old.segment(false, 1, "A", []byte("data"))
	events, _ := w.events(network.PcapOptions{})
	check(t, events,
		"pcap.flow network_activity/5 status=2 dir=2 proto=6 src=10.0.1.15 sport=1026 dst=203.0.113.40 dport=443 out=40/1 in=40/1 time=2026-08-29T10:40:00.03 start=2026-08-29T10:40:00.02 end=2026-08-29T10:40:00.03",
		"pcap.flow network_activity/4 status=2 dir=2 proto=6 src=10.0.1.15 sport=1025 dst=203.0.113.40 dport=443 out=80/2 in=0/0 time=2026-08-29T10:40:00.01 start=2026-08-29T10:40:00 end=2026-08-29T10:40:00.01",
		"pcap.flow network_activity/6 dir=2 proto=6 src=10.0.1.15 sport=1027 dst=203.0.113.40 dport=443 out=0/0 in=44/1 time=2026-08-29T10:40:00.04 start=2026-08-29T10:40:00.04 end=2026-08-29T10:40:00.04",
	)
}

// A flow ends when it was quiet for long, is told of in between when it goes
// on for long, and its ports may be used again.
func TestPcapTimeouts(t *testing.T) {
	const opts = 1 * time.Minute
	w := newWire(t, false)
	for range 5 { // every 20 s: 80 s in all
		w.udp("10.0.1.15:5000", "203.0.113.40:5001", make([]byte, 100))
		w.at = w.at.Add(20 * time.Second)
	}
	w.at = w.at.Add(2 * time.Minute)
	w.udp("10.0.1.15:5000", "203.0.113.40:5001", make([]byte, 100))
	c := w.connect("10.0.1.15:6000", "203.0.113.40:6001")
	c.close()
	w.connect("10.0.1.15:6000", "203.0.113.40:6001")
	events, _ := w.events(network.PcapOptions{Idle: opts, Active: opts})
	var got []int64
	for _, ev := range events {
		got = append(got, ev.Traffic.PacketsOut)
	}
	// Three packets in the first minute, and two; the first connection, which is
	// told of when its ports are used again; what is left.
	if want := []int64{3, 2, 4, 1, 2}; !equal(got, want) {
		t.Errorf("packets of the flows: %v, want %v", got, want)
	}
}

func equal(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestPcapHTTP(t *testing.T) {
	w := newWire(t, false)
	c := w.connect("10.0.1.15:50123", "203.0.113.40:8080")
	c.say(true, []byte("POST /up?x=1 HTTP/1.1\r\nHost: files.example.com:8080\r\nUser-Agent: curl/8.5.0\r\nContent-Length: 26\r\n\r\nGET /not HTTP/1.1\r\nbody...GET /second HTTP/1.1\r\nhost: files.example.com:8080\r\n\r\n"), 30)
	c.say(false, []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), 100)
	c.say(true, []byte("PUT /third HTTP/1.1\r\nHost: files.example.com:8080\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), 1000)
	c.say(true, []byte("GET /fourth HTTP/1.1\r\nHost: files.example.com:8080\r\n\r\n"), 1000)
	c.close()
	proxy := w.connect("10.0.1.15:50124", "10.0.0.3:3128")
	proxy.say(true, []byte("CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n"), 1000)
	proxy.say(true, hello(t, "api.example.com"), 1000)
	other := w.connect("10.0.1.15:50125", "203.0.113.41:2222")
	other.say(true, []byte("SSH-2.0-client\r\n"), 1000)
	events, _ := w.events(network.PcapOptions{})
	const common = "dir=2 proto=6 src=10.0.1.15 sport=50123 dst=203.0.113.40 dport=8080 host=files.example.com"
	requests := only(events, "pcap.http")
	for i := range requests {
		requests[i].Time = time.Time{}
	}
	check(t, requests,
		"pcap.http http_activity/6 "+common+" method=POST url=http://files.example.com:8080/up?x=1 version=1.1 agent=curl/8.5.0",
		"pcap.http http_activity/3 "+common+" method=GET url=http://files.example.com:8080/second version=1.1",
		"pcap.http http_activity/7 "+common+" method=PUT url=http://files.example.com:8080/third version=1.1",
		"pcap.http http_activity/3 "+common+" method=GET url=http://files.example.com:8080/fourth version=1.1",
		"pcap.http http_activity/1 dir=2 proto=6 src=10.0.1.15 sport=50124 dport=443 host=api.example.com method=CONNECT version=1.1",
	)
	for _, ev := range only(events, "pcap.flow") {
		if want := map[uint16]string{50123: "files.example.com", 50124: "", 50125: ""}[ev.Src.Port]; ev.Dst.Hostname != want {
			t.Errorf("the flow from %d is to %q, want %q", ev.Src.Port, ev.Dst.Hostname, want)
		}
	}
}

// dnsMessage is a question for name, or its answer.
func dnsMessage(tb testing.TB, name string, answers ...layers.DNSResourceRecord) []byte {
	tb.Helper()
	m := &layers.DNS{ID: 4711, RD: true, QR: answers != nil, Questions: []layers.DNSQuestion{{Name: []byte(name), Type: layers.DNSTypeA, Class: layers.DNSClassIN}}, Answers: answers}
	buffer := gopacket.NewSerializeBuffer()
	if err := m.SerializeTo(buffer, gopacket.SerializeOptions{FixLengths: true}); err != nil {
		tb.Fatal(err)
	}
	return buffer.Bytes()
}

func TestPcapDNS(t *testing.T) {
	question := dnsMessage(t, "www.example.com")
	answer := dnsMessage(t, "www.example.com",
		layers.DNSResourceRecord{Name: []byte("www.example.com"), Type: layers.DNSTypeCNAME, Class: layers.DNSClassIN, TTL: 60, CNAME: []byte("edge.example.net")},
		layers.DNSResourceRecord{Name: []byte("edge.example.net"), Type: layers.DNSTypeA, Class: layers.DNSClassIN, TTL: 60, IP: net.IP{203, 0, 113, 40}})
	stream := func(message []byte) []byte {
		return append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
	}
	want := func(source, port string) []string {
		return []string{
			"pcap.dns dns_activity/1 " + source + port + " query=www.example.com type=A",
			"pcap.dns dns_activity/2 status=1 " + source + port + " query=www.example.com type=A rcode=NOERROR answer=203.0.113.40",
		}
	}
	w := newWire(t, false)
	w.udp("10.0.1.15:40000", "10.0.0.53:53", question)
	w.udp("10.0.0.53:53", "10.0.1.15:40000", answer)
	w.udp("10.0.0.53:53", "10.0.1.15:40000", []byte("no message at all"))
	w.udp("[2001:db8:1::5]:40000", "[2001:db8::53]:53", question)
	w.udp("[2001:db8::53]:53", "[2001:db8:1::5]:40000", answer)
	c := w.connect("10.0.1.15:40001", "10.0.0.53:53")
	c.say(true, stream(question), 7)
	c.say(false, append(stream(answer), stream(answer)...), 33)
	events, _ := w.events(network.PcapOptions{})
	messages := only(events, "pcap.dns")
	for i := range messages {
		messages[i].Time = time.Time{}
	}
	tcp := want("dir=3 proto=6 src=10.0.1.15 sport=40001", " dst=10.0.0.53 dport=53")
	check(t, messages, append(append(
		want("dir=3 proto=17 src=10.0.1.15 sport=40000", " dst=10.0.0.53 dport=53"),
		want("proto=17 src=2001:db8:1::5 sport=40000", " dst=2001:db8::53 dport=53")...),
		tcp[0], tcp[1], tcp[1])...)
	if got := fields(&messages[1], "answer"); len(got) != 1 || got[0] != "edge.example.net" {
		t.Errorf("answer: %q", got)
	}
}

// Of packets that the snap length cut, the bytes are those of the wire, and the
// name counts when it was captured.
func TestPcapTruncated(t *testing.T) {
	whole := hello(t, "api.example.com")
	at := bytes.Index(whole, []byte("api.example.com"))
	for _, tt := range []struct {
		name string
		snap int
		host string
	}{{"behind the name", 54 + at + 20, "api.example.com"}, {"in the name", 54 + at + 3, ""}, {"headers", 54, ""}, {"ports", 40, ""}} {
		w := newWire(t, false)
		w.snap = tt.snap
		c := w.connect("10.0.1.15:50123", "203.0.113.40:443")
		c.say(true, whole, len(whole))
		c.say(true, []byte("more"), 4)
		events, stats := w.events(network.PcapOptions{})
		flows := only(events, "pcap.flow")
		if len(flows) != 1 || flows[0].Traffic.BytesOut != int64(4*40+len(whole)+4) || flows[0].Dst.Port != 443 {
			t.Errorf("%s: flows %+v", tt.name, flows)
			continue
		}
		if got := flows[0].Dst.Hostname; got != tt.host && tt.host != "" || tt.host == "" && strings.Contains(got, "api.example.com") {
			t.Errorf("%s: the name is %q, want %q", tt.name, got, tt.host)
		}
		if stats.Truncated == 0 {
			t.Errorf("%s: %+v", tt.name, stats)
		}
	}
}

// Fragments count with the flow of the first one, and are counted.
func TestPcapFragments(t *testing.T) {
	w := newWire(t, false)
	src, dst := net.IP{10, 0, 1, 15}, net.IP{203, 0, 113, 40}
	udp := make([]byte, 1480)
	binary.BigEndian.PutUint16(udp, 5000)
	binary.BigEndian.PutUint16(udp[2:], 5001)
	binary.BigEndian.PutUint16(udp[4:], 3000)
	for i, part := range [][]byte{udp, make([]byte, 1480), make([]byte, 40)} {
		header := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: src, DstIP: dst, Id: 77, FragOffset: uint16(i * 185)}
		if i < 2 {
			header.Flags = layers.IPv4MoreFragments
		}
		w.frame(layers.EthernetTypeIPv4, header, gopacket.Payload(part))
	}
	w.frame(layers.EthernetTypeIPv4, &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: src, DstIP: dst, Id: 78, FragOffset: 185}, gopacket.Payload(make([]byte, 40)))
	events, stats := w.events(network.PcapOptions{})
	if len(events) != 1 || events[0].Traffic.BytesOut != 3060 || events[0].Traffic.PacketsOut != 3 {
		t.Errorf("events %+v", events)
	}
	if stats.Fragments != 4 {
		t.Errorf("stats %+v", stats)
	}
}

// Flows and streams have bounds; what does not fit is counted.
func TestPcapBounds(t *testing.T) {
	w := newWire(t, false)
	for i := range 100 {
		c := w.connect(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, 15}), uint16(20000+i)).String(), "203.0.113.40:80")
		c.say(true, []byte("GET / HTTP/1.1\r\nHost: a.example.com\r\nX: "+strings.Repeat("x", 2000)), 1400)
	}
	events, stats := w.events(network.PcapOptions{MaxFlows: 10, MaxBuffered: 10000})
	if len(events) != 100 || stats.Evicted != 90 || stats.Skipped == 0 {
		t.Errorf("%d events, stats %+v", len(events), stats)
	}
}

// A file that is cut gives what was in it, and says so.
func TestPcapCut(t *testing.T) {
	w := newWire(t, false)
	w.udp("10.0.1.15:5000", "203.0.113.40:5001", make([]byte, 100))
	w.udp("10.0.1.15:5000", "203.0.113.40:5001", make([]byte, 100))
	events, _, err := readCapture(t, w.file.Bytes()[:w.file.Len()-30], network.PcapOptions{})
	if err == io.EOF || err == nil || len(events) != 1 || events[0].Traffic.PacketsOut != 1 {
		t.Errorf("%d events, %v", len(events), err)
	}
	if _, err := network.NewPcap(strings.NewReader("not a capture"), network.PcapOptions{}); err == nil {
		t.Error("any file is taken for a capture")
	}
}
