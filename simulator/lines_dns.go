package simulator

import (
	"fmt"
	"net/netip"
)

// dnsPID is the resolver's process.
const dnsPID = 812

// aliases are names that stand for another one.
var aliases = map[string]string{
	"s3.eu-central-1.amazonaws.com": "s3-r-w.eu-central-1.amazonaws.com",
}

// dnsLookup is what dnsmasq logs (log-queries) for one question and its
// answers. The lines of an answer follow each other.
func dnsLookup(client netip.Addr, name string, answers ...netip.Addr) []message {
	kind := "A"
	if len(answers) > 0 && answers[0].Is6() {
		kind = "AAAA"
	}
	out := []message{
		dnsmasq(fmt.Sprintf("query[%s] %s from %s", kind, name, client)),
		dnsmasq(fmt.Sprintf("forwarded %s to 192.0.2.53", name)),
	}
	if target, ok := aliases[name]; ok {
		out = append(out, dnsmasq(fmt.Sprintf("reply %s is <CNAME>", name)))
		name = target
	}
	for _, a := range answers {
		out = append(out, dnsmasq(fmt.Sprintf("reply %s is %s", name, a)))
	}
	return out
}

func dnsmasq(text string) message {
	return message{pri: 30, prog: "dnsmasq", pid: dnsPID, text: text}
}
