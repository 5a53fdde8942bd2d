package resolver

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/vegress/vegress/event"
)

const (
	maxPacket  = 4096 // bytes that are read of a packet
	maxAnswers = 32   // addresses that are kept of it
)

// packetAnswers puts the addresses in the answer section of a DNS message
// (RFC 1035) into ev. text is the message in hex; what is cut off, or is no
// message, gives the addresses in front of that.
func packetAnswers(text string, ev *event.Event) {
	text = strings.TrimPrefix(text, "0x")
	var buffer [maxPacket]byte
	n, _ := hex.Decode(buffer[:], []byte(text[:min(len(text), 2*maxPacket)&^1]))
	p := packet{rest: buffer[:n]}
	if n < headerSize {
		return
	}
	questions, answers := p.number(4), p.number(6)
	p.rest = p.rest[headerSize:]
	for range questions {
		if !p.name() || !p.skip(4) {
			return
		}
	}
	for range answers {
		addr, ok := p.record()
		if !ok {
			return
		}
		if addr.IsValid() && len(ev.DNS.Answers) < maxAnswers {
			ev.DNS.Answers = append(ev.DNS.Answers, addr)
		}
	}
}

const headerSize = 12

// packet is what is left of a DNS message.
type packet struct{ rest []byte }

func (p *packet) number(at int) uint16 { return binary.BigEndian.Uint16(p.rest[at:]) }

func (p *packet) skip(n int) bool {
	if n > len(p.rest) {
		return false
	}
	p.rest = p.rest[n:]
	return true
}

// name skips a name: labels up to the root, or to a pointer.
func (p *packet) name() bool {
	for len(p.rest) > 0 {
		n := int(p.rest[0])
		switch {
		case n == 0:
			return p.skip(1)
		case n >= 0xc0:
			return p.skip(2)
		case !p.skip(1 + n):
			return false
		}
	}
	return false
}

// Types of records with an address.
const (
	typeA    = 1
	typeAAAA = 28
)

// record skips a record. The address is valid when the record has one.
func (p *packet) record() (addr netip.Addr, ok bool) {
	if !p.name() || len(p.rest) < 10 {
		return addr, false
	}
	kind, size := p.number(0), int(p.number(8))
	p.skip(10)
	if size > len(p.rest) {
		return addr, false
	}
	if kind == typeA && size == 4 || kind == typeAAAA && size == 16 {
		addr, _ = netip.AddrFromSlice(p.rest[:size])
	}
	return addr, p.skip(size)
}
