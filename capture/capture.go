// Package capture reads files of captured packets: pcap and pcapng. It finds
// the IP packet in a frame and reads nothing in it. What a file can make grow is
// bounded: a packet, a block, the interfaces of a section.
package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Packet is a captured packet.
type Packet struct {
	Link   uint32    // a link type of tcpdump.org
	Time   time.Time // UTC; zero: the file does not say
	Data   []byte    // the frame, as far as it was captured; the Reader's until its next call
	Length int       // bytes of the frame on the wire
}

// MaxPacket bounds a captured packet, in bytes.
const MaxPacket = 256 << 10

// Reader gives the packets of one file. It is not safe for concurrent use.
type Reader struct {
	in   *bufio.Reader
	n    int // packets, or blocks
	next func() (Packet, bool, error)
	data []byte
	head [16]byte

	order binary.ByteOrder
	unit  time.Duration // pcap: of the part of a second
	link  uint32        // pcap

	interfaces []captured // pcapng
}

// Is says that a file that begins so, with four bytes, is a capture.
func Is(magic []byte) bool {
	return len(magic) >= 4 && (binary.BigEndian.Uint32(magic) == blockSection || pcapOrder(magic) != nil)
}

var errNone = errors.New("packet capture: neither pcap nor pcapng")

// NewReader reads the head of a file.
func NewReader(in *bufio.Reader) (*Reader, error) {
	magic, err := in.Peek(4)
	if err != nil {
		return nil, fmt.Errorf("packet capture: header cut short: %w", err)
	}
	r := &Reader{in: in}
	switch {
	case !Is(magic):
		return nil, errNone
	case pcapOrder(magic) == nil:
		r.next = r.nextNG
		return r, nil
	}
	r.next = r.nextPcap
	return r, r.header()
}

// Next gives the next packet; io.EOF: there is none. After an error there is
// no more.
func (r *Reader) Next() (Packet, error) {
	for {
		r.n++
		p, ok, err := r.next()
		if err != nil || ok {
			return p, err
		}
	}
}

// take reads n bytes that are good until its next call.
func (r *Reader) take(n int) ([]byte, error) {
	if cap(r.data) < n {
		r.data = make([]byte, n)
	}
	r.data = r.data[:n]
	_, err := io.ReadFull(r.in, r.data)
	return r.data, err
}
