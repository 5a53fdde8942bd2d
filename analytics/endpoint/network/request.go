package network

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/vegress/vegress/event"
)

var methods = [...]string{"GET ", "POST ", "HEAD ", "PUT ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ", "PATCH ", "PROPFIND ", "PROPPATCH ", "MKCOL ", "MOVE ", "COPY ", "LOCK ", "UNLOCK ", "REPORT ", "SEARCH "}

// beginsRequest says that data begins with a request of HTTP/1.
func beginsRequest(data []byte) bool {
	for _, m := range methods {
		if len(data) > len(m) && string(data[:len(m)]) == m {
			return true
		}
	}
	return false
}

// maybeRequest says that data begins with a request, or may once there is
// more of it.
func maybeRequest(data []byte) bool {
	if beginsRequest(data) {
		return true
	}
	for _, m := range methods {
		if len(data) <= len(m) && strings.HasPrefix(m, string(data)) {
			return true
		}
	}
	return false
}

var fieldReferrer = event.Intern("referrer")

// httpRequest reads the head of a request (RFC 9112), and gives its length. Of
// a head that was not captured whole it takes what is there.
func (p *Pcap) httpRequest(f *flow, side *stream, s *segment, last bool, tell func(*event.Event)) (n int, more bool) {
	if !maybeRequest(side.data) {
		side.state = streamDone
		return len(side.data), false
	}
	head, whole := cutHead(side.data)
	if !whole && !last && len(side.data) < maxStream {
		return 0, false
	}
	r, ok := parseRequest(string(head))
	if !ok {
		side.state = streamDone
		return len(side.data), false
	}
	p.tellRequest(f, &r, s, tell)
	n = len(head)
	switch {
	case r.method == "CONNECT" || r.upgrade || !whole:
		side.state = streamDone // another protocol follows
		return len(side.data), false
	case r.chunked || r.length < 0:
		side.state = streamBody
		return len(side.data), false
	}
	body := min(r.length, int64(len(side.data)-n))
	side.skip = r.length - body
	return n + int(body), true
}

// cutHead gives the lines of a request up to the empty one.
func cutHead(data []byte) (head []byte, whole bool) {
	if i := bytes.Index(data, []byte("\r\n\r\n")); i >= 0 {
		return data[:i+4], true
	}
	if i := bytes.Index(data, []byte("\n\n")); i >= 0 {
		return data[:i+2], true
	}
	return data, false
}

// httpHead is what is read of a request.
type httpHead struct {
	method, uri, version           string
	host, agent, referrer, content string
	length                         int64
	chunked, upgrade               bool
}

func parseRequest(head string) (r httpHead, ok bool) {
	line, rest, _ := strings.Cut(head, "\n")
	line = strings.TrimSuffix(line, "\r")
	r.method, line, _ = strings.Cut(line, " ")
	if i := strings.LastIndex(line, " HTTP/"); i >= 0 {
		r.uri, r.version = line[:i], line[i+len(" HTTP/"):]
	} else if rest == "" {
		r.uri = line // cut
	} else {
		return r, false
	}
	for rest != "" {
		line, rest, _ = strings.Cut(rest, "\n")
		name, value, ok := strings.Cut(line, ":")
		if ok {
			r.header(strings.ToLower(name), strings.TrimSpace(value))
		}
	}
	return r, r.uri != "" && len(r.version) <= 8
}

func (r *httpHead) header(name, value string) {
	switch name {
	case "host":
		r.host = value
	case "user-agent":
		r.agent = value
	case "referer":
		r.referrer = value
	case "content-type":
		r.content = value
	case "content-length":
		n, err := strconv.ParseInt(value, 10, 64)
		if r.length = n; err != nil {
			r.length = -1
		}
	case "transfer-encoding":
		r.chunked = true
	case "upgrade":
		r.upgrade = true
	}
}

func (p *Pcap) tellRequest(f *flow, r *httpHead, s *segment, tell func(*event.Event)) {
	ev := p.begin(f, "pcap.http", s.at)
	setHTTP(ev, r.method, "")
	ev.HTTP.Version, ev.HTTP.UserAgent = r.version, r.agent
	if host := []byte(r.host); r.host != "" && !isHostName(host) {
		r.host = ""
	}
	request(ev, r.method, r.host, r.uri)
	if ev.Dst.IP == f.server.Addr() && f.host == "" {
		f.host = ev.Dst.Hostname
	}
	addText(ev, fieldReferrer, r.referrer)
	addText(ev, fieldRequestType, r.content)
	if r.length > 0 {
		ev.AddNumber(fieldRequestLength, strconv.FormatInt(r.length, 10))
	}
	p.tell(tell)
}

var (
	fieldRequestType   = event.Intern("request_content_type")
	fieldRequestLength = event.Intern("request_body_len")
)
