// Package proxy recognizes what HTTP proxies log: which client fetched what
// through them. Without that, a firewall sees only that the proxy talks to the
// internet.
package proxy

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

var (
	fieldResult    = event.Intern("proxy_result")
	fieldHierarchy = event.Intern("hierarchy")
	fieldParent    = event.Intern("parent")
)

// Recognizers gives the recognizers of this package by program. They are safe
// for concurrent use. Squid's workers name themselves with their number.
func Recognizers() map[string]vsphere.Recognizer {
	r := vsphere.RecognizerFunc(squid)
	return map[string]vsphere.Recognizer{
		"squid": r, "(squid)": r, "(squid-1)": r, "(squid-2)": r, "(squid-3)": r, "(squid-4)": r,
	}
}

// squid recognizes Squid's own access log format (squid-cache.org, logformat
// "squid"): time, milliseconds, client, result and status, bytes of the answer,
// method, URL, user, how it went on and to whom, content type:
//
//	1764000000.123    180 10.0.1.15 TCP_MISS/200 5120 GET http://www.example.com/a - HIER_DIRECT/203.0.113.40 text/html
//	1764000000.123   2812 10.0.1.15 TCP_TUNNEL/200 5435 CONNECT www.example.com:443 - HIER_DIRECT/203.0.113.40 -
//	1764000000.123      0 10.0.1.15 TCP_DENIED/403 3900 CONNECT www.example.net:443 jane HIER_NONE/- text/html
//
// The client is the source. The destination is the host that it asked for,
// with its address where Squid itself went there.
func squid(m *syslog.Message, ev *event.Event) bool {
	var l accessLine
	if !l.parse(m.Text) {
		return false
	}
	var src, dst event.Endpoint
	if !vsphere.SetEndpoint(&src, l.client) || src.Port != 0 {
		return false
	}
	switch {
	case l.method == "CONNECT":
		if !vsphere.SetEndpoint(&dst, l.url) {
			return false
		}
		ev.Dst = dst
	case strings.Contains(l.url, "://"):
		vsphere.SetURL(ev, &ev.Dst, l.url)
	default: // "error:transaction-end-before-headers"
		ev.Add(vsphere.FieldError, l.url)
	}
	ev.Class, ev.Activity = event.HTTPActivity, vsphere.MethodActivity(l.method)
	ev.Src, ev.Direction, ev.Protocol = src, event.DirectionOutbound, vsphere.ProtocolTCP
	l.describe(ev)
	return true
}

// accessLine is a record, word by word.
type accessLine struct {
	elapsed, client, result, status, bytes string
	method, url, user, way, whom           string
}

func (l *accessLine) parse(s string) bool {
	when, s := vsphere.Word(s)
	l.elapsed, s = vsphere.Word(s)
	l.client, s = vsphere.Word(s)
	code, s := vsphere.Word(s)
	l.bytes, s = vsphere.Word(s)
	l.method, s = vsphere.Word(s)
	l.url, s = vsphere.Word(s)
	l.user, s = vsphere.Word(s)
	hierarchy, _ := vsphere.Word(s)
	var okCode, okWay bool
	l.result, l.status, okCode = strings.Cut(code, "/")
	l.way, l.whom, okWay = strings.Cut(hierarchy, "/")
	seconds, _, okTime := strings.Cut(when, ".")
	_, okSeconds := vsphere.ParseUint(seconds)
	_, okBytes := vsphere.ParseUint(l.bytes)
	return okTime && okSeconds && okBytes && okCode && okWay && l.method != "" && l.url != ""
}

// describe says what came of the request.
func (l *accessLine) describe(ev *event.Event) {
	vsphere.SetHTTP(ev, strings.Trim(l.method, "-"), "", l.status)
	if n, ok := vsphere.ParseUint(l.bytes); ok {
		ev.Traffic = event.Traffic{BytesIn: int64(n), Known: true}
	}
	if l.user != "-" {
		vsphere.SetUser(ev, l.user)
	}
	ev.Add(fieldResult, l.result)
	vsphere.AddNumber(ev, vsphere.FieldDuration, l.elapsed)
	if l.whom == "" || l.whom == "-" {
		return
	}
	ev.Add(fieldHierarchy, l.way)
	a, ok := vsphere.ParseAddr(l.whom)
	switch {
	case !strings.Contains(l.way, "DIRECT"):
		ev.Add(fieldParent, l.whom) // another proxy
	case ok && !ev.Dst.IP.IsValid():
		ev.Dst.IP = a
	}
}
