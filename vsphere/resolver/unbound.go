package resolver

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

// unbound recognizes what unbound.conf(5) switches on with log-queries,
// log-replies (both also with log-tag-queryreply) and log-local-actions:
//
//	[4242:0] info: 10.0.1.15 www.example.com. A IN
//	[4242:0] query: 10.0.1.15 www.example.com. A IN
//	[4242:0] reply: 10.0.1.15 www.example.com. A IN NOERROR 0.012345 0 56
//	[4242:0] info: example.com. always_refuse 10.0.1.15@4242 www.example.com. A IN
//
// A reply has its code, the time it took, whether it was in the cache, and its
// size. It never has addresses: such a log tells who asked for what, and no
// address gets a name from it.
func unbound(m *syslog.Message, ev *event.Event) bool {
	text, ok := unboundText(m.Text)
	if !ok {
		return false
	}
	if localAction(text, ev) {
		return true
	}
	from, rest := vsphere.Word(text)
	client, ok := vsphere.ParseAddr(from)
	if !ok || !nameTypeClass(rest, event.Endpoint{IP: client}, ev) {
		return false
	}
	unboundReply(rest, ev)
	return true
}

// unboundText is what follows the level, behind [PID:THREAD] or, where a file
// is forwarded, [TIME] unbound[PID:THREAD].
func unboundText(text string) (string, bool) {
	for range 5 { // a time in words has three
		var w string
		w, text = vsphere.Word(text)
		switch w {
		case "info:", "query:", "reply:":
			return text, true
		case "":
			return "", false
		}
	}
	return "", false
}

// nameTypeClass reads "NAME TYPE CLASS" at the front of s into ev.
func nameTypeClass(s string, client event.Endpoint, ev *event.Event) bool {
	name, s := vsphere.Word(s)
	kind, s := vsphere.Word(s)
	class, _ := vsphere.Word(s)
	if name == "" || !isType(kind) || !isClass(class) {
		return false
	}
	question(ev, client, name, kind)
	return true
}

// unboundReply reads "NAME TYPE CLASS RCODE SECONDS CACHED SIZE".
func unboundReply(s string, ev *event.Event) {
	var w [6]string
	for i := range w {
		w[i], s = vsphere.Word(s)
	}
	if w[3] == "" || !isUpper(w[3], 16) || !strings.Contains(w[4], ".") {
		return
	}
	answered(ev, w[3])
	vsphere.AddNumber(ev, vsphere.FieldDuration, millis(w[4]))
}

// millis gives the whole milliseconds in "0.012345", where it has some.
func millis(seconds string) string {
	whole, fraction, _ := strings.Cut(seconds, ".")
	if whole != "0" || len(fraction) < 3 {
		return ""
	}
	if ms := strings.TrimLeft(fraction[:3], "0"); ms != "" {
		return ms
	}
	return "0"
}

// localAction reads "ZONE ACTION CLIENT@PORT NAME TYPE CLASS": what a
// local-zone did to a question.
func localAction(s string, ev *event.Event) bool {
	zone, s := vsphere.Word(s)
	action, s := vsphere.Word(s)
	from, s := vsphere.Word(s)
	if !strings.Contains(from, "@") {
		return false
	}
	client, ok := peer(from, '@')
	if !ok || !nameTypeClass(s, client, ev) {
		return false
	}
	ev.Add(fieldZone, plainName(zone))
	ev.Add(fieldAction, action)
	return true
}
