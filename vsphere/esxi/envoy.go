package esxi

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

var (
	fieldFlags      = event.Intern("response_flags")
	fieldDetail     = event.Intern("response_detail")
	fieldUpLocal    = event.Intern("upstream_local")
	fieldUpRemote   = event.Intern("upstream_remote")
	fieldAuthority  = event.Intern("authority")
	fieldForwarded  = event.Intern("x_forwarded_for")
	fieldRequestID  = event.Intern("request_id")
	fieldRequestMS  = event.Intern("request_ms")
	fieldUpstreamMS = event.Intern("upstream_ms")
)

// access recognizes the access log of envoy, the proxy in front of vCenter's
// and, since ESXi 8, a host's API. VMware's own format is
//
//	TIME METHOD PATH PROTO STATUS DETAIL FLAGS BYTES_IN BYTES_OUT MS n n CLIENT SERVER UPSTREAM_LOCAL UPSTREAM_REMOTE
//
// the other is Envoy's default ("Default format string" in its documentation
// of access logging). Bytes in are those that envoy received: the client sent
// them.
func access(m *syslog.Message, ev *event.Event) bool {
	b, ok := vsphere.ParseBody(m)
	text := b.Text
	if !ok {
		text = m.Text
	}
	var a request
	switch {
	case strings.HasPrefix(text, "["):
		ok = a.parseDefault(text)
	default:
		ok = a.parseVMware(text)
	}
	if !ok {
		return false
	}
	b.Describe(ev)
	b.Process(m, ev)
	a.describe(ev)
	return true
}

// request is one line of the access log.
type request struct {
	method, path, version, status string
	detail, flags                 string
	bytesIn, bytesOut, ms         string
	requestMS, upstreamMS         string
	client, server                string
	upLocal, upRemote             string
	forwarded, agent, id, host    string
}

func (a *request) parseVMware(s string) bool {
	if s != "" && s[0] >= '0' && s[0] <= '9' {
		_, s = next(s) // the time, unless ParseBody took it
	}
	for _, p := range [...]*string{&a.method, &a.path, &a.version, &a.status, &a.detail} {
		*p, s = next(s)
	}
	if !strings.HasPrefix(a.version, "HTTP/") {
		return false
	}
	if w, rest := next(s); !isNumber(w) { // some builds have flags only, and no detail
		a.flags, s = w, rest
	}
	a.columns(s)
	return a.plausible() && a.client != ""
}

// maxColumns bounds the words behind the flags.
const maxColumns = 24

// columns tells the numbers and the addresses by their looks: newer builds
// have other words between them (the encoding, each side's HTTP and TLS
// version), and the order is the same.
func (a *request) columns(s string) {
	numbers := []*string{&a.bytesIn, &a.bytesOut, &a.ms, &a.requestMS, &a.upstreamMS}
	ends := []*string{&a.client, &a.server, &a.upLocal, &a.upRemote}
	for range maxColumns {
		var w string
		w, s = next(s)
		var ep event.Endpoint
		switch {
		case w == "" && s == "":
			return
		case isNumber(w) && len(numbers) > 0 && len(ends) == 4:
			*numbers[0], numbers = w, numbers[1:]
		case len(numbers) < 4 && len(ends) > 0 && vsphere.SetEndpoint(&ep, w) && ep.IP.IsValid():
			*ends[0], ends = w, ends[1:]
		}
	}
}

func isNumber(s string) bool {
	_, ok := vsphere.ParseUint(s)
	return ok
}

func (a *request) parseDefault(s string) bool {
	s, ok := cutTo(s, `] "`)
	if !ok {
		return false
	}
	line, s, ok := strings.Cut(s, `" `)
	if !ok {
		return false
	}
	a.method, line = next(line)
	a.path, a.version = next(line)
	for _, p := range [...]*string{&a.status, &a.flags, &a.bytesIn, &a.bytesOut, &a.ms, &a.upstreamMS} {
		*p, s = next(s)
	}
	for _, p := range [...]*string{&a.forwarded, &a.agent, &a.id, &a.host, &a.upRemote} {
		*p, s = quoted(s)
	}
	return a.plausible()
}

func cutTo(s, mark string) (string, bool) {
	_, rest, ok := strings.Cut(s, mark)
	return rest, ok
}

// quoted cuts the next "..." off s; "-" is nothing.
func quoted(s string) (value, rest string) {
	_, s, ok := strings.Cut(s, `"`)
	if !ok {
		return "", ""
	}
	value, rest, _ = strings.Cut(s, `"`)
	if value == "-" {
		value = ""
	}
	return value, rest
}

// plausible tells an access line from other text.
func (a *request) plausible() bool {
	status, ok := vsphere.ParseUint(a.status)
	_, bytes := vsphere.ParseUint(a.bytesIn)
	return ok && bytes && status < 1000 && strings.HasPrefix(a.version, "HTTP/") && a.method != ""
}

func (a *request) describe(ev *event.Event) {
	ev.Class, ev.Activity = event.HTTPActivity, vsphere.MethodActivity(a.method)
	ev.Direction, ev.Protocol = event.DirectionInbound, vsphere.ProtocolTCP
	ev.URL, ev.Message = a.path, ""
	vsphere.SetHTTP(ev, a.method, a.version, a.status)
	ev.HTTP.UserAgent = a.agent
	in, _ := vsphere.ParseUint(a.bytesIn)
	out, _ := vsphere.ParseUint(a.bytesOut)
	ev.Traffic = event.Traffic{BytesOut: int64(in), BytesIn: int64(out), Known: true}
	a.endpoints(ev)
	a.rest(ev)
}

func (a *request) endpoints(ev *event.Event) {
	client := a.client
	if client == "" {
		client, _, _ = strings.Cut(a.forwarded, ",")
	}
	vsphere.SetEndpoint(&ev.Src, client)
	if a.server == "" || !vsphere.SetEndpoint(&ev.Dst, a.server) {
		ev.Dst = vsphere.DeviceEndpoint(ev)
	}
	if a.host != "" {
		vsphere.SetEndpoint(&ev.Dst, a.host)
	}
}

func (a *request) rest(ev *event.Event) {
	vsphere.AddNumber(ev, vsphere.FieldDuration, dash(a.ms))
	vsphere.AddNumber(ev, fieldRequestMS, dash(a.requestMS))
	vsphere.AddNumber(ev, fieldUpstreamMS, dash(a.upstreamMS))
	vsphere.AddIf(ev, fieldDetail, dash(a.detail))
	vsphere.AddIf(ev, fieldFlags, dash(a.flags))
	vsphere.AddIf(ev, fieldUpLocal, dash(a.upLocal))
	vsphere.AddIf(ev, fieldUpRemote, dash(a.upRemote))
	vsphere.AddIf(ev, fieldAuthority, a.host)
	vsphere.AddIf(ev, fieldForwarded, a.forwarded)
	vsphere.AddIf(ev, fieldRequestID, a.id)
}

func dash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}
