package ipfix

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"time"
)

// Messages reads the messages in a file: a packet capture (pcap or pcapng, of
// Ethernet, Linux cooked, raw IP or loopback links), of which all datagrams count
// that begin like one; or messages one after the other as they were sent. Data
// is new for each. After an error there is no more.
func Messages(r io.Reader) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		in := bufio.NewReaderSize(r, 1<<16)
		magic, err := in.Peek(4)
		if err != nil {
			if !errors.Is(err, io.EOF) || len(magic) > 0 {
				yield(Message{}, fmt.Errorf("read the first bytes: %w", err))
			}
			return
		}
		give := func(m Message) error {
			if !yield(m, nil) {
				return errStopped
			}
			return nil
		}
		switch {
		case binary.BigEndian.Uint32(magic) == blockSection:
			err = readCaptureNG(in, give)
		case pcapOrder(magic) != nil:
			err = readCapture(in, give)
		default:
			err = readRaw(in, give)
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(Message{}, err)
		}
	}
}

var errStopped = errors.New("the reader wants no more")

// maxMessage is more than a UDP datagram can hold.
const maxMessage = 1 << 16

// readRaw reads messages that follow each other. IPFIX says its length; a
// NetFlow message ends where another begins, whose version is no set's id.
func readRaw(in *bufio.Reader, give func(Message) error) error {
	for at := int64(0); ; {
		head, err := in.Peek(4)
		if len(head) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("message at byte %d: cut short", at)
		}
		var data []byte
		switch version := binary.BigEndian.Uint16(head); version {
		case versionIPFIX:
			data = make([]byte, max(int(binary.BigEndian.Uint16(head[2:])), headerIPFIX))
			_, err = io.ReadFull(in, data)
		case versionNetFlow:
			data, err = readNetFlowMessage(in)
		default:
			return fmt.Errorf("message at byte %d: neither IPFIX nor NetFlow 9 (version %d), and no packet capture", at, version)
		}
		if err != nil {
			return fmt.Errorf("message at byte %d: cut short: %w", at, err)
		}
		at += int64(len(data))
		if err := give(Message{Data: string(data)}); err != nil {
			return err
		}
	}
}

func readNetFlowMessage(in *bufio.Reader) ([]byte, error) {
	data := make([]byte, headerNetFlow)
	if _, err := io.ReadFull(in, data); err != nil {
		return nil, err
	}
	for len(data) < maxMessage {
		head, err := in.Peek(headerSet)
		if err != nil {
			break
		}
		id, length := binary.BigEndian.Uint16(head), int(binary.BigEndian.Uint16(head[2:]))
		if id == versionNetFlow || id == versionIPFIX || length < headerSet {
			break
		}
		set := make([]byte, length)
		if _, err := io.ReadFull(in, set); err != nil {
			return nil, err
		}
		data = append(data, set...)
	}
	return data, nil
}

// packet is a captured packet.
type packet struct {
	link uint32
	at   time.Time
	data []byte
}

// message finds the flow message in a packet.
func (p *packet) message() (m Message, ok bool) {
	ip, ok := network(p.link, p.data)
	if !ok {
		return m, false
	}
	src, udp, ok := transport(ip)
	if !ok || len(udp) < 8 {
		return m, false
	}
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if length < 8 || length > len(udp) {
		length = len(udp)
	}
	data := udp[8:length]
	if len(data) < 2 {
		return m, false
	}
	if v := binary.BigEndian.Uint16(data); v != versionIPFIX && v != versionNetFlow {
		return m, false
	}
	peer := netip.AddrPortFrom(src, binary.BigEndian.Uint16(udp))
	return Message{Data: string(data), Peer: peer, Received: p.at.UTC()}, true
}

// Link types (https://www.tcpdump.org/linktypes.html).
const (
	linkNull     = 0
	linkEthernet = 1
	linkRaw      = 101
	linkLoop     = 108
	linkCooked   = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkCooked2  = 276
)

