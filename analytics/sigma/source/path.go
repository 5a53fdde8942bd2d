package source

import (
	"maps"
	"slices"
	"strings"

	"github.com/vegress/vegress/event"
)

// accessor puts the values that an event has at a path into the view's typed
// fields, under id; none where the event has none.
type accessor func(v *View, id event.FieldID)

// unmapped opens the path of a field of the source's own.
const unmapped = "unmapped."

// pathAccessor gives the accessor of a path: the place in vegress's OCSF JSON
// at which consumers see the same value.
func pathAccessor(path string) (accessor, bool) {
	if name, ok := strings.CutPrefix(path, unmapped); ok && name != "" {
		return ownField(event.Intern(name)), true
	}
	from, ok := paths[path]
	return from, ok
}

// pathNames lists the paths of typed members.
func pathNames() []string { return slices.Sorted(maps.Keys(paths)) }

var paths = map[string]accessor{
	"class":             text(func(ev *event.Event) string { return ev.Class.Name() }),
	"severity":          text(func(ev *event.Event) string { return ev.Severity.String() }),
	"status":            text(status),
	"activity":          text(func(ev *event.Event) string { return activityName(ev.Class, ev.Activity) }),
	"metadata.log_name": text(func(ev *event.Event) string { return ev.LogName }),
	"message":           text(func(ev *event.Event) string { return ev.Message }),
	"raw_data":          text(func(ev *event.Event) string { return ev.Raw }),
	"device.hostname":   text(func(ev *event.Event) string { return ev.Device.Hostname }),

	"src_endpoint.ip":       endpointIP(src),
	"src_endpoint.port":     endpointPort(src),
	"src_endpoint.hostname": endpointText(src, func(e *event.Endpoint) string { return e.Hostname }),
	"src_endpoint.mac":      endpointText(src, func(e *event.Endpoint) string { return e.MAC }),
	"src_endpoint.vm":       endpointText(src, func(e *event.Endpoint) string { return e.VMName }),

	"dst_endpoint.ip":       endpointIP(dst),
	"dst_endpoint.port":     endpointPort(dst),
	"dst_endpoint.hostname": endpointText(dst, func(e *event.Endpoint) string { return e.Hostname }),
	"dst_endpoint.mac":      endpointText(dst, func(e *event.Endpoint) string { return e.MAC }),
	"dst_endpoint.vm":       endpointText(dst, func(e *event.Endpoint) string { return e.VMName }),
	"dst_endpoint.svc_name": endpointText(dst, func(e *event.Endpoint) string { return e.Service }),
	"dst_endpoint.category": endpointText(dst, func(e *event.Endpoint) string { return e.Category }),

	"connection_info.protocol_name": text(protocolName),
	"connection_info.protocol_num":  count(func(ev *event.Event) int64 { return int64(ev.Protocol) }),
	"connection_info.direction":     text(func(ev *event.Event) string { return directionName(ev.Direction) }),
	"connection_info.initiated":     text(initiated),
	"traffic.bytes_out":             traffic(func(t *event.Traffic) int64 { return t.BytesOut }),
	"traffic.bytes_in":              traffic(func(t *event.Traffic) int64 { return t.BytesIn }),
	"traffic.packets_out":           traffic(func(t *event.Traffic) int64 { return t.PacketsOut }),
	"traffic.packets_in":            traffic(func(t *event.Traffic) int64 { return t.PacketsIn }),

	"url":                      text(func(ev *event.Event) string { return ev.URL }),
	"url.path":                 text(func(ev *event.Event) string { path, _ := urlPath(ev.URL); return path }),
	"url.query":                text(func(ev *event.Event) string { _, query := urlPath(ev.URL); return query }),
	"http_request.http_method": text(func(ev *event.Event) string { return ev.HTTP.Method }),
	"http_request.version":     text(func(ev *event.Event) string { return ev.HTTP.Version }),
	"http_request.user_agent":  text(func(ev *event.Event) string { return ev.HTTP.UserAgent }),
	"http_response.code":       count(func(ev *event.Event) int64 { return int64(ev.HTTP.Status) }),
	"query.hostname":           text(func(ev *event.Event) string { return ev.DNS.Query }),
	"query.type":               text(func(ev *event.Event) string { return ev.DNS.Type }),
	"rcode":                    text(func(ev *event.Event) string { return ev.DNS.RCode }),
	"answers":                  answers,
	"user.name":                text(func(ev *event.Event) string { return ev.User.Name }),
	"user.domain":              text(func(ev *event.Event) string { return ev.User.Domain }),
	"user.uid":                 text(func(ev *event.Event) string { return ev.User.UID }),
	"user.account":             account,
	"session.uid":              text(func(ev *event.Event) string { return ev.Session }),
	"service.name":             text(func(ev *event.Event) string { return ev.Service }),
	"api.operation":            text(func(ev *event.Event) string { return ev.Operation }),
	"resource.name":            text(func(ev *event.Event) string { return ev.Resource }),
	"process.name":             text(func(ev *event.Event) string { return ev.Process.Name }),
	"process.path":             text(func(ev *event.Event) string { return ev.Process.Path }),
	"process.cmd_line":         text(func(ev *event.Event) string { return ev.Process.CmdLine }),
	"process.pid":              count(func(ev *event.Event) int64 { return ev.Process.PID }),
	"process.uid":              text(func(ev *event.Event) string { return ev.Process.UID }),
	"process.commands":         commands,
	"process.parent.name":      parentText(func(p *event.Process) string { return p.Name }),
	"process.parent.path":      parentText(func(p *event.Process) string { return p.Path }),
	"process.parent.cmd_line":  parentText(func(p *event.Process) string { return p.CmdLine }),
	"process.parent.uid":       parentText(func(p *event.Process) string { return p.UID }),
	"process.parent.command":   parentCommand,
	"process.parent.pid":       count(parentPID),
	"file.path":                text(func(ev *event.Event) string { return ev.File.Path }),
	"file.name":                text(func(ev *event.Event) string { return ev.File.Name }),
}

