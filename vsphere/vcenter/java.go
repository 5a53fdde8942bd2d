package vcenter

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

// websso recognizes the audit log of single sign-on, whose text is a JSON
// object that relays sometimes escape once more:
//
//	INFO websso[42:tomcat-http--5] [CorId=..] [auditlogger] {"user":"u@dom","client":"10.0.0.1","description":"...","type":"com.vmware.sso.LoginSuccess"}
func websso(m *syslog.Message, ev *event.Event) bool {
	i := strings.Index(m.Text, `"user`)
	if i < 0 || !strings.Contains(m.Text, "com.vmware.sso.") {
		return java(m, ev)
	}
	text := m.Text[strings.LastIndexByte(m.Text[:i], '{')+1:]
	kind := jsonString(text, "type")
	vsphere.Logon(ev, ssoActivity(kind), ssoStatus(kind), "sso")
	ev.Message = jsonString(text, "description")
	ev.Add(fieldEventType, kind)
	if user := jsonString(text, "user"); user != "n/a" {
		vsphere.SetUser(ev, user)
	}
	client, _, _ := strings.Cut(jsonString(text, "client"), ",")
	vsphere.SetEndpoint(&ev.Src, client)
	return true
}

// ssoActivity: "com.vmware.sso.LoginSuccess", "...LoginFailure", "...Logout".
func ssoActivity(kind string) event.Activity {
	switch {
	case strings.Contains(kind, "Login"):
		return event.AuthLogon
	case strings.Contains(kind, "Logout"):
		return event.AuthLogoff
	}
	return event.ActivityOther
}

func ssoStatus(kind string) event.Status {
	switch {
	case strings.HasSuffix(kind, "Failure"), strings.HasSuffix(kind, "Failed"):
		return event.StatusFailure
	case strings.HasSuffix(kind, "Success"), strings.HasSuffix(kind, "Logout"):
		return event.StatusSuccess
	}
	return event.StatusUnknown
}

