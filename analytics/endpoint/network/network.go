// Package network reads what network sensors and proxies tell: Zeek's logs,
// Suricata's EVE, access logs of proxies, and packet captures. Each record is
// an event with what vegress decides on in typed members, and everything that
// the source said under the source's own names in Fields, for Sigma's rules.
//
// It does not know whose machine an address is: that is the inventory's. A
// sensor's link-layer addresses are left in Fields, since they may be a
// router's.
package network

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// viaSNI is the NameVia of a destination whose name the client itself wrote
// into a TLS handshake.
const viaSNI = "sni"

// fieldResult is what a proxy made of a request; "DENIED" in it says that the
// request went nowhere.
var fieldResult = event.Intern("proxy_result")

// begin empties ev for a record.
func begin(ev *event.Event, r *endpoint.Record) {
	ev.Reset()
	ev.Raw, ev.Records, ev.Severity = r.Text, 1, event.SeverityInformational
	ev.Device.Hostname = r.Host
}

// setSensor names the machine that reports: as the record's own fields do, else
// as the way in or the shipper does.
func setSensor(ev *event.Event, own ...event.FieldID) {
	if host := firstText(ev, own...); host != "" {
		ev.Device.Hostname = host
		return
	}
	if ev.Device.Hostname == "" {
		ev.Device.Hostname = text(ev, shippedHost[0])
	}
}

// text gives the value of the first field of that id; empty: none, or null.
func text(ev *event.Event, id event.FieldID) string {
	f, _ := ev.Field(id)
	return f.Value
}

// firstText gives the first of these that the record has.
func firstText(ev *event.Event, ids ...event.FieldID) string {
	for _, id := range ids {
		if s := text(ev, id); s != "" && s != "-" {
			return s
		}
	}
	return ""
}

// count reads a number of bytes or packets. Some writers make them fractions.
func count(s string) (int64, bool) {
	s, _, _ = strings.Cut(s, ".")
	if s == "" || len(s) > 18 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// countOf is the count in a field.
func countOf(ev *event.Event, id event.FieldID) (int64, bool) { return count(text(ev, id)) }

func port(s string) uint16 {
	n, ok := count(s)
	if !ok || n > 0xffff {
		return 0
	}
	return uint16(n)
}

// address reads an IP address without brackets and zone; not valid: it is none.
func address(s string) netip.Addr {
	if len(s) < 2 || len(s) > 64 || !maybeAddress(s) {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// maybeAddress keeps most names from being parsed, which would make an error of
// each.
func maybeAddress(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case isHex(c) || c == '.' || c == ':' || c == '[' || c == ']':
		case c == '%':
			return true
		default:
			return false
		}
	}
	return true
}

// setHost puts "name", "name:port", "address" or "[address]:port" into ep. What
// ep knows of address and port already stays.
func setHost(ep *event.Endpoint, s string) {
	host, number := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && (strings.IndexByte(s, ':') == i || strings.HasPrefix(s, "[") && i > strings.IndexByte(s, ']')) {
		host, number = s[:i], s[i+1:]
	}
	if p := port(number); p != 0 && ep.Port == 0 {
		ep.Port = p
	}
	switch a := address(host); {
	case !a.IsValid():
		ep.Hostname = strings.TrimSuffix(host, ".")
	case !ep.IP.IsValid():
		ep.IP = a
	}
}

// setURLHost puts the host of an absolute URL into ep, and its port: that of
// the scheme when the URL names none.
func setURLHost(ep *event.Endpoint, url string) {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	setHost(ep, rest[strings.LastIndexByte(rest, '@')+1:])
	if ep.Port == 0 {
		ep.Port = schemePort(scheme)
	}
}

func schemePort(scheme string) uint16 {
	switch strings.ToLower(scheme) {
	case "http", "ws":
		return 80
	case "https", "wss":
		return 443
	case "ftp":
		return 21
	}
	return 0
}

// protocol is the number of a protocol by the name that sensors give it, or
// the number itself.
func protocol(name string) uint8 {
	switch strings.ToLower(name) {
	case "tcp":
		return protoTCP
	case "udp":
		return protoUDP
	case "icmp":
		return protoICMP
	case "icmp6", "ipv6-icmp", "icmpv6":
		return protoICMPv6
	case "sctp":
		return protoSCTP
	case "gre":
		return 47
	case "esp":
		return 50
	case "igmp":
		return 2
	}
	n, err := strconv.ParseUint(name, 10, 8)
	if err != nil {
		return 0
	}
	return uint8(n)
}

const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
	protoSCTP   = 132
)

// direction says which way a connection goes, where the source does not: by
// which of its ends have addresses that are nobody's on the internet.
func direction(src, dst netip.Addr) event.Direction {
	if !src.IsValid() || !dst.IsValid() {
		return event.DirectionUnknown
	}
	switch from, to := private(src), private(dst); {
	case from && to:
		return event.DirectionLateral
	case from:
		return event.DirectionOutbound
	case to:
		return event.DirectionInbound
	}
	return event.DirectionUnknown
}

var carrierNAT = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598

