package resolver

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

// dnsmasq recognizes questions and answers (dnsmasq(8), --log-queries). With
// --log-queries=extra a serial and the client stand in front:
//
//	query[A] api.example.com from 10.0.1.15
//	reply api.example.com is <CNAME>
//	reply edge.example.net is 203.0.113.40
//	17 10.0.1.15/4242 cached api.example.com is 203.0.113.40
//
// An answer's lines follow each other, each alias before what it stands for.
func dnsmasq(m *syslog.Message, ev *event.Event) bool {
	serial, client, text := extra(m.Text)
	verb, rest := vsphere.Word(text)
	name, rest := vsphere.Word(rest)
	how, rest := vsphere.Word(rest)
	value, _ := vsphere.Word(rest)
	switch kind, ok := queried(verb); {
	case ok && how == "from":
		if a, ok := vsphere.ParseAddr(value); ok {
			client.IP = a
		}
		question(ev, client, name, kind)
	case answers(verb) && how == "is":
		question(ev, client, name, "")
		answer(ev, value)
	default:
		return false
	}
	vsphere.AddNumber(ev, fieldSerial, serial)
	return true
}

// extra takes "SERIAL CLIENT/PORT" off the front, where it stands.
func extra(text string) (serial string, client event.Endpoint, rest string) {
	serial, after := vsphere.Word(text)
	if _, ok := vsphere.ParseUint(serial); !ok {
		return "", client, text
	}
	from, after := vsphere.Word(after)
	client, _ = peer(from, '/')
	return serial, client, after
}

// queried gives the type in "query[AAAA]".
func queried(verb string) (kind string, ok bool) {
	kind, ok = strings.CutPrefix(verb, "query[")
	return strings.TrimSuffix(kind, "]"), ok
}

// answers says that a line of this verb gives an answer, from upstream or of
// dnsmasq's own.
func answers(verb string) bool {
	return verb == "reply" || verb == "cached" || verb == "config" || verb == "cached-stale" || strings.HasPrefix(verb, "/")
}

// answer takes an address, or what stands in its place: NXDOMAIN, NODATA,
// <CNAME>.
func answer(ev *event.Event, value string) {
	ev.Activity = event.DNSResponse
	if addr, ok := vsphere.ParseAddr(value); ok {
		ev.DNS.Answers = append(ev.DNS.Answers, addr)
		return
	}
	if strings.HasPrefix(value, "N") {
		ev.DNS.RCode = value
		return
	}
	vsphere.AddIf(ev, fieldAnswer, value)
}
