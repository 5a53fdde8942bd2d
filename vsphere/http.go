package vsphere

import (
	"strings"

	"github.com/vegress/vegress/accesslog"
	"github.com/vegress/vegress/event"
)

// SetHTTP puts request line and status into ev. An answer below 400 is a
// success.
func SetHTTP(ev *event.Event, method, version, status string) {
	ev.HTTP.Method, ev.HTTP.Version = method, version
	n, ok := ParseUint(status)
	if !ok || n == 0 || n > 999 {
		return
	}
	ev.HTTP.Status, ev.Status = int(n), event.StatusSuccess
	if n >= 400 {
		ev.Status = event.StatusFailure
	}
}

// SetDownload makes ev a fetch of url by the device.
func SetDownload(ev *event.Event, url string) {
	ev.Class, ev.Activity = event.HTTPActivity, event.HTTPGet
	ev.Src, ev.Direction, ev.Protocol = DeviceEndpoint(ev), event.DirectionOutbound, ProtocolTCP
	ev.HTTP.Method = "GET"
	SetURL(ev, &ev.Dst, url)
}

// recognizeAccess takes a line of the Common Log Format, or the combined one,
// as the appliance's web servers write it:
//
//	10.0.0.5 - jane [02/Mar/2024:10:11:12 +0000] "GET /ui/login HTTP/1.1" 302 512 "-" "Mozilla/5.0"
//
// The bytes are those of the answer: the client received them.
func recognizeAccess(text string, ev *event.Event) bool {
	l, ok := accesslog.ParseCombined(text)
	var src event.Endpoint
	if !ok || !SetEndpoint(&src, l.Client) || !src.IP.IsValid() {
		return false
	}
	if l.User != "" && l.User != "-" {
		SetUser(ev, l.User)
	}
	ev.Class, ev.Activity, ev.URL = event.HTTPActivity, event.MethodActivity(l.Method), l.Target
	ev.Src, ev.Dst, ev.Direction, ev.Protocol = src, DeviceEndpoint(ev), event.DirectionInbound, ProtocolTCP
	SetHTTP(ev, l.Method, l.Version, l.Status)
	if n, ok := ParseUint(l.Bytes); ok {
		ev.Traffic = event.Traffic{BytesIn: int64(n), Known: true}
	}
	ev.HTTP.UserAgent = l.UserAgent
	return true
}

// recognizeNamespace takes what the reverse HTTP proxy writes of where a
// request goes on to:
//
//	Resolved endpoint : [N7Vmacore4Http16LocalServiceSpecE:0x..] _serverNamespace = /sdk action = Allow _port = 8307
func recognizeNamespace(text string, ev *event.Event) bool {
	_, rest, ok := strings.Cut(text, "_serverNamespace = ")
	if !ok {
		return false
	}
	ev.URL, rest = Word(rest)
	if action, ok := strings.CutPrefix(rest, "action = "); ok {
		action, _ = Word(action)
		AddIf(ev, fieldAction, action)
	}
	_, rest, ok = strings.Cut(rest, "_port = ")
	port, _ := Word(rest)
	if p, number := ParsePort(port); ok && number {
		ev.Dst.Hostname, ev.Dst.Port = "localhost", p // a LocalServiceSpec or LocalTunnelSpec
	}
	if strings.HasPrefix(text, "Resolved endpoint") { // else it is only configured
		ev.Class, ev.Activity, ev.Direction = event.HTTPActivity, event.ActivityUnknown, event.DirectionInbound
		ev.Protocol = ProtocolTCP
	}
	return true
}
