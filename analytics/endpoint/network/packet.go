package network

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// ipPacket is the header of an IP packet, and as much of the rest as was
// captured.
type ipPacket struct {
	src, dst netip.Addr
	protocol uint8
	length   int // on the wire, header included
	id       uint32
	fragment bool
	offset   int // of a fragment, in bytes
	payload  []byte
	missing  int // bytes of the payload that were not captured
}

// datagramKey is what the fragments of one packet have in common.
type datagramKey struct {
	src, dst netip.Addr
	protocol uint8
	id       uint32
}

func (ip *ipPacket) datagram() datagramKey {
	return datagramKey{ip.src, ip.dst, ip.protocol, ip.id}
}

// parseIP reads an IPv4 or IPv6 header (RFC 791, RFC 8200).
func parseIP(data []byte) (ip ipPacket, ok bool) {
	if len(data) < 20 {
		return ip, false
	}
	switch data[0] >> 4 {
	case 4:
		return parseIPv4(data)
	case 6:
		return parseIPv6(data)
	}
	return ip, false
}

func parseIPv4(data []byte) (ip ipPacket, ok bool) {
	header := int(data[0]&15) * 4
	ip.length = int(binary.BigEndian.Uint16(data[2:]))
	if ip.length == 0 { // the adapter was to cut it into segments
		ip.length = len(data)
	}
	if header < 20 || header > ip.length || header > len(data) {
		return ip, false
	}
	ip.src, ip.dst = netip.AddrFrom4([4]byte(data[12:])), netip.AddrFrom4([4]byte(data[16:]))
	ip.protocol, ip.id = data[9], uint32(binary.BigEndian.Uint16(data[4:]))
	pieces := binary.BigEndian.Uint16(data[6:])
	ip.fragment, ip.offset = pieces&0x3fff != 0, int(pieces&0x1fff)*8
	ip.take(data, header)
	return ip, true
}

// take puts what stands behind the headers, and within the packet's length,
// into ip.
func (ip *ipPacket) take(data []byte, header int) {
	end := min(ip.length, len(data))
	ip.payload, ip.missing = data[min(header, end):end], ip.length-end
}

// Extension headers of IPv6.
const (
	extHopByHop    = 0
	extRouting     = 43
	extFragment    = 44
	extAuth        = 51
	extDestination = 60
	maxExtensions  = 8
)

func parseIPv6(data []byte) (ip ipPacket, ok bool) {
	const header = 40
	if len(data) < header {
		return ip, false
	}
	ip.length = header + int(binary.BigEndian.Uint16(data[4:]))
	if ip.length == header { // as above
		ip.length = len(data)
	}
	ip.src, ip.dst = netip.AddrFrom16([16]byte(data[8:])).Unmap(), netip.AddrFrom16([16]byte(data[24:])).Unmap()
	ip.protocol = data[6]
	ip.take(data, header)
	for range maxExtensions {
		size := 0
		switch ip.protocol {
		case extHopByHop, extRouting, extDestination, extFragment, extAuth:
			if len(ip.payload) < 8 {
				return ip, false
			}
			size = 8 + int(ip.payload[1])*8
		default:
			return ip, true
		}
		switch ip.protocol {
		case extFragment:
			size = 8
			pieces := binary.BigEndian.Uint16(ip.payload[2:])
			ip.fragment, ip.offset = pieces&0xfff9 != 0, int(pieces&0xfff8)
			ip.id = binary.BigEndian.Uint32(ip.payload[4:])
		case extAuth:
			size = 8 + int(ip.payload[1])*4
		}
		if size > len(ip.payload) {
			return ip, false
		}
		ip.protocol, ip.payload = ip.payload[0], ip.payload[size:]
		if ip.offset > 0 {
			return ip, true // what follows is not the next header
		}
	}
	return ip, false
}

// segment is a packet as a part of a flow.
type segment struct {
	at       time.Time
	ip       *ipPacket
	src, dst netip.AddrPort
	payload  []byte
	missing  int // bytes of the payload that were not captured

	flags uint8  // TCP
	seq   uint32 // TCP
}

// parse reads the header behind IP's. Of one that was cut by the snap length
// what is there counts; the ports must be.
func (s *segment) parse() bool {
	data := s.ip.payload
	s.missing = s.ip.missing
	switch s.ip.protocol {
	case protoTCP, protoUDP, protoSCTP:
		if len(data) < 4 {
			return false
		}
		s.src = netip.AddrPortFrom(s.ip.src, binary.BigEndian.Uint16(data))
		s.dst = netip.AddrPortFrom(s.ip.dst, binary.BigEndian.Uint16(data[2:]))
	default:
		s.src, s.dst = netip.AddrPortFrom(s.ip.src, 0), netip.AddrPortFrom(s.ip.dst, 0)
		return true
	}
	switch {
	case s.ip.protocol == protoTCP && len(data) >= 14:
		s.seq, s.flags = binary.BigEndian.Uint32(data[4:]), data[13]
		if header := int(data[12]>>4) * 4; header >= 20 && header <= len(data) {
			s.payload = data[header:]
		}
	case s.ip.protocol == protoUDP && len(data) >= 8:
		length := int(binary.BigEndian.Uint16(data[4:]))
		if length < 8 || length > len(data) {
			length = len(data)
		}
		s.payload = data[8:length]
	}
	if s.ip.fragment { // the rest of it comes elsewhere
		s.missing = max(s.missing, 1)
	}
	return true
}
