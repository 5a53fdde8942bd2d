package network

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/vegress/vegress/event"
)

// dnsReader reads DNS messages.
type dnsReader struct{ message layers.DNS }

var (
	fieldDNSID     = event.Intern("dns.id")
	fieldDNSAnswer = event.Intern("answer")
)

// maxQuestions: a message that asks for more is none.
const maxQuestions = 4

// message tells of a DNS message (RFC 1035). Of an answer that is cut what is
// there counts.
func (p *Pcap) message(f *flow, data []byte, at time.Time, tell func(*event.Event)) {
	m := &p.dns.message
	if len(data) < 12 || binary.BigEndian.Uint16(data[4:]) > maxQuestions {
		return
	}
	err := m.DecodeFromBytes(data, gopacket.NilDecodeFeedback)
	if len(m.Questions) == 0 && (err != nil || len(m.Answers) == 0) {
		return
	}
	ev := p.begin(f, "pcap.dns", at)
	if f.client.Port() == portDNS && f.server.Port() != portDNS {
		ev.Src, ev.Dst = ev.Dst, ev.Src
		ev.Direction = direction(ev.Src.IP, ev.Dst.IP)
	}
	ev.Class, ev.Activity = event.DNSActivity, event.DNSQuery
	if len(m.Questions) > 0 {
		ev.DNS.Query, ev.DNS.Type = string(m.Questions[0].Name), typeName(m.Questions[0].Type)
	}
	if m.QR {
		ev.DNS.RCode = codeName(m.ResponseCode)
		p.answers(ev)
		answered(ev)
	}
	ev.AddNumber(fieldDNSID, strconv.Itoa(int(m.ID)))
	p.tell(tell)
}

// answers adds the values of an answer: addresses to DNS, others as fields.
func (p *Pcap) answers(ev *event.Event) {
	for i := range p.dns.message.Answers {
		if len(ev.Fields)+len(ev.DNS.Answers) >= maxAnswers {
			return
		}
		a := &p.dns.message.Answers[i]
		switch a.Type {
		case layers.DNSTypeA, layers.DNSTypeAAAA:
			if ip, ok := netip.AddrFromSlice(a.IP); ok {
				ev.DNS.Answers = append(ev.DNS.Answers, ip.Unmap())
			}
		case layers.DNSTypeCNAME:
			addText(ev, fieldDNSAnswer, string(a.CNAME))
		case layers.DNSTypePTR:
			addText(ev, fieldDNSAnswer, string(a.PTR))
		case layers.DNSTypeTXT:
			addText(ev, fieldDNSAnswer, joined(a.TXTs))
		}
	}
}

func joined(parts [][]byte) string {
	var b strings.Builder
	for _, part := range parts {
		b.Write(part)
	}
	return b.String()
}

// dnsStream reads a message off a stream: its length stands in front.
func (p *Pcap) dnsStream(f *flow, side *stream, s *segment, tell func(*event.Event)) (n int, more bool) {
	if len(side.data) < 2 {
		return 0, false
	}
	length := int(binary.BigEndian.Uint16(side.data))
	if length < 12 || 2+length > maxStream {
		side.state = streamDone
		return len(side.data), false
	}
	if len(side.data) < 2+length {
		return 0, false
	}
	p.message(f, side.data[2:2+length], s.at, tell)
	return 2 + length, true
}

// typeName is the name of a record's type, or its number (RFC 3597).
func typeName(t layers.DNSType) string {
	switch t {
	case layers.DNSTypeA:
		return "A"
	case layers.DNSTypeAAAA:
		return "AAAA"
	case layers.DNSTypeCNAME:
		return "CNAME"
	case layers.DNSTypeMX:
		return "MX"
	case layers.DNSTypeNS:
		return "NS"
	case layers.DNSTypePTR:
		return "PTR"
	case layers.DNSTypeSOA:
		return "SOA"
	case layers.DNSTypeSRV:
		return "SRV"
	case layers.DNSTypeTXT:
		return "TXT"
	case 64:
		return "SVCB"
	case 65:
		return "HTTPS"
	case 255:
		return "ANY"
	case 10:
		return "NULL"
	}
	return "TYPE" + strconv.Itoa(int(t))
}

var codeNames = [...]string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"}

// codeName is the name of a response code, or its number.
func codeName(c layers.DNSResponseCode) string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "RCODE" + strconv.Itoa(int(c))
}
