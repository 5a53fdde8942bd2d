package network

import (
	"errors"
	"strings"
	"time"

	"github.com/vegress/vegress/accesslog"
	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// What a record is none of.
var (
	errNoAccess  = errors.New("line is neither Squid's format, nor combined, nor of a W3C header that was seen")
	errNoSession = errors.New("record names neither ends nor URL of a web session")
)

// Proxy decodes access logs, line by line: Squid's own format and the combined
// one (package accesslog), the W3C extended format with its header, as Blue
// Coat's proxies and IIS write it, and JSON by the names of Microsoft's ASIM
// schema for web sessions. A request is an HTTP event, outbound where a proxy
// tells of it and inbound where a web server does; its bytes are seen from the
// client. What the log says is in Fields: under the log's own names where it
// names things, else under those that W3C has for the same.
type Proxy struct {
	ev   event.Event
	flat flattener
	w3c  w3cHeader
}

// NewProxy makes a decoder.
func NewProxy() *Proxy { return &Proxy{flat: newFlattener(nil)} }

var _ endpoint.Decoder = (*Proxy)(nil)

// Decode implements endpoint.Decoder. Lines of a header complete no event.
func (p *Proxy) Decode(r endpoint.Record, tell func(*event.Event)) error {
	begin(&p.ev, &r)
	line := strings.TrimRight(r.Text, "\r\n")
	if strings.HasPrefix(strings.TrimLeft(line, " \t"), "{") {
		return p.json(strings.TrimSpace(line), tell)
	}
	return p.line(line, tell)
}

// Rest implements endpoint.Decoder: nothing waits.
func (p *Proxy) Rest(time.Time, func(*event.Event)) {}

func (p *Proxy) json(line string, tell func(*event.Event)) error {
	object, err := endpoint.Object(line)
	if err != nil {
		return err
	}
	p.flat.fill(&p.ev, object)
	if firstText(&p.ev, asimSrcIP, asimAnyIP, asimURL) == "" {
		if e, ok := unwrap(&p.ev); ok {
			if !strings.HasPrefix(e.line, "{") {
				return p.line(e.line, tell)
			}
			if object, err = endpoint.Object(e.line); err != nil {
				return err
			}
			p.flat.fill(&p.ev, object)
		}
	}
	webSession(&p.ev)
	if p.ev.URL == "" && !p.ev.Src.IP.IsValid() && !p.ev.Dst.IP.IsValid() && p.ev.Dst.Hostname == "" {
		return errNoSession
	}
	tell(&p.ev)
	return nil
}

func (p *Proxy) line(line string, tell func(*event.Event)) error {
	switch {
	case strings.HasPrefix(line, "#"):
		p.w3c.directive(line, &p.flat)
		return nil
	case line == "":
		return nil
	}
	if l, ok := accesslog.ParseSquid(line); ok {
		squid(&p.ev, &l)
	} else if l, ok := accesslog.ParseCombined(line); ok {
		combined(&p.ev, &l)
	} else if !p.w3c.fill(&p.ev, line) {
		return errNoAccess
	}
	tell(&p.ev)
	return nil
}

// Fields of lines whose format has no names, as W3C and Sigma call them.
var (
	fieldClient    = event.Intern("c-ip")
	fieldMethod    = event.Intern("cs-method")
	fieldURI       = event.Intern("cs-uri")
	fieldUser      = event.Intern("cs-username")
	fieldCode      = event.Intern("sc-status")
	fieldBytesIn   = event.Intern("sc-bytes")
	fieldReferer   = event.Intern("cs-referer")
	fieldType      = event.Intern("rs(Content-Type)")
	fieldHierarchy = event.Intern("hierarchy")
	fieldParent    = event.Intern("parent")
	fieldDuration  = event.Intern("duration_ms")
	fieldIdent     = event.Intern("ident")
	fieldExtra     = event.Intern("extra")
)

// addText adds what a line really says.
func addText(ev *event.Event, id event.FieldID, value string) {
	if value != "" && value != "-" {
		ev.Add(id, value)
	}
}

// addNumber adds a number that a line really says.
func addNumber(ev *event.Event, id event.FieldID, value string) {
	if _, ok := count(value); ok {
		ev.AddNumber(id, value)
		return
	}
	addText(ev, id, value)
}

// squid is a request through Squid. The destination is the host that the
// client asked for, with its address where Squid itself went there.
func squid(ev *event.Event, l *accesslog.Squid) {
	ev.LogName, ev.Time, ev.Direction = "squid", instant(l.Time), event.DirectionOutbound
	setHost(&ev.Src, l.Client)
	method := strings.Trim(l.Method, "-")
	setHTTP(ev, method, l.Status)
	request(ev, method, "", l.URL)
	setBytes(ev, "", l.Bytes)
	setUser(ev, l.User)
	if elapsed := interval(l.Elapsed) / 1000; !ev.Time.IsZero() && elapsed > 0 {
		ev.Start, ev.End = ev.Time.Add(-elapsed), ev.Time
	}
	addText(ev, fieldClient, l.Client)
	addText(ev, fieldMethod, l.Method)
	addText(ev, fieldURI, l.URL)
	addText(ev, fieldUser, l.User)
	addNumber(ev, fieldCode, l.Status)
	addNumber(ev, fieldBytesIn, l.Bytes)
	addNumber(ev, fieldDuration, l.Elapsed)
	addText(ev, fieldType, l.Type)
	addText(ev, fieldExtra, l.Rest)
	wentOn(ev, l.Result, l.Way, l.Whom)
}

// wentOn says what Squid made of a request, and where it went with it.
func wentOn(ev *event.Event, result, way, whom string) {
	addText(ev, fieldResult, result)
	addText(ev, fieldHierarchy, way)
	a := address(whom)
	switch {
	case !strings.Contains(way, "DIRECT"):
		addText(ev, fieldParent, whom) // another proxy
	case a.IsValid() && !ev.Dst.IP.IsValid():
		ev.Dst.IP = a
	}
}

// combined is a request to a web server, or through a proxy: that is what asks
// for a whole URL. Squid adds what it made of it.
func combined(ev *event.Event, l *accesslog.Combined) {
	ev.LogName = "access_log"
	if t, err := time.Parse(accesslog.TimeLayout, l.Time); err == nil {
		ev.Time = t.UTC()
	}
	setHost(&ev.Src, l.Client)
	setHTTP(ev, l.Method, l.Status)
	ev.HTTP.Version, ev.HTTP.UserAgent = strings.TrimPrefix(l.Version, "HTTP/"), dash(l.UserAgent)
	request(ev, l.Method, "", l.Target)
	setUser(ev, l.User)
	addText(ev, fieldClient, l.Client)
	addText(ev, fieldIdent, l.Ident)
	addText(ev, fieldMethod, l.Method)
	addText(ev, fieldURI, l.Target)
	addText(ev, fieldUser, l.User)
	addNumber(ev, fieldCode, l.Status)
	addNumber(ev, fieldBytesIn, l.Bytes)
	addText(ev, fieldReferer, l.Referer)
	result, way, ok := strings.Cut(l.Rest, ":")
	ok = ok && strings.IndexByte(l.Rest, ' ') < 0 && strings.Contains(way, "_")
	if ok {
		ev.LogName = "squid"
		wentOn(ev, result, way, "")
	} else {
		addText(ev, fieldExtra, l.Rest)
	}
	if ok {
		ev.Direction = event.DirectionOutbound
	}
	if ev.Direction != event.DirectionOutbound {
		ev.Direction, ev.Dst = event.DirectionInbound, event.Endpoint{Hostname: ev.Device.Hostname}
	}
	setBytes(ev, "", l.Bytes)
}

// dash is s, or nothing where the line says so.
func dash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// setBytes says what the client sent, and what it received.
func setBytes(ev *event.Event, sent, received string) {
	out, okOut := count(sent)
	in, okIn := count(received)
	if okOut || okIn {
		ev.Traffic = event.Traffic{BytesOut: out, BytesIn: in, Known: true}
	}
}

// setUser takes DOMAIN\name, name@domain and name.
func setUser(ev *event.Event, name string) {
	if name = dash(name); name == "" {
		return
	}
	if domain, user, ok := strings.Cut(name, `\`); ok {
		ev.User.Name, ev.User.Domain = strings.TrimPrefix(user, `\`), domain
		return
	}
	ev.User.Name = name
}
