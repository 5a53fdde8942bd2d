package network

import (
	"strings"

	"github.com/vegress/vegress/event"
)

// Fields of ASIM's web sessions (learn.microsoft.com, "The Advanced Security
// Information Model (ASIM) Web Session normalization schema").
var (
	asimStart      = event.Intern("EventStartTime")
	asimEnd        = event.Intern("EventEndTime")
	asimTime       = event.Intern("TimeGenerated")
	asimType       = event.Intern("EventType")
	asimResult     = event.Intern("EventResult")
	asimDetails    = event.Intern("EventResultDetails")
	asimStatus     = event.Intern("HttpStatusCode")
	asimSrcIP      = event.Intern("SrcIpAddr")
	asimAnyIP      = event.Intern("IpAddr")
	asimSrcPort    = event.Intern("SrcPortNumber")
	asimSrcHost    = event.Intern("SrcHostname")
	asimSrcUser    = event.Intern("SrcUsername")
	asimUser       = event.Intern("User")
	asimSrcDomain  = event.Intern("SrcDomain")
	asimSrcBytes   = event.Intern("SrcBytes")
	asimSrcPackets = event.Intern("SrcPackets")
	asimDstIP      = event.Intern("DstIpAddr")
	asimDstPort    = event.Intern("DstPortNumber")
	asimDstHost    = event.Intern("DstHostname")
	asimDstFQDN    = event.Intern("DstFQDN")
	asimHTTPHost   = event.Intern("HttpHost")
	asimDstBytes   = event.Intern("DstBytes")
	asimDstPackets = event.Intern("DstPackets")
	asimURL        = event.Intern("Url")
	asimMethod     = event.Intern("HttpRequestMethod")
	asimAgent      = event.Intern("HttpUserAgent")
	asimAgentAlias = event.Intern("UserAgent")
	asimVersion    = event.Intern("HttpVersion")
	asimAction     = event.Intern("DvcAction")
	asimDirection  = event.Intern("NetworkDirection")
	asimDevice     = event.Intern("DvcHostname")
	asimDeviceAny  = event.Intern("Dvc")
	asimDeviceIP   = event.Intern("DvcIpAddr")
)

// webSession is a request as ASIM tells of it.
func webSession(ev *event.Event) {
	ev.LogName = "asim.websession"
	start := instant(text(ev, asimStart))
	ev.Time = instant(firstText(ev, asimEnd, asimStart, asimTime))
	if end := instant(text(ev, asimEnd)); !start.IsZero() && !end.IsZero() {
		span(ev, start, end)
	}
	if device := firstText(ev, asimDevice, asimDeviceAny); device != "" {
		ev.Device.Hostname = device
	}
	ev.Device.IP = address(text(ev, asimDeviceIP))
	ev.Src = event.Endpoint{IP: address(firstText(ev, asimSrcIP, asimAnyIP)), Port: port(text(ev, asimSrcPort)), Hostname: text(ev, asimSrcHost)}
	ev.Dst = event.Endpoint{IP: address(text(ev, asimDstIP)), Port: port(text(ev, asimDstPort))}
	setUser(ev, firstText(ev, asimSrcUser, asimUser))
	if domain := text(ev, asimSrcDomain); ev.User.Domain == "" && ev.User.Name != "" {
		ev.User.Domain = domain
	}
	setHTTP(ev, text(ev, asimMethod), firstText(ev, asimStatus, asimDetails))
	ev.HTTP.Version = strings.TrimPrefix(text(ev, asimVersion), "HTTP/")
	ev.HTTP.UserAgent = firstText(ev, asimAgent, asimAgentAlias)
	webTarget(ev)
	webTraffic(ev)
	webVerdict(ev)
	ev.Direction = webDirection(ev)
}

// webTarget names the destination: by the URL, which tells what the client
// wanted, else by what else names it.
func webTarget(ev *event.Event) {
	ev.URL = text(ev, asimURL)
	if setURLHost(&ev.Dst, ev.URL); ev.Dst.Hostname != "" {
		return
	}
	if host := firstText(ev, asimHTTPHost, asimDstFQDN, asimDstHost); host != "" {
		setHost(&ev.Dst, host)
	}
}

// webTraffic: SrcBytes are those that the source sent.
func webTraffic(ev *event.Event) {
	out, okOut := countOf(ev, asimSrcBytes)
	in, okIn := countOf(ev, asimDstBytes)
	packetsOut, _ := countOf(ev, asimSrcPackets)
	packetsIn, _ := countOf(ev, asimDstPackets)
	ev.Traffic = event.Traffic{BytesOut: out, BytesIn: in, PacketsOut: packetsOut, PacketsIn: packetsIn, Known: okOut || okIn}
}

// webVerdict says what the gateway made of the request.
func webVerdict(ev *event.Event) {
	switch text(ev, asimAction) {
	case "Deny", "Drop", "Drop ICMP", "Reset", "Reset Source", "Reset Destination":
		ev.Status = event.StatusFailure
		ev.Add(fieldResult, "DENIED")
	}
	if ev.Status == event.StatusUnknown {
		switch text(ev, asimResult) {
		case "Success":
			ev.Status = event.StatusSuccess
		case "Failure":
			ev.Status = event.StatusFailure
		}
	}
}

func webDirection(ev *event.Event) event.Direction {
	switch text(ev, asimDirection) {
	case "Outbound":
		return event.DirectionOutbound
	case "Inbound":
		return event.DirectionInbound
	case "Local", "Lateral":
		return event.DirectionLateral
	}
	if text(ev, asimType) == "WebServerSession" {
		return event.DirectionInbound
	}
	return event.DirectionOutbound
}
