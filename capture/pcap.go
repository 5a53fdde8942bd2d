package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

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

// header reads the head of a pcap file (draft-ietf-opsawg-pcap).
func (r *Reader) header() error {
	var head [24]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return fmt.Errorf("packet capture: header cut short: %w", err)
	}
	r.order = pcapOrder(head[:])
	r.unit = time.Microsecond
	if r.order.Uint32(head[:]) == 0xa1b23c4d {
		r.unit = time.Nanosecond
	}
	r.link = r.order.Uint32(head[20:]) & 0xffff
	return nil
}

func (r *Reader) nextPcap() (p Packet, ok bool, err error) {
	head := r.head[:]
	if _, err := io.ReadFull(r.in, head); err == io.EOF {
		return p, false, io.EOF
	} else if err != nil {
		return p, false, fmt.Errorf("packet capture: packet %d: cut short: %w", r.n, err)
	}
	length := r.order.Uint32(head[8:])
	if length > MaxPacket {
		return p, false, fmt.Errorf("packet capture: packet %d: %d bytes: more than %d", r.n, length, MaxPacket)
	}
	p = Packet{Link: r.link, Length: max(int(length), int(min(r.order.Uint32(head[12:]), 1<<30)))}
	p.Time = time.Unix(int64(r.order.Uint32(head)), int64(r.order.Uint32(head[4:]))*int64(r.unit)).UTC()
	if p.Data, err = r.take(int(length)); err != nil {
		return p, false, fmt.Errorf("packet capture: packet %d: cut short: %w", r.n, err)
	}
	return p, true, nil
}