func private(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() ||
		carrierNAT.Contains(a) || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// setHTTP makes ev the exchange that its members tell of. status is the
// response's code.
func setHTTP(ev *event.Event, method, status string) {
	ev.Class, ev.HTTP.Method = event.HTTPActivity, method
	if method != "" {
		ev.Activity = event.MethodActivity(method)
	}
	if ev.Protocol == 0 {
		ev.Protocol = protoTCP
	}
	n, ok := count(status)
	if !ok || n < 100 || n > 999 {
		return
	}
	ev.HTTP.Status, ev.Status = int(n), event.StatusSuccess
	if n >= 400 {
		ev.Status = event.StatusFailure
	}
}

// request puts into ev what a client asked a server for: host is the Host
// header, uri as it stands in the request. Where the request went to a proxy,
// the destination is what the client wants of it, and the proxy's address is
// left to Fields: else the name would be learned for the proxy's address.
func request(ev *event.Event, method, host, uri string) {
	switch {
	case method == "CONNECT":
		ev.Dst, ev.Direction = event.Endpoint{}, event.DirectionOutbound
		if setHost(&ev.Dst, uri); uri == "" {
			setHost(&ev.Dst, host)
		}
		return
	case strings.Contains(uri, "://") && !strings.HasPrefix(uri, "/"):
		ev.Dst, ev.URL, ev.Direction = event.Endpoint{}, uri, event.DirectionOutbound
		setURLHost(&ev.Dst, uri)
		return
	case host == "":
		ev.URL = uri
		return
	}
	setHost(&ev.Dst, host)
	ev.URL = "http://" + authority(host, ev.Dst.Port) + uri
}

// authority is host with its port, where that is not HTTP's own and host does
// not name one.
func authority(host string, p uint16) string {
	if p == 0 || p == 80 || strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']') {
		return host
	}
	return host + ":" + strconv.Itoa(int(p))
}

// instant reads a time as sensors write it: seconds since 1970 with a
// fraction, milliseconds since 1970, or RFC 3339 with or without a colon in the
// zone; without a zone it is UTC. Zero: it is none.
func instant(s string) time.Time {
	if len(s) < 10 || len(s) > 40 {
		return time.Time{}
	}
	if s[4] == '-' {
		return calendar(s)
	}
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil { // 1.588205198E9
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(f > 0 && f < maxSeconds) {
			return time.Time{}
		}
		return time.UnixMicro(int64(f * 1e6)).UTC()
	}
	switch {
	case n <= 0:
		return time.Time{}
	case n >= maxSeconds*1000:
		return time.Time{}
	case n >= maxSeconds:
		return time.UnixMilli(n).UTC()
	}
	return time.Unix(n, nanoseconds(fraction)).UTC()
}

// maxSeconds tells seconds since 1970 from milliseconds: the year 5138.
const maxSeconds = 100_000_000_000

// nanoseconds reads the digits behind a point.
func nanoseconds(fraction string) (n int64) {
	unit := int64(time.Second)
	for i := 0; i < len(fraction) && i < 9 && fraction[i] >= '0' && fraction[i] <= '9'; i++ {
		unit /= 10
		n += int64(fraction[i]-'0') * unit
	}
	return n
}

// calendar reads "2006-01-02T15:04:05.999999-0700" with a colon in the zone,
// a Z, or no zone; a blank may stand for the T.
func calendar(s string) time.Time {
	const seconds = len("2006-01-02T15:04:05")
	if len(s) < seconds || s[7] != '-' || s[10] != 'T' && s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return time.Time{}
	}
	year, month, day := decimal(s[:4]), decimal(s[5:7]), decimal(s[8:10])
	hour, minute, second := decimal(s[11:13]), decimal(s[14:16]), decimal(s[17:19])
	if year < 1 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return time.Time{}
	}
	rest, nanos := s[seconds:], int64(0)
	if strings.HasPrefix(rest, ".") {
		end := 1
		for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
			end++
		}
		nanos, rest = nanoseconds(rest[1:end]), rest[end:]
	}
	offset, ok := zone(rest)
	if !ok {
		return time.Time{}
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, int(nanos), time.UTC).Add(-offset)
}

// zone reads how far a local time is ahead of UTC.
func zone(s string) (ahead time.Duration, ok bool) {
	if s == "" || s == "Z" {
		return 0, true
	}
	sign := time.Duration(1)
	switch s[0] {
	case '-':
		sign = -1
	case '+':
	default:
		return 0, false
	}
	if len(s) == len("+07:00") && s[3] == ':' {
		s = s[:3] + s[4:]
	}
	if len(s) != len("+0700") {
		return 0, false
	}
	hours, minutes := decimal(s[1:3]), decimal(s[3:5])
	return sign * (time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute), hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60
}

// decimal reads a few digits; negative: there is something else.
func decimal(s string) (n int) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// interval reads seconds with a fraction; zero: it is none, or cannot be.
func interval(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f > 0 && f < longest.Seconds()) {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}

// longest bounds the time that a flow is believed to have lasted.
const longest = 366 * 24 * time.Hour

// span says when a flow was, and that the event happened when it ended: that is
// when a sensor tells of it, and a record of a long connection is not late.
func span(ev *event.Event, start, end time.Time) {
	if lasted := end.Sub(start); start.IsZero() || lasted < 0 || lasted > longest {
		start = time.Time{}
	}
	ev.Start, ev.End = start, end
	if !end.IsZero() {
		ev.Time = end
	}
}
