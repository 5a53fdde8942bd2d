package network

import (
	"strings"

	"github.com/vegress/vegress/event"
)

// w3cHeader is what the directives of the W3C extended format
// (https://www.w3.org/TR/WD-logfile, "#Fields") say of the lines that follow.
type w3cHeader struct {
	columns []w3cColumn
	server  bool // a web server writes it, not a proxy
	tabs    bool
	date    string // of #Date, for lines that have a time only
}

// w3cColumn is a field, and its name in lower case.
type w3cColumn struct {
	id   event.FieldID
	kind w3cKind
}

// w3cKind is what a column is to vegress; 0: only a field.
type w3cKind uint8

const (
	w3cDate w3cKind = iota + 1
	w3cTime
	w3cZoned // date and time in one, with brackets or not
	w3cTaken
	w3cClient
	w3cClientPort
	w3cServer
	w3cServerPort
	w3cComputer
	w3cRemote
	w3cRemoteName
	w3cUser
	w3cMethod
	w3cURI
	w3cScheme
	w3cHost
	w3cURIHost
	w3cPort
	w3cStem
	w3cPath
	w3cQuery
	w3cAgent
	w3cVersion
	w3cStatus
	w3cIn  // bytes from server to client
	w3cOut // bytes from client to server
	w3cAction
	w3cFilter
	w3cSupplier
	w3cHierarchy
	w3cEnd
)

// w3cKinds are the names that vegress knows, in lower case (Broadcom,
// "ProxySG Log Fields and Substitutions"; Microsoft, "W3C Logging").
var w3cKinds = map[string]w3cKind{
	"date": w3cDate, "time": w3cTime, "gmttime": w3cZoned, "localtime": w3cZoned, "timestamp": w3cZoned, "time-taken": w3cTaken,
	"c-ip": w3cClient, "c-port": w3cClientPort, "s-ip": w3cServer, "s-port": w3cServerPort, "s-computername": w3cComputer,
	"r-ip": w3cRemote, "cs-uri-address": w3cRemote, "r-dns": w3cRemoteName, "r-host": w3cRemoteName, "s-supplier-ip": w3cSupplier, "s-hierarchy": w3cHierarchy,
	"cs-username": w3cUser, "c-user": w3cUser, "cs-user": w3cUser, "cs-userdn": w3cUser,
	"cs-method": w3cMethod, "cs-uri": w3cURI, "c-uri": w3cURI, "cs-url": w3cURI, "cs-uri-scheme": w3cScheme, "c-uri-scheme": w3cScheme,
	"cs-host": w3cHost, "cs(host)": w3cHost, "cs-uri-host": w3cURIHost, "c-uri-host": w3cURIHost,
	"cs-uri-port": w3cPort, "c-uri-port": w3cPort, "r-port": w3cPort,
	"cs-uri-stem": w3cStem, "cs-uri-path": w3cPath, "c-uri-path": w3cPath, "cs-uri-query": w3cQuery, "c-uri-query": w3cQuery,
	"cs(user-agent)": w3cAgent, "c-agent": w3cAgent, "cs-user-agent": w3cAgent, "c-useragent": w3cAgent, "cs-version": w3cVersion, "cs-protocol-version": w3cVersion,
	"sc-status": w3cStatus, "sc-bytes": w3cIn, "cs-bytes": w3cOut,
	"s-action": w3cAction, "sc-filter-result": w3cFilter,
}

// directive takes a line of a header in.
func (h *w3cHeader) directive(line string, f *flattener) {
	name, value, _ := strings.Cut(line, ":")
	switch strings.ToLower(name) {
	case "#software":
		h.server = strings.Contains(value, "Internet Information Services")
	case "#date":
		h.date, _, _ = strings.Cut(strings.Clone(strings.TrimSpace(value[:min(len(value), 64)])), " ")
	case "#fields":
		h.fields(strings.TrimSpace(value), f)
	}
}

func (h *w3cHeader) fields(list string, f *flattener) {
	h.columns = h.columns[:0]
	h.tabs = strings.IndexByte(list, '\t') >= 0
	server := false
	for name := range strings.FieldsSeq(list) {
		if len(h.columns) >= maxColumns {
			break
		}
		kind := w3cKinds[strings.ToLower(name)]
		h.columns = append(h.columns, w3cColumn{f.id([]byte(name)), kind})
		server = server || strings.EqualFold(name, "s-sitename")
	}
	h.server = h.server || server
}

// maxW3CMissing is by how many columns a line may fall short of its header: a
// trailing one may be cut off by a relay.
const maxW3CMissing = 1

// fill makes ev of a line; not ok: the line is not of the header's columns.
// Values have quotes around them where they hold blanks; IIS writes + for a
// blank.
func (h *w3cHeader) fill(ev *event.Event, line string) bool {
	if len(h.columns) == 0 {
		return false
	}
	var values [w3cEnd]string
	taken := 0
	for i := range h.columns {
		var value string
		var ok bool
		if value, line, ok = h.value(line); !ok {
			break
		}
		taken++
		if value == "-" || value == "" {
			continue
		}
		c := &h.columns[i]
		if len(ev.Fields) < maxFields {
			h.add(ev, c, value)
		}
		if values[c.kind] == "" {
			values[c.kind] = value
		}
	}
	if taken < len(h.columns)-maxW3CMissing || taken < 2 || strings.TrimSpace(line) != "" {
		return false
	}
	h.typed(ev, &values)
	return true
}

func (h *w3cHeader) add(ev *event.Event, c *w3cColumn, value string) {
	switch c.kind {
	case w3cStatus, w3cIn, w3cOut, w3cTaken, w3cPort, w3cClientPort, w3cServerPort:
		addNumber(ev, c.id, value)
	default:
		ev.Add(c.id, value)
	}
}

