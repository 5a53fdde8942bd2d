package capture

import "encoding/binary"

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

// IP is the IP packet in the frame, as far as it was captured; not ok: there is
// none, or the link is not known.
func (p *Packet) IP() (ip []byte, ok bool) {
	skip := -1
	switch p.Link {
	case linkRaw, 12, 14, linkIPv4, linkIPv6: // 12 and 14 are raw IP on BSDs
		skip = 0
	case linkNull, linkLoop:
		skip = 4
	case linkCooked:
		skip = 16
	case linkCooked2:
		skip = 20
	case linkEthernet:
		return ethernet(p.Data)
	}
	if skip < 0 || skip >= len(p.Data) {
		return nil, false
	}
	return p.Data[skip:], true
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
