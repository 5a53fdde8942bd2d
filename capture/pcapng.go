package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Blocks of a pcapng file (draft-ietf-opsawg-pcapng).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockSimple    = 3
	blockEnhanced  = 6
	blockMagic     = 0x1a2b3c4d
	maxBlock       = MaxPacket + 4096
	maxInterfaces  = 4096
)

// captured is an interface of a pcapng section.
type captured struct {
	link uint32
	unit float64 // seconds
}

// nextNG reads a block; not ok: it is no packet.
func (r *Reader) nextNG() (p Packet, ok bool, err error) {
	kind, body, err := r.block()
	if err == io.EOF {
		return p, false, io.EOF
	}
	if err == nil && kind == blockInterface {
		err = r.addInterface(body)
	}
	if err != nil {
		return p, false, fmt.Errorf("packet capture: block %d: %w", r.n, err)
	}
	switch kind {
	case blockEnhanced:
		p, ok = r.enhanced(body)
	case blockSimple:
		p, ok = r.simple(body)
	}
	return p, ok, nil
}

// block reads one block. A section's head says the byte order of what follows.
func (r *Reader) block() (kind uint32, body []byte, err error) {
	head, err := r.in.Peek(12)
	if len(head) == 0 {
		return 0, nil, io.EOF
	}
	if err != nil {
		return 0, nil, errors.New("cut short")
	}
	if binary.BigEndian.Uint32(head) == blockSection {
		r.order, r.interfaces = binary.LittleEndian, nil
		if binary.BigEndian.Uint32(head[8:]) == blockMagic {
			r.order = binary.BigEndian
		}
	}
	kind = r.order.Uint32(head)
	length := r.order.Uint32(head[4:])
	if length < 12 || length > maxBlock || length%4 != 0 {
		return 0, nil, fmt.Errorf("a length of %d bytes", length)
	}
	if body, err = r.take(int(length)); err != nil {
		return 0, nil, fmt.Errorf("cut short: %w", err)
	}
	return kind, body[8 : length-4], nil
}

func (r *Reader) addInterface(body []byte) error {
	if len(body) < 8 || len(r.interfaces) >= maxInterfaces {
		return errors.New("an interface that cannot be")
	}
	i := captured{link: uint32(r.order.Uint16(body)), unit: 1e-6}
	const resolution = 9
	for rest := body[8:]; len(rest) >= 4; {
		code, length := r.order.Uint16(rest), int(r.order.Uint16(rest[2:]))
		if len(rest) < 4+length {
			break
		}
		if code == resolution && length == 1 {
			i.unit = unitOf(rest[4])
		}
		rest = rest[min(len(rest), 4+(length+3)/4*4):]
	}
	r.interfaces = append(r.interfaces, i)
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

// latest bounds times, in seconds since 1970: the year 9999.
const latest = 253402300799

func (r *Reader) enhanced(body []byte) (p Packet, ok bool) {
	if len(body) < 20 {
		return p, false
	}
	id, length := r.order.Uint32(body), int64(r.order.Uint32(body[12:]))
	if int64(id) >= int64(len(r.interfaces)) || length > int64(len(body)-20) {
		return p, false
	}
	i := r.interfaces[id]
	ticks := float64(uint64(r.order.Uint32(body[4:]))<<32 | uint64(r.order.Uint32(body[8:])))
	seconds := ticks * i.unit
	if seconds > latest {
		return p, false
	}
	whole := int64(seconds)
	p = Packet{Link: i.link, Data: body[20 : 20+length], Length: max(int(length), int(min(r.order.Uint32(body[16:]), 1<<30)))}
	// Microseconds are what is left of 2026 in a float64, and what matters.
	p.Time = time.Unix(whole, int64((seconds-float64(whole))*1e6)*1000).UTC()
	return p, true
}

// simple is a packet without a time, of the first interface.
func (r *Reader) simple(body []byte) (p Packet, ok bool) {
	if len(body) < 4 || len(r.interfaces) == 0 {
		return p, false
	}
	length := min(int64(r.order.Uint32(body)), int64(len(body)-4))
	return Packet{Link: r.interfaces[0].link, Data: body[4 : 4+length], Length: int(min(r.order.Uint32(body), 1<<30))}, true
}
