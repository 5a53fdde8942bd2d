package esxi

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere"
)

// proxy knows what the proxies of host and vCenter write beside Vmacore's
// connections: "TCP<client:port, server:port>".
func proxy(text string, ev *event.Event) bool {
	return tcpPair(text, ev)
}

// tcpPair: "... TCP<10.0.0.7:50000, 10.0.0.1:443> ...", client first.
func tcpPair(text string, ev *event.Event) bool {
	pair, ok := vsphere.Between(text, "TCP<", ">")
	if !ok {
		return false
	}
	client, server, ok := strings.Cut(pair, ", ")
	if !ok || !vsphere.SetEndpoint(&ev.Src, client) || !vsphere.SetEndpoint(&ev.Dst, server) {
		return false
	}
	ev.Class, ev.Activity, ev.Direction = event.NetworkActivity, event.ActivityOther, event.DirectionInbound
	ev.Protocol = vsphere.ProtocolTCP
	if strings.Contains(text, "clos") {
		ev.Activity = event.NetworkClose
	}
	return true
}
