package egress

import (
	"strings"

	"github.com/vegress/vegress/event"
)

// Question judges a DNS query of a known machine by the name that it asks for:
// where an HTTPS connection to that would be justified, so is the query, and
// ev.Justification says by what. Otherwise it stays as it is: a query is no
// connection. service and category are the catalogue's of the name; empty:
// none.
func (d *Detector) Question(ev *event.Event, service, category string) {
	host := strings.ToLower(strings.TrimSuffix(ev.DNS.Query, "."))
	a, ok := who(ev)
	if !ok || !a.known() || host == "" || len(host) > maxHost {
		return
	}
	d.question = event.Event{
		Class: event.HTTPActivity, Time: ev.Time, Device: ev.Device, Src: ev.Src,
		Dst: event.Endpoint{Hostname: host, Port: 443, Service: service, Category: category},
	}
	t := target{host: host, port: 443, scheme: "HTTPS"}
	if v := d.judge(&d.question, &a, &t); v.Verdict == event.VerdictJustified {
		ev.Justification = v.Justification
	}
}
