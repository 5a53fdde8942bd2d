package egress

import "net/netip"

// public says that a is a public unicast address, by the registries of IANA
// for special purposes (RFC 6890), and not one of RFC 1918, RFC 6598, ULA,
// link-local, loopback, multicast or reserved. The documentation ranges count
// as public. An address that carries an IPv4 address (mapped, NAT64, 6to4) is
// what that is.
func public(a netip.Addr) bool {
	if a.Is4() {
		return public4(a.As4())
	}
	if !a.IsValid() {
		return false
	}
	b := a.As16()
	switch {
	case a.Is4In6():
		return public4([4]byte(b[12:]))
	case b[0] == 0x20 && b[1] == 0x02: // 2002::/16, RFC 3056
		return public4([4]byte(b[2:6]))
	case [12]byte(b[:12]) == nat64: // RFC 6052
		return public4([4]byte(b[12:]))
	}
	return b[0]&0xe0 == 0x20 // 2000::/3, RFC 4291
}

var nat64 = [12]byte{0, 0x64, 0xff, 0x9b}

func public4(b [4]byte) bool {
	switch b[0] {
	case 0, 10, 127:
		return false
	case 100:
		return b[1]&0xc0 != 64 // 100.64.0.0/10
	case 169:
		return b[1] != 254
	case 172:
		return b[1]&0xf0 != 16
	case 192:
		return b[1] != 168 && (b[1] != 0 || b[2] != 0) // 192.168.0.0/16, 192.0.0.0/24
	case 198:
		return b[1]&0xfe != 18 // 198.18.0.0/15, benchmarks
	}
	return b[0] < 224
}