// network is the IP packet in a frame.
func network(link uint32, frame []byte) (ip []byte, ok bool) {
	skip := -1
	switch link {
	case linkRaw, 12, 14, linkIPv4, linkIPv6: // 12 and 14 are raw IP on BSDs
		skip = 0
	case linkNull, linkLoop:
		skip = 4
	case linkCooked:
		skip = 16
	case linkCooked2:
		skip = 20
	case linkEthernet:
		return ethernet(frame)
	}
	if skip < 0 || skip >= len(frame) {
		return nil, false
	}
	return frame[skip:], true
}

// ethernet looks behind up to two VLAN tags.
func ethernet(frame []byte) (ip []byte, ok bool) {
	at := 12
	for range 3 {
		if len(frame) < at+2 {
			return nil, false
		}
		switch binary.BigEndian.Uint16(frame[at:]) {
		case 0x0800, 0x86dd:
			return frame[at+2:], true
		case 0x8100, 0x88a8, 0x9100:
			at += 4
		default:
			return nil, false
		}
	}
	return nil, false
}

// transport is the UDP datagram in an IP packet. Fragments are left out.
func transport(ip []byte) (src netip.Addr, udp []byte, ok bool) {
	const protocolUDP = 17
	if len(ip) < 1 {
		return src, nil, false
	}
	switch ip[0] >> 4 {
	case 4:
		header := int(ip[0]&15) * 4
		if header < 20 || len(ip) < header || ip[9] != protocolUDP || binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
			return src, nil, false
		}
		end := int(binary.BigEndian.Uint16(ip[2:]))
		if end < header || end > len(ip) {
			end = len(ip)
		}
		return netip.AddrFrom4([4]byte(ip[12:16])), ip[header:end], true
	case 6:
		if len(ip) < 40 || ip[6] != protocolUDP {
			return src, nil, false
		}
		return netip.AddrFrom16([16]byte(ip[8:24])).Unmap(), ip[40:], true
	}
	return src, nil, false
}

// maxPacket bounds a captured packet.
const maxPacket = 256 << 10

// pcapOrder is the byte order that a capture's first four bytes tell; nil: it
// is none.
func pcapOrder(magic []byte) binary.ByteOrder {
	for _, order := range []binary.ByteOrder{binary.BigEndian, binary.LittleEndian} {
		switch order.Uint32(magic) {
		case 0xa1b2c3d4, 0xa1b23c4d:
			return order
		}
	}
	return nil
}

// readCapture reads a pcap file.
func readCapture(in io.Reader, give func(Message) error) error {
	var head [24]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return fmt.Errorf("packet capture: header cut short: %w", err)
	}
	order := pcapOrder(head[:])
	unit := time.Microsecond
	if order.Uint32(head[:]) == 0xa1b23c4d {
		unit = time.Nanosecond
	}
	link := order.Uint32(head[20:]) & 0xffff
	var each [16]byte
	for n := 1; ; n++ {
		if _, err := io.ReadFull(in, each[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("packet capture: packet %d: cut short: %w", n, err)
		}
		length := order.Uint32(each[8:])
		if length > maxPacket {
			return fmt.Errorf("packet capture: packet %d: %d bytes: more than %d", n, length, maxPacket)
		}
		p := packet{link: link, data: make([]byte, length)}
		p.at = time.Unix(int64(order.Uint32(each[:])), int64(order.Uint32(each[4:]))*int64(unit))
		if _, err := io.ReadFull(in, p.data); err != nil {
			return fmt.Errorf("packet capture: packet %d: cut short: %w", n, err)
		}
		if m, ok := p.message(); ok {
			if err := give(m); err != nil {
				return err
			}
		}
	}
}

// Blocks of a pcapng file (draft-ietf-opsawg-pcapng).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockSimple    = 3
	blockEnhanced  = 6
	blockMagic     = 0x1a2b3c4d
	maxBlock       = maxPacket + 4096
	maxInterfaces  = 4096
)

// captured is an interface of a pcapng section.
type captured struct {
	link uint32
	unit float64 // seconds
}

// sectionNG is what holds until a pcapng file's next section.
type sectionNG struct {
	order      binary.ByteOrder
	interfaces []captured
}