func (v *View) put(id event.FieldID, value string) {
	if value != "" {
		v.typed = append(v.typed, event.Field{ID: id, Value: value})
	}
}

// text reads a typed member. Empty is absent: an Event does not tell them
// apart.
func text(get func(*event.Event) string) accessor {
	return func(v *View, id event.FieldID) { v.put(id, get(v.ev)) }
}

// count reads a number of which 0 says that it is not known.
func count(get func(*event.Event) int64) accessor {
	return func(v *View, id event.FieldID) {
		if n := get(v.ev); n != 0 {
			v.number(id, n)
		}
	}
}

func (v *View) number(id event.FieldID, n int64) {
	v.typed = append(v.typed, event.Field{ID: id, Kind: event.KindNumber, Value: v.scratch.number(n)})
}

func traffic(get func(*event.Traffic) int64) accessor {
	return func(v *View, id event.FieldID) {
		if v.ev.Traffic.Known {
			v.number(id, get(&v.ev.Traffic))
		}
	}
}

// ownField reads a field of the source's own under another name. Its kind
// stays: null stays null.
func ownField(own event.FieldID) accessor {
	return func(v *View, id event.FieldID) {
		for _, f := range v.ev.Fields {
			if f.ID == own {
				f.ID = id
				v.typed = append(v.typed, f)
			}
		}
	}
}

func src(ev *event.Event) *event.Endpoint { return &ev.Src }
func dst(ev *event.Event) *event.Endpoint { return &ev.Dst }

func endpointText(end func(*event.Event) *event.Endpoint, get func(*event.Endpoint) string) accessor {
	return func(v *View, id event.FieldID) { v.put(id, get(end(v.ev))) }
}

func endpointIP(end func(*event.Event) *event.Endpoint) accessor {
	return func(v *View, id event.FieldID) {
		if ip := end(v.ev).IP; ip.IsValid() {
			v.put(id, v.scratch.address(ip))
		}
	}
}

func endpointPort(end func(*event.Event) *event.Endpoint) accessor {
	return func(v *View, id event.FieldID) {
		if port := end(v.ev).Port; port != 0 {
			v.number(id, int64(port))
		}
	}
}

func answers(v *View, id event.FieldID) {
	for _, ip := range v.ev.DNS.Answers {
		v.put(id, v.scratch.address(ip))
	}
}

// account is DOMAIN\name as Windows writes it, or the name alone.
func account(v *View, id event.FieldID) {
	u := &v.ev.User
	if u.Domain == "" || u.Name == "" {
		v.put(id, u.Name)
		return
	}
	start := len(v.scratch.text)
	v.scratch.join(u.Domain, `\`)
	v.scratch.join(u.Name, "")
	v.put(id, v.scratch.since(start))
}

func parentText(get func(*event.Process) string) accessor {
	return func(v *View, id event.FieldID) {
		if p := v.ev.Process.Parent; p != nil {
			v.put(id, get(p))
		}
	}
}

func parentPID(ev *event.Event) int64 {
	if ev.Process.Parent == nil {
		return 0
	}
	return ev.Process.Parent.PID
}

func status(ev *event.Event) string {
	switch ev.Status {
	case event.StatusSuccess:
		return "success"
	case event.StatusFailure:
		return "failure"
	}
	return ""
}

func directionName(d event.Direction) string {
	switch d {
	case event.DirectionInbound:
		return "inbound"
	case event.DirectionOutbound:
		return "outbound"
	case event.DirectionLateral:
		return "lateral"
	}
	return ""
}

// initiated is Sysmon's word for a connection that the device opened itself.
func initiated(ev *event.Event) string {
	switch ev.Direction {
	case event.DirectionOutbound:
		return "true"
	case event.DirectionInbound:
		return "false"
	}
	return ""
}

func protocolName(ev *event.Event) string {
	switch ev.Protocol {
	case 1:
		return "icmp"
	case 6:
		return "tcp"
	case 17:
		return "udp"
	case 58:
		return "ipv6-icmp"
	}
	return ""
}

// urlPath cuts scheme and host off url.
func urlPath(url string) (path, query string) {
	if _, rest, ok := strings.Cut(url, "://"); ok {
		i := strings.IndexAny(rest, "/?")
		if i < 0 {
			return "", ""
		}
		url = rest[i:]
	}
	path, query, _ = strings.Cut(url, "?")
	return path, query
}
