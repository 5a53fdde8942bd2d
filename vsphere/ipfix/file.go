package ipfix

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"

	"github.com/vegress/vegress/capture"
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
		case capture.Is(magic):
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

// readCapture reads the flow messages in a packet capture.
func readCapture(in *bufio.Reader, give func(Message) error) error {
	r, err := capture.NewReader(in)
	if err != nil {
		return err
	}
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if m, ok := message(&p); ok {
			if err := give(m); err != nil {
				return err
			}
		}
	}
}

// message finds the flow message in a packet.
func message(p *capture.Packet) (m Message, ok bool) {
	ip, ok := p.IP()
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
	return Message{Data: string(data), Peer: peer, Received: p.Time}, true
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
