// Package proxy recognizes what HTTP proxies log: which client fetched what
// through them. Without that, a firewall sees only that the proxy talks to the
// internet.
package proxy

import (
	"strings"

	"github.com/vegress/vegress/accesslog"
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

// squid recognizes Squid's own access log format (accesslog.Squid).
//
// The client is the source. The destination is the host that it asked for,
// with its address where Squid itself went there.
func squid(m *syslog.Message, ev *event.Event) bool {
	l, ok := accesslog.ParseSquid(m.Text)
	if !ok {
		return false
	}
	var src, dst event.Endpoint
	if !vsphere.SetEndpoint(&src, l.Client) || src.Port != 0 {
		return false
	}
	switch {
	case l.Method == "CONNECT":
		if !vsphere.SetEndpoint(&dst, l.URL) {
			return false
		}
		ev.Dst = dst
	case strings.Contains(l.URL, "://"):
		vsphere.SetURL(ev, &ev.Dst, l.URL)
	default: // "error:transaction-end-before-headers"
		ev.Add(vsphere.FieldError, l.URL)
	}
	ev.Class, ev.Activity = event.HTTPActivity, event.MethodActivity(l.Method)
	ev.Src, ev.Direction, ev.Protocol = src, event.DirectionOutbound, vsphere.ProtocolTCP
	describe(ev, &l)
	return true
}

// describe says what came of the request.
func describe(ev *event.Event, l *accesslog.Squid) {
	vsphere.SetHTTP(ev, strings.Trim(l.Method, "-"), "", l.Status)
	if n, ok := vsphere.ParseUint(l.Bytes); ok {
		ev.Traffic = event.Traffic{BytesIn: int64(n), Known: true}
	}
	if l.User != "-" {
		vsphere.SetUser(ev, l.User)
	}
	ev.Add(fieldResult, l.Result)
	vsphere.AddNumber(ev, vsphere.FieldDuration, l.Elapsed)
	if l.Whom == "" || l.Whom == "-" {
		return
	}
	ev.Add(fieldHierarchy, l.Way)
	a, ok := vsphere.ParseAddr(l.Whom)
	switch {
	case !strings.Contains(l.Way, "DIRECT"):
		ev.Add(fieldParent, l.Whom) // another proxy
	case ok && !ev.Dst.IP.IsValid():
		ev.Dst.IP = a
	}
}
