package resolver

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

// dnsdist recognizes what the actions LogAction and LogResponseAction of
// PowerDNS dnsdist write without a file (dnsdist.org, "Actions"); a time may
// stand in front:
//
//	Packet from 10.0.1.15:4242 for www.example.com. A with id 17
//	Answer to 10.0.1.15:4242 for www.example.com. A (No Error) with id 17
//
// Neither has addresses.
func dnsdist(m *syslog.Message, ev *event.Event) bool {
	text := m.Text
	if strings.HasPrefix(text, "[") {
		_, text = vsphere.Word(text)
	}
	rest, asks := strings.CutPrefix(text, "Packet from ")
	if !asks {
		var ok bool
		if rest, ok = strings.CutPrefix(text, "Answer to "); !ok {
			return false
		}
	}
	from, rest := vsphere.Word(rest)
	client, ok := peer(from, ':')
	word, rest := vsphere.Word(rest)
	name, rest := vsphere.Word(rest)
	kind, rest := vsphere.Word(rest)
	if !ok || word != "for" || name == "" || !isType(kind) {
		return false
	}
	question(ev, client, name, kind)
	if !asks {
		code, _ := vsphere.Between(rest, "(", ")")
		answered(ev, dnsdistCode(code))
	}
	return true
}

// dnsdistCode is a response code as the others write it: dnsdist has words.
func dnsdistCode(words string) string {
	switch words {
	case "No Error":
		return "NOERROR"
	case "Non-Existent domain":
		return "NXDOMAIN"
	case "Server Failure":
		return "SERVFAIL"
	case "Query Refused":
		return "REFUSED"
	case "Form Error":
		return "FORMERR"
	case "Not Implemented":
		return "NOTIMP"
	}
	return words
}
