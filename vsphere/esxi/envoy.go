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
// and in newer builds, which know the encoding, each side's protocol and TLS,
// and what was called,
//
//	TIME METHOD PATH STATUS DETAIL FLAGS BYTES_IN BYTES_OUT ENCODING MS n n CLIENT PROTO TLS SERVER UPSTREAM_LOCAL PROTO TLS UPSTREAM_REMOTE x "CALL"
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
	call                          string // what was called: "RetrieveContent"
}

func (a *request) parseVMware(s string) bool {
	if s != "" && s[0] >= '0' && s[0] <= '9' {
		_, s = next(s) // the time, unless ParseBody took it
	}
	if a.method, s = next(s); !isMethod(a.method) {
		return false
	}
	a.path, s = next(s)
	if w, rest := next(s); !isNumber(w) {
		a.version, s = w, rest
	}
	a.status, s = next(s)
	a.detail, s = next(s)
	if w, rest := next(s); !isNumber(w) { // some builds have flags only, and no detail
		a.flags, s = w, rest
	}
	a.bytesIn, s = next(s)
	a.bytesOut, s = next(s)
	w, rest := next(s)
	extended := !isNumber(w)
	if extended { // the encoding
		s = rest
	}
	for _, p := range [...]*string{&a.ms, &a.requestMS, &a.upstreamMS} {
		w, rest := next(s)
		if w != "-" && !isNumber(w) {
			break
		}
		*p, s = w, rest
	}
	a.columns(s, extended)
	return a.plausible() && (a.client != "" || a.server != "")
}

// maxColumns bounds the words behind the numbers.
const maxColumns = 24

// columns reads the ends of both connections. The client's is the first word;
// the others are told by their looks, because the extended format has words
// between them.
func (a *request) columns(s string, extended bool) {
	ends := []*string{&a.client, &a.server, &a.upLocal, &a.upRemote}
	for i := range maxColumns {
		if strings.HasPrefix(s, `"`) {
			a.call, _ = quoted(s)
			return
		}
		var w string
		if w, s = next(s); w == "" && s == "" {
			return
		}
		var ep event.Endpoint
		switch {
		case len(ends) == 0:
		case vsphere.SetEndpoint(&ep, w) && ep.IP.IsValid():
			*ends[0], ends = w, ends[1:]
		case i == 0, !extended:
			ends = ends[1:]
		case a.version == "" && strings.HasPrefix(w, "HTTP/"):
			a.version = w
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
	if !isMethod(a.method) {
		return false
	}
	for _, p := range [...]*string{&a.status, &a.flags, &a.bytesIn, &a.bytesOut, &a.ms, &a.upstreamMS} {
		*p, s = next(s)
	}
	_, s, _ = strings.Cut(s, `"`)
	for _, p := range [...]*string{&a.forwarded, &a.agent, &a.id, &a.host, &a.upRemote} {
		var ok bool
		if *p, s, ok = strings.Cut(s, `" "`); !ok { // an agent may hold quotes
			*p, _, _ = strings.Cut(*p, `"`)
		}
		*p = dash(*p)
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

// plausible tells an access line from other text. Of a request that envoy could
// not read, method, path and version are "-".
func (a *request) plausible() bool {
	status, ok := vsphere.ParseUint(a.status)
	return ok && isNumber(a.bytesIn) && isNumber(a.bytesOut) && status < 1000 &&
		(a.version == "" || a.version == "-" || strings.HasPrefix(a.version, "HTTP/"))
}

func isMethod(s string) bool {
	return s == "-" || s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-") == ""
}

func (a *request) describe(ev *event.Event) {
	ev.Class, ev.Activity = event.HTTPActivity, event.MethodActivity(a.method)
	ev.Direction, ev.Protocol = event.DirectionInbound, vsphere.ProtocolTCP
	ev.URL, ev.Operation, ev.Message = dash(a.path), dash(a.call), ""
	vsphere.SetHTTP(ev, dash(a.method), dash(a.version), a.status)
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
