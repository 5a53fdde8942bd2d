package vcenter

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

// tomcat recognizes the access log of vCenter's Tomcat servers:
//
//	[11/May/2023:10:22:24 +0000] tomcat-http--47 [Request] 10.0.0.1:48866 to local 1080 - HTTP/1.1 POST /lookupservice/sdk [Response] 200 - 758 bytes [Perf] ...
//
// The bytes are those of the answer: the client received them.
func tomcat(m *syslog.Message, ev *event.Event) bool {
	request, ok := vsphere.Between(m.Text, "[Request] ", " [Response] ")
	if !ok {
		return false
	}
	client, rest, ok := strings.Cut(request, " to local ")
	if !ok || !vsphere.SetEndpoint(&ev.Src, client) {
		return false
	}
	port, rest := vsphere.Word(rest)
	version, rest := vsphere.Word(strings.TrimPrefix(rest, "- "))
	method, path := vsphere.Word(rest)
	_, response, _ := strings.Cut(m.Text, "[Response] ")
	status, response := vsphere.Word(response)
	ev.Class, ev.Activity, ev.URL = event.HTTPActivity, event.MethodActivity(method), path
	ev.Direction, ev.Protocol, ev.Message = event.DirectionInbound, vsphere.ProtocolTCP, ""
	ev.Dst = vsphere.DeviceEndpoint(ev)
	if ev.Dst.IsZero() { // the record says at least that it is here
		ev.Dst.Hostname = "localhost"
	}
	ev.Dst.Port, _ = vsphere.ParsePort(port)
	vsphere.SetHTTP(ev, method, version, status)
	if n, ok := vsphere.Between(response, "- ", " bytes"); ok {
		if bytes, ok := vsphere.ParseUint(n); ok {
			ev.Traffic = event.Traffic{BytesIn: int64(bytes), Known: true}
		}
	}
	return true
}