// value takes a value off the front of a line. A quote within one is doubled.
func (h *w3cHeader) value(line string) (value, rest string, ok bool) {
	separator := byte(' ')
	if h.tabs || strings.IndexByte(line, ' ') < 0 {
		separator = '\t'
	}
	if separator == ' ' {
		line = strings.TrimLeft(line, " \t")
	}
	if line == "" {
		return "", "", false
	}
	if line[0] != '"' {
		end := strings.IndexByte(line, separator)
		if end < 0 && separator == ' ' {
			end = strings.IndexByte(line, '\t')
		}
		if end < 0 {
			return line, "", true
		}
		return line[:end], line[end+1:], true
	}
	end, doubled := 1, false
	for ; end < len(line); end++ {
		if line[end] != '"' {
			continue
		}
		if end+1 < len(line) && line[end+1] == '"' {
			doubled = true
			end++
			continue
		}
		break
	}
	value, rest = line[1:min(end, len(line))], line[min(end+1, len(line)):]
	if doubled {
		value = strings.ReplaceAll(value, `""`, `"`)
	}
	if rest != "" && rest[0] == separator {
		rest = rest[1:]
	}
	return value, rest, true
}

// typed fills the typed members from what a line says.
func (h *w3cHeader) typed(ev *event.Event, v *[w3cEnd]string) {
	ev.LogName = "w3c"
	h.when(ev, v)
	method := v[w3cMethod]
	setHTTP(ev, method, v[w3cStatus])
	ev.HTTP.Version, ev.HTTP.UserAgent = strings.TrimPrefix(v[w3cVersion], "HTTP/"), v[w3cAgent]
	setUser(ev, v[w3cUser])
	setBytes(ev, v[w3cOut], v[w3cIn])
	setHost(&ev.Src, v[w3cClient])
	ev.Src.Port = port(v[w3cClientPort])
	if computer := v[w3cComputer]; computer != "" {
		ev.Device.Hostname = computer
	}
	ev.Device.IP = address(v[w3cServer])
	if h.server {
		h.inbound(ev, v)
		return
	}
	ev.Direction = event.DirectionOutbound
	h.outbound(ev, v)
	if result := firstOf(v[w3cAction], v[w3cFilter]); result != "" {
		ev.Add(fieldResult, result)
	}
}

// when reads the time, and how long the request took: the time is that of its
// end. Blue Coat counts milliseconds, as IIS does.
func (h *w3cHeader) when(ev *event.Event, v *[w3cEnd]string) {
	switch date := firstOf(v[w3cDate], h.date); {
	case v[w3cTime] != "" && date != "":
		ev.Time = instant(date + "T" + v[w3cTime])
	case v[w3cZoned] != "":
		ev.Time = instant(v[w3cZoned])
	}
	if taken := interval(v[w3cTaken]) / 1000; taken > 0 && !ev.Time.IsZero() {
		ev.Start, ev.End = ev.Time.Add(-taken), ev.Time
	}
}

func firstOf(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// inbound is a request to the web server that writes the log.
func (h *w3cHeader) inbound(ev *event.Event, v *[w3cEnd]string) {
	ev.Direction = event.DirectionInbound
	ev.Dst = event.Endpoint{IP: ev.Device.IP, Port: port(v[w3cServerPort])}
	setHost(&ev.Dst, v[w3cHost])
	ev.URL = withQuery(firstOf(v[w3cURI], v[w3cStem], v[w3cPath]), v[w3cQuery])
}

// outbound is a request through the proxy that writes the log.
func (h *w3cHeader) outbound(ev *event.Event, v *[w3cEnd]string) {
	host := firstOf(v[w3cURIHost], v[w3cHost], v[w3cRemoteName])
	ev.Dst.Port = port(v[w3cPort])
	target := firstOf(v[w3cURI], v[w3cStem])
	switch {
	case v[w3cMethod] == "CONNECT":
	case strings.Contains(target, "://"):
		ev.URL = withQuery(target, v[w3cQuery])
	case host != "":
		ev.URL = absolute(v[w3cScheme], host, ev.Dst.Port) + withQuery(firstOf(target, v[w3cPath]), v[w3cQuery])
	default:
		ev.URL = withQuery(firstOf(target, v[w3cPath]), v[w3cQuery])
	}
	switch {
	case host != "":
		setHost(&ev.Dst, host)
	case strings.Contains(target, "://"):
		setURLHost(&ev.Dst, target)
	case v[w3cMethod] == "CONNECT":
		setHost(&ev.Dst, target)
	}
	if ev.Dst.Port == 0 {
		ev.Dst.Port = schemePort(firstOf(v[w3cScheme], ev.URL[:max(strings.Index(ev.URL, "://"), 0)]))
	}
	remote := v[w3cRemote]
	if remote == "" && strings.Contains(v[w3cHierarchy], "DIRECT") {
		remote = v[w3cSupplier]
	}
	if a := address(remote); a.IsValid() && !ev.Dst.IP.IsValid() {
		ev.Dst.IP = a
	}
}

// absolute begins a URL.
func absolute(scheme, host string, p uint16) string {
	if scheme == "" {
		scheme = "http"
		if p == 443 {
			scheme = "https"
		}
	}
	if p == schemePort(scheme) {
		p = 0
	}
	return scheme + "://" + authority(host, p)
}

// withQuery joins a path and its query, which some write with the mark.
func withQuery(path, query string) string {
	switch {
	case query == "" || strings.IndexByte(path, '?') >= 0:
		return path
	case query[0] == '?':
		return path + query
	}
	return path + "?" + query
}
