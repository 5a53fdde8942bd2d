package resolver

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

// bind recognizes the query log of BIND 9 (Administrator Reference Manual,
// "The query Log Category"), and its refusals (category security):
//
//	client @0x7f3c2c0 10.0.1.15#4242 (www.example.com): query: www.example.com IN A +E(0)K (10.0.0.53)
//	client @0x7f3c2c0 10.0.1.15#4242 (www.example.com): view guests: query: www.example.com IN A + (10.0.0.53)
//	client @0x7f3c2c0 10.0.1.15#4242 (www.example.com): query (cache) 'www.example.com/A/IN' denied
//
// The object's address, the name in brackets and a view are not in all
// versions; "queries: info: " stands in front with print-category and
// print-severity. The log has no answers.
func bind(m *syslog.Message, ev *event.Event) bool {
	i := strings.Index(m.Text, "client ")
	if i < 0 || i > maxCategory {
		return false
	}
	w, rest := vsphere.Word(m.Text[i+len("client "):])
	if strings.HasPrefix(w, "@") {
		w, rest = vsphere.Word(rest)
	}
	client, ok := peer(strings.TrimSuffix(w, ":"), '#')
	if !ok {
		return false
	}
	if strings.HasPrefix(rest, "(") {
		_, rest, _ = strings.Cut(rest, "): ")
	}
	view := ""
	if after, ok := strings.CutPrefix(rest, "view "); ok {
		view, rest, _ = strings.Cut(after, ": ")
	}
	if !bindQuery(rest, client, ev) && !bindDenied(rest, client, ev) {
		return false
	}
	vsphere.AddIf(ev, fieldView, view)
	return true
}

// maxCategory bounds what stands before "client": time, category, severity.
const maxCategory = 64

// bindQuery reads "query: NAME CLASS TYPE FLAGS (SERVER)".
func bindQuery(s string, client event.Endpoint, ev *event.Event) bool {
	s, ok := strings.CutPrefix(s, "query: ")
	if !ok {
		return false
	}
	name, s := vsphere.Word(s)
	class, s := vsphere.Word(s)
	kind, s := vsphere.Word(s)
	if name == "" || !isClass(class) || !isType(kind) {
		return false
	}
	question(ev, client, name, kind)
	flags, s := vsphere.Word(s)
	vsphere.AddIf(ev, fieldFlags, flags)
	if server, ok := vsphere.Between(s, "(", ")"); ok {
		if a, ok := vsphere.ParseAddr(server); ok {
			ev.Dst.IP = a
		}
	}
	return true
}

// bindDenied reads "query (cache) 'NAME/TYPE/CLASS' denied".
func bindDenied(s string, client event.Endpoint, ev *event.Event) bool {
	if !strings.HasPrefix(s, "query ") {
		return false
	}
	what, ok := vsphere.Between(s, "'", "' denied")
	if !ok {
		return false
	}
	what, class, _ := cutLast(what, '/')
	name, kind, _ := cutLast(what, '/')
	if name == "" || !isType(kind) || !isClass(class) {
		return false
	}
	question(ev, client, name, kind)
	answered(ev, "REFUSED")
	return true
}

// cutLast cuts s at the last sep.
func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
