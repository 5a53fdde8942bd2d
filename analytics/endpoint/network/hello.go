package network

import (
	"encoding/binary"

	"github.com/vegress/vegress/event"
)

// TLS, as far as a ClientHello goes (RFC 8446 sections 4.1.2 and 5.1, RFC 6066
// section 3, RFC 7301).
const (
	recordHandshake = 22
	recordHeader    = 5

	handshakeHello  = 1
	handshakeHeader = 4

	extensionServerName = 0
	extensionALPN       = 16
)

var fieldALPN = event.Intern("tls.alpn")

// clientHello is what a client says first.
type clientHello struct {
	server    string
	protocols []string // by ALPN
}

// handshake reads a ClientHello at the begin of a stream: one connection has
// one. It takes all of the stream when it is done.
func (p *Pcap) handshake(f *flow, side *stream, s *segment, last bool, tell func(*event.Event)) int {
	message, whole := handshakeMessage(side.data)
	if !whole && !last && len(side.data) < maxStream {
		return 0
	}
	side.state = streamDone
	hello, ok := parseHello(message)
	if !ok {
		return len(side.data)
	}
	ev := p.begin(f, "pcap.tls", s.at)
	ev.Class, ev.Activity = event.NetworkActivity, event.NetworkOpen
	setServerName(ev, hello.server)
	f.host, f.via = ev.Dst.Hostname, ev.Dst.NameVia
	for _, protocol := range hello.protocols {
		ev.Add(fieldALPN, protocol)
	}
	p.tell(tell)
	return len(side.data)
}

// handshakeMessage gives the first handshake message in the records of data,
// which may cut it anywhere; not whole: there is more to come.
func handshakeMessage(data []byte) (message []byte, whole bool) {
	for len(data) >= recordHeader && data[0] == recordHandshake {
		length := int(binary.BigEndian.Uint16(data[3:]))
		body := data[recordHeader:min(recordHeader+length, len(data))]
		message = append(message, body...)
		if len(message) >= handshakeHeader {
			if size := handshakeHeader + int(message[1])<<16 + int(message[2])<<8 + int(message[3]); len(message) >= size {
				return message[:size], true
			}
			if message[0] != handshakeHello {
				return nil, true
			}
		}
		if len(body) < length {
			return message, false
		}
		data = data[recordHeader+length:]
	}
	return message, len(data) > 0 && data[0] != recordHandshake
}

// parseHello reads a ClientHello, or as much of one as there is.
func parseHello(message []byte) (h clientHello, ok bool) {
	if len(message) < handshakeHeader+34 || message[0] != handshakeHello {
		return h, false
	}
	b := cursor{message[handshakeHeader+34:]} // behind version and random
	if !b.skip8() || !b.skip16() || !b.skip8() {
		return h, true
	}
	b.number16() // length of the extensions: what there is counts
	for len(b.rest) >= 4 {
		kind, body := b.number16(), b.take16()
		switch kind {
		case extensionServerName:
			h.server = serverName(body)
		case extensionALPN:
			h.protocols = protocolNames(body)
		}
	}
	return h, true
}

// serverName reads the first host name of the list.
func serverName(body []byte) string {
	b := cursor{body}
	b.number16()
	for len(b.rest) >= 3 {
		kind := b.rest[0]
		b.rest = b.rest[1:]
		if name := b.take16(); kind == 0 && isHostName(name) {
			return string(name)
		}
	}
	return ""
}

// isHostName keeps what is no host name out of events: who writes it chooses
// it.
func isHostName(name []byte) bool {
	if len(name) == 0 || len(name) > 253 {
		return false
	}
	for _, c := range name {
		if c <= ' ' || c >= 0x7f || c == '/' || c == '"' {
			return false
		}
	}
	return true
}

// maxProtocols bounds the names by ALPN that are kept.
const maxProtocols = 8

func protocolNames(body []byte) (names []string) {
	b := cursor{body}
	b.number16()
	for len(b.rest) > 1 && len(names) < maxProtocols {
		n := int(b.rest[0])
		if n == 0 || n >= len(b.rest) {
			break
		}
		names = append(names, string(b.rest[1:1+n]))
		b.rest = b.rest[1+n:]
	}
	return names
}

// cursor reads numbers and vectors off the front of bytes. Of a vector that is
// cut it gives what is there.
type cursor struct{ rest []byte }

func (c *cursor) number16() int {
	if len(c.rest) < 2 {
		c.rest = nil
		return 0
	}
	n := int(binary.BigEndian.Uint16(c.rest))
	c.rest = c.rest[2:]
	return n
}

func (c *cursor) take16() []byte {
	n := min(c.number16(), len(c.rest))
	body := c.rest[:n]
	c.rest = c.rest[n:]
	return body
}

func (c *cursor) skip16() bool {
	n := c.number16()
	if n > len(c.rest) {
		c.rest = nil
		return false
	}
	c.rest = c.rest[n:]
	return true
}

func (c *cursor) skip8() bool {
	if len(c.rest) == 0 || int(c.rest[0]) >= len(c.rest) {
		ok := len(c.rest) > 0 && c.rest[0] == 0
		c.rest = nil
		return ok
	}
	c.rest = c.rest[1+int(c.rest[0]):]
	return true
}