// jsonString reads "key":"value" of a flat object, also when all its quotes
// are escaped. An escaped backslash in the value becomes one; the other
// escapes stay as they are.
func jsonString(s, key string) string {
	for from := 0; ; {
		i := strings.Index(s[from:], `"`+key)
		if i < 0 {
			return ""
		}
		from += i + 1 + len(key)
		rest, escaped := strings.CutPrefix(s[from:], `\`)
		rest, ok := strings.CutPrefix(rest, `":`)
		if !ok {
			continue
		}
		rest = strings.TrimLeft(rest, " ")
		quote := `"`
		if escaped {
			quote = `\"`
		}
		if rest, ok = strings.CutPrefix(rest, quote); !ok {
			return ""
		}
		value := untilQuote(rest, escaped)
		value = strings.ReplaceAll(value, `\\`, `\`)
		if escaped { // once by the sender, once by the relay
			value = strings.ReplaceAll(value, `\\`, `\`)
		}
		return value
	}
}

func untilQuote(s string, escaped bool) string {
	if escaped {
		value, _, _ := strings.Cut(s, `\"`)
		return value
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[:i]
		}
	}
	return s
}

// java recognizes the lines of the services written in Java, in which an
// account or a call is named:
//
//	[tomcat-exec-25 [] INFO com.vmware.x.AuthzPermissionValidator opId=1] User DOM\u who belongs to group g ... to invoke API a.b.list
//	[pool-24-thread-1] INFO opId=sps-Main-1 com.vmware.x.GlobalCatalogCache - text
//	INFO api 25572 [ops@4413 threadId="639"] Completed POST /diagnostics/findings
func java(m *syslog.Message, ev *event.Event) bool {
	var l javaLine
	if !l.parse(m) {
		return false
	}
	ev.Severity, ev.Message = javaSeverity(l.level), l.text
	vsphere.AddIf(ev, vsphere.FieldModule, l.logger)
	vsphere.AddIf(ev, vsphere.FieldOpID, l.opID)
	if completed(l.text, ev) {
		connector(m, ev)
	} else if !permission(l.text, ev) {
		sessionCount(l.text, ev)
		vsphere.Fallback(l.text, ev)
	}
	return true
}

// maxHead bounds what may stand before the element in brackets.
const maxHead = 64

type javaLine struct{ level, logger, opID, text string }

func (l *javaLine) parse(m *syslog.Message) bool {
	text := strings.TrimLeft(m.Text, " ")
	if strings.HasPrefix(m.Data, "[ops@") {
		l.level, l.text = "INFO", text
		return true
	}
	if i := strings.Index(text, "[ops@"); i >= 0 && i < maxHead {
		_, l.text, _ = strings.Cut(text[i:], "] ")
		l.level, _ = vsphere.Word(text[:i])
		return l.text != ""
	}
	if !strings.HasPrefix(text, "[") {
		return false
	}
	if thread, rest, ok := strings.Cut(text[1:], " [] "); ok && len(thread) < maxHead {
		head, rest, ok := strings.Cut(rest, "] ")
		l.text = rest
		return ok && l.words(head)
	}
	_, rest, ok := strings.Cut(text, "] ")
	if !ok {
		return false
	}
	head, body, ok := strings.Cut(rest, " - ")
	l.text = body
	return ok && l.words(head)
}

// words reads "INFO com.vmware.Logger opId=x", in any order behind the level.
func (l *javaLine) words(s string) bool {
	l.level, s = vsphere.Word(s)
	if javaSeverity(l.level) == event.SeverityUnknown {
		return false
	}
	for s != "" {
		var w string
		w, s = vsphere.Word(s)
		if id, ok := strings.CutPrefix(w, "opId="); ok {
			l.opID = id
		} else if l.logger == "" {
			l.logger = w
		}
	}
	return true
}

func javaSeverity(level string) event.Severity {
	switch level {
	case "INFO", "DEBUG", "TRACE", "VERBOSE":
		return event.SeverityInformational
	case "WARN", "WARNING":
		return event.SeverityMedium
	case "ERROR":
		return event.SeverityHigh
	case "FATAL", "CRITICAL":
		return event.SeverityCritical
	}
	return event.SeverityUnknown
}

// permission: "User U who belongs to group G has top-level Admin privileges
// to invoke API A".
func permission(text string, ev *event.Event) bool {
	rest, ok := strings.CutPrefix(text, "User ")
	if !ok {
		return false
	}
	_, api, ok := strings.Cut(rest, " to invoke API ")
	if !ok {
		return false
	}
	user, _ := vsphere.Word(rest)
	ev.Class, ev.Activity, ev.Service = event.APIActivity, event.ActivityOther, ev.LogName
	ev.Operation, _ = vsphere.Word(api)
	vsphere.SetUser(ev, user)
	ev.Status = event.StatusSuccess
	if strings.Contains(rest, "does not have") || strings.Contains(rest, "denied") {
		ev.Status = event.StatusFailure
	}
	return true
}

// completed: "Completed POST /diagnostics/findings".
func completed(text string, ev *event.Event) bool {
	rest, ok := strings.CutPrefix(text, "Completed ")
	if !ok {
		return false
	}
	method, rest := vsphere.Word(rest)
	path, _ := vsphere.Word(rest)
	activity := event.MethodActivity(method)
	if activity == event.ActivityOther || !strings.HasPrefix(path, "/") {
		return false
	}
	ev.Class, ev.Activity, ev.Direction = event.HTTPActivity, activity, event.DirectionInbound
	ev.HTTP.Method, ev.URL, ev.Dst = method, path, vsphere.DeviceEndpoint(ev)
	return true
}

// connector reads where Tomcat served the request from the thread's name:
// "127.0.0.1-8010-exec-26".
func connector(m *syslog.Message, ev *event.Event) {
	head := m.Data
	if head == "" {
		head = m.Text
	}
	name, _, ok := strings.Cut(head, "-exec-")
	if !ok {
		return
	}
	name, port, ok := cutLast(name, '-')
	p, number := vsphere.ParsePort(port)
	if !ok || !number {
		return
	}
	start := len(name)
	for start > 0 && (name[start-1] == '.' || name[start-1] >= '0' && name[start-1] <= '9') {
		start--
	}
	if a, ok := vsphere.ParseAddr(name[start:]); ok {
		ev.Dst.IP, ev.Dst.Port = a, p
	}
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

var fieldSessions = event.Intern("sessions")

// sessionCount: "Session count for user [after add]: DOM\U is 3".
func sessionCount(text string, ev *event.Event) {
	if !strings.HasPrefix(text, "Session count for user") {
		return
	}
	_, rest, _ := strings.Cut(text, ": ")
	user, count, ok := strings.Cut(rest, " is ")
	if !ok {
		return
	}
	vsphere.SetUser(ev, user)
	vsphere.AddNumber(ev, fieldSessions, count)
}
