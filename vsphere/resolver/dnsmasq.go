// Package resolver recognizes what DNS resolvers log: which client asked for a
// name, and which addresses stand behind it. A firewall record has addresses
// only; the names for them come from here.
package resolver

import (
	"net/netip"
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

// Recognizers gives the recognizers of this package by program. They are safe
// for concurrent use.
func Recognizers() map[string]vsphere.Recognizer {
	return map[string]vsphere.Recognizer{"dnsmasq": vsphere.RecognizerFunc(dnsmasq)}
}

// dnsmasq recognizes questions and answers (dnsmasq(8), --log-queries). With
// --log-queries=extra a serial and the client stand in front:
//
//	query[A] api.example.com from 10.0.1.15
//	reply api.example.com is 203.0.113.40
//	17 10.0.1.15/4242 cached api.example.com is 203.0.113.40
func dnsmasq(m *syslog.Message, ev *event.Event) bool {
	client, text := extra(m.Text)
	verb, rest := vsphere.Word(text)
	name, rest := vsphere.Word(rest)
	how, rest := vsphere.Word(rest)
	value, _ := vsphere.Word(rest)
	switch kind, ok := queried(verb); {
	case ok && how == "from":
		ev.Activity, ev.DNS.Type = event.DNSQuery, kind
		client, _ = netip.ParseAddr(value)
	case answers(verb) && how == "is":
		answer(ev, value)
	default:
		return false
	}
	ev.Class, ev.DNS.Query = event.DNSActivity, name
	ev.Src.IP, ev.Dst = client, vsphere.DeviceEndpoint(ev)
	ev.Dst.Port, ev.Protocol = 53, 0
	return true
}

// extra takes "SERIAL CLIENT/PORT" off the front, where it stands.
func extra(text string) (client netip.Addr, rest string) {
	serial, after := vsphere.Word(text)
	if _, ok := vsphere.ParseUint(serial); !ok {
		return client, text
	}
	from, after := vsphere.Word(after)
	addr, _, _ := strings.Cut(from, "/")
	client, _ = netip.ParseAddr(addr)
	return client, after
}

// queried gives the type in "query[AAAA]".
func queried(verb string) (kind string, ok bool) {
	kind, ok = strings.CutPrefix(verb, "query[")
	return strings.TrimSuffix(kind, "]"), ok
}

// answers says that a line of this verb gives an answer, from upstream or of
// dnsmasq's own.
func answers(verb string) bool {
	return verb == "reply" || verb == "cached" || verb == "config" || strings.HasPrefix(verb, "/")
}

// answer takes an address, or what stands in its place: NXDOMAIN, NODATA,
// <CNAME>.
func answer(ev *event.Event, value string) {
	ev.Activity = event.DNSResponse
	if addr, err := netip.ParseAddr(value); err == nil {
		ev.DNS.Answers = append(ev.DNS.Answers, addr)
		return
	}
	if strings.HasPrefix(value, "N") {
		ev.DNS.RCode = value
	}
}
