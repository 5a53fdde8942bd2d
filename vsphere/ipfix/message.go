package ipfix

import (
	"encoding/binary"
	"time"
)

// Versions of the protocol.
const (
	versionNetFlow = 9
	versionIPFIX   = 10
)

// header is what the messages of both protocols begin with, and when they came.
type header struct {
	version  uint16
	domain   uint32
	sequence uint32
	exported time.Time
	uptime   uint32 // NetFlow: milliseconds since the exporter's boot, at exported
	received time.Time
}

const (
	headerIPFIX   = 16
	headerNetFlow = 20
	headerSet     = 4
)

// readHeader reads a message's header, and gives its sets.
func readHeader(data string) (h header, body string, why Malformed) {
	if len(data) < 2 {
		return h, "", ShortHeader
	}
	switch h.version = u16(data); h.version {
	case versionIPFIX:
		return readIPFIX(h, data)
	case versionNetFlow:
		return readNetFlow(h, data)
	}
	return h, "", UnknownVersion
}

func readIPFIX(h header, data string) (header, string, Malformed) {
	if len(data) < headerIPFIX {
		return h, "", ShortHeader
	}
	length := int(u16(data[2:]))
	if length < headerIPFIX || length > len(data) {
		return h, "", BadLength
	}
	h.exported = time.Unix(int64(u32(data[4:])), 0).UTC()
	h.sequence, h.domain = u32(data[8:]), u32(data[12:])
	return h, data[headerIPFIX:length], 0
}

func readNetFlow(h header, data string) (header, string, Malformed) {
	if len(data) < headerNetFlow {
		return h, "", ShortHeader
	}
	h.uptime = u32(data[4:])
	h.exported = time.Unix(int64(u32(data[8:])), 0).UTC()
	h.sequence, h.domain = u32(data[12:]), u32(data[16:])
	return h, data[headerNetFlow:], 0
}

// message goes through the sets of a message.
func (d *Decoder) message(s *session, h *header, body string, take func(*Record)) {
	records, whole := 0, true // data records in it, as far as that is known
	for len(body) >= headerSet {
		id, length := u16(body), int(u16(body[2:]))
		if length < headerSet || length > len(body) {
			d.malformed(BadSetLength)
			whole = false
			break
		}
		n, known := d.set(s, h, id, body[headerSet:length], take)
		records, whole = records+n, whole && known
		body = body[length:]
	}
	d.sequence(s, h, records, whole)
}

// Ids of sets.
const (
	netflowTemplates = 0
	netflowOptions   = 1
	ipfixTemplates   = 2
	ipfixOptions     = 3
	firstDataSet     = 256
)

// set takes one set, and says how many data records are in it.
func (d *Decoder) set(s *session, h *header, id uint16, data string, take func(*Record)) (records int, known bool) {
	switch {
	case id >= firstDataSet:
		t := s.templates[id]
		if t == nil {
			t = d.borrow(s, id, data)
		}
		if t == nil {
			d.hold(s, h, id, data)
			return 0, false
		}
		t.used = d.now
		return d.data(s, h, t.layout, data, take), true
	case h.version == versionIPFIX && id == ipfixTemplates, h.version == versionNetFlow && id == netflowTemplates:
		d.announce(s, h.version, data, take)
	case h.version == versionIPFIX && id == ipfixOptions, h.version == versionNetFlow && id == netflowOptions:
		d.announceOptions(s, h.version, data, take)
	default:
		d.malformed(UnknownSet)
	}
	return 0, true
}

// data reads the records of a set whose layout is known.
func (d *Decoder) data(s *session, h *header, l *layout, data string, take func(*Record)) (records int) {
	for len(data) >= l.least {
		length, ok := l.length(data)
		if !ok {
			d.malformed(RecordTooLong)
			return records
		}
		raw := data[:length]
		data = data[length:]
		records++
		if !l.flow {
			d.count.other.Add(1)
			continue
		}
		d.flow(s, h, l, raw, take)
	}
	return records
}

// flow hands a flow on, unless it is the second report of one.
func (d *Decoder) flow(s *session, h *header, l *layout, raw string, take func(*Record)) {
	r := &d.record
	r.d, r.h, r.s, r.Raw = d, h, s, raw
	r.seen.read(l, raw)
	d.count.flows.Add(1)
	if d.twins.seen(s, &r.seen) {
		d.count.deduplicated.Add(1)
		return
	}
	if !s.proved {
		s.proved = true
		d.sessions.touch(s)
	}
	take(r)
}

// Numbers in network byte order, out of texts.

func u16(s string) uint16 { return uint16(s[1]) | uint16(s[0])<<8 }

func u32(s string) uint32 {
	return uint32(s[3]) | uint32(s[2])<<8 | uint32(s[1])<<16 | uint32(s[0])<<24
}

func u64(s string) uint64 { return uint64(u32(s))<<32 | uint64(u32(s[4:])) }

// number is an unsigned number of up to eight bytes; exporters may leave its
// leading zeros out (RFC 7011 section 6.2). What is longer is none.
func number(s string) uint64 {
	switch len(s) {
	case 1:
		return uint64(s[0])
	case 2:
		return uint64(u16(s))
	case 4:
		return uint64(u32(s))
	case 8:
		return u64(s)
	}
	if len(s) > 8 {
		return 0
	}
	var whole [8]byte
	copy(whole[8-len(s):], s)
	return binary.BigEndian.Uint64(whole[:])
}
