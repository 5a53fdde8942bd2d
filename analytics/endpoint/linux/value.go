package linux

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

// coded says that auditd writes that value in hexadecimal where it has blanks,
// quotes, or what is not printable ASCII; else in quotes.
func coded(kind, key string) bool {
	switch key {
	case "comm", "exe", "name", "cwd", "proctitle", "key", "cmd", "acct", "path", "dir", "data", "file", "vm", "unit", "grp":
		return true
	}
	return kind == "EXECVE" && len(key) > 1 && key[0] == 'a' && key[1] >= '0' && key[1] <= '9' && !strings.HasSuffix(key, "_len")
}

// unhex decodes pairs of hexadecimal digits; ok is false when s is something
// else.
func unhex(s string) (text string, ok bool) {
	if s == "" || len(s)%2 != 0 {
		return "", false
	}
	for i := range len(s) {
		if hexDigit(s[i]) < 0 {
			return "", false
		}
	}
	var b strings.Builder
	b.Grow(len(s) / 2)
	for i := 0; i < len(s); i += 2 {
		b.WriteByte(byte(hexDigit(s[i])<<4 | hexDigit(s[i+1])))
	}
	return b.String(), true
}

// hexDigit is the value of a hexadecimal digit, or -1.
func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// none says that a value is one of the audit system's words for nothing.
func none(value string) bool {
	return value == "" || value == "(null)" || value == "(none)" || value == "?" || value == "unset"
}

// socket is the other end of a socket as the kernel has it.
type socket struct {
	family string // "inet", "inet6", "local", "netlink", "packet"; empty: not said
	addr   netip.AddrPort
	path   string // of a local socket; "@" stands for the zero byte of an abstract name
}

// families are the address families that records tell of, by number.
var families = map[uint16]string{
	1: "local", 2: "inet", 10: "inet6", 16: "netlink", 17: "packet", 29: "can", 31: "bluetooth", 38: "alg", 40: "vsock",
}

// parseSocket reads a struct sockaddr, whose family has the byte order of the
// machine and all else that of the network.
func parseSocket(raw string) socket {
	if len(raw) < 2 {
		return socket{}
	}
	family := binary.LittleEndian.Uint16([]byte(raw[:2]))
	if _, known := families[family]; !known {
		family = binary.BigEndian.Uint16([]byte(raw[:2]))
	}
	s := socket{family: families[family]}
	switch {
	case s.family == "inet" && len(raw) >= 8:
		s.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte([]byte(raw[4:8]))), binary.BigEndian.Uint16([]byte(raw[2:4])))
	case s.family == "inet6" && len(raw) >= 24:
		s.addr = netip.AddrPortFrom(netip.AddrFrom16([16]byte([]byte(raw[8:24]))).Unmap(), binary.BigEndian.Uint16([]byte(raw[2:4])))
	case s.family == "local":
		s.path = localPath(raw[2:])
	}
	return s
}

func localPath(raw string) string {
	if strings.HasPrefix(raw, "\x00") && len(raw) > 1 {
		name, _, _ := strings.Cut(raw[1:], "\x00")
		if name == "" {
			return ""
		}
		return "@" + name
	}
	path, _, _ := strings.Cut(raw, "\x00")
	return path
}