func readCaptureNG(in *bufio.Reader, give func(Message) error) error {
	var s sectionNG
	for n := 1; ; n++ {
		kind, body, err := s.block(in)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("packet capture: block %d: %w", n, err)
		}
		var p packet
		var ok bool
		switch kind {
		case blockInterface:
			err = s.addInterface(body)
		case blockEnhanced:
			p, ok = s.enhanced(body)
		case blockSimple:
			p, ok = s.simple(body)
		}
		if err != nil {
			return fmt.Errorf("packet capture: block %d: %w", n, err)
		}
		if !ok {
			continue
		}
		if m, is := p.message(); is {
			if err := give(m); err != nil {
				return err
			}
		}
	}
}

// block reads one block. A section's head says the byte order of what follows.
func (s *sectionNG) block(in *bufio.Reader) (kind uint32, body []byte, err error) {
	head, err := in.Peek(12)
	if len(head) == 0 {
		return 0, nil, io.EOF
	}
	if err != nil {
		return 0, nil, errors.New("cut short")
	}
	if binary.BigEndian.Uint32(head) == blockSection {
		s.order, s.interfaces = binary.LittleEndian, nil
		if binary.BigEndian.Uint32(head[8:]) == blockMagic {
			s.order = binary.BigEndian
		}
	}
	kind = s.order.Uint32(head)
	length := s.order.Uint32(head[4:])
	if length < 12 || length > maxBlock || length%4 != 0 {
		return 0, nil, fmt.Errorf("a length of %d bytes", length)
	}
	body = make([]byte, length)
	if _, err := io.ReadFull(in, body); err != nil {
		return 0, nil, fmt.Errorf("cut short: %w", err)
	}
	return kind, body[8 : length-4], nil
}

func (s *sectionNG) addInterface(body []byte) error {
	if len(body) < 8 || len(s.interfaces) >= maxInterfaces {
		return errors.New("an interface that cannot be")
	}
	i := captured{link: uint32(s.order.Uint16(body)), unit: 1e-6}
	const resolution = 9
	for rest := body[8:]; len(rest) >= 4; {
		code, length := s.order.Uint16(rest), int(s.order.Uint16(rest[2:]))
		if len(rest) < 4+length {
			break
		}
		if code == resolution && length == 1 {
			i.unit = unitOf(rest[4])
		}
		rest = rest[min(len(rest), 4+(length+3)/4*4):]
	}
	s.interfaces = append(s.interfaces, i)
	return nil
}

// unitOf reads a resolution: a negative power of 10, or of 2.
func unitOf(b byte) float64 {
	base, unit := 10.0, 1.0
	if b&0x80 != 0 {
		base = 2
	}
	for range b & 0x7f {
		unit /= base
	}
	return unit
}

func (s *sectionNG) enhanced(body []byte) (p packet, ok bool) {
	if len(body) < 20 {
		return p, false
	}
	id, length := s.order.Uint32(body), int64(s.order.Uint32(body[12:]))
	if int64(id) >= int64(len(s.interfaces)) || length > int64(len(body)-20) {
		return p, false
	}
	i := s.interfaces[id]
	ticks := float64(uint64(s.order.Uint32(body[4:]))<<32 | uint64(s.order.Uint32(body[8:])))
	seconds := ticks * i.unit
	if seconds > latest {
		return p, false
	}
	whole := int64(seconds)
	p = packet{link: i.link, data: body[20 : 20+length]}
	// Microseconds are what is left of 2026 in a float64, and what matters.
	p.at = time.Unix(whole, int64((seconds-float64(whole))*1e6)*1000)
	return p, true
}

// simple is a packet without a time, of the first interface.
func (s *sectionNG) simple(body []byte) (p packet, ok bool) {
	if len(body) < 4 || len(s.interfaces) == 0 {
		return p, false
	}
	length := min(int64(s.order.Uint32(body)), int64(len(body)-4))
	return packet{link: s.interfaces[0].link, data: body[4 : 4+length]}, true
}
