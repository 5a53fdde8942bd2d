package vsphere

import (
	"strings"

	"github.com/vegress/vegress/event"
)

// recognizeLRO takes the begin and end of a long running operation, as hostd,
// vpxa and vpxd log every call:
//
//	[VpxLRO] -- BEGIN lro-47 -- vpxa -- vpxapi.VpxaService.fetchQuickStats -- session(sub)
//	[VpxLRO] -- FINISH lro-47
//	[VpxLRO] -- ERROR lro-19 -- SessionManager -- vim.SessionManager.login: vim.fault.InvalidLogin: ...
func recognizeLRO(text string, ev *event.Event) bool {
	rest, ok := strings.CutPrefix(text, "[VpxLRO] -- ")
	if !ok {
		return false
	}
	verb, rest := Word(rest)
	id, rest, more := strings.Cut(rest, " -- ")
	id, took := Word(id)
	ev.Class, ev.Service = event.APIActivity, ev.LogName
	ev.Add(fieldLRO, id)
	if ms, ok := Between(took, "took ", " ms"); ok {
		AddNumber(ev, FieldDuration, ms)
	}
	ev.Operation, ev.Activity = "VpxLRO FINISH", event.ActivityOther
	switch verb {
	case "BEGIN":
		ev.Operation = "VpxLRO BEGIN"
	case "ERROR":
		ev.Operation, ev.Status = "VpxLRO ERROR", event.StatusFailure
	}
	if more {
		lroCall(rest, ev)
	}
	if ev.Status == event.StatusFailure {
		failedLogin(rest, ev)
	}
	return true
}

// lroCall reads "object -- method -- session(sub)"; object may be empty.
func lroCall(s string, ev *event.Event) {
	object, s, ok := strings.Cut(s, "-- ")
	if !ok {
		return
	}
	ev.Resource = strings.TrimSpace(object)
	method, session, _ := strings.Cut(strings.TrimSuffix(s, " --"), " -- ")
	method, fault, failed := strings.Cut(method, ": ")
	if failed {
		if i := strings.IndexAny(fault, ":\n"); i >= 0 {
			fault = fault[:i]
		}
		AddIf(ev, FieldError, fault)
	}
	SetMethod(ev, method)
	ev.Session, _, _ = strings.Cut(session, "(")
}

// loginMethod begins the names of the ways to log in: login, loginByToken ...
const loginMethod = "vim.SessionManager.login"

// failedLogin: a login that ends in an error is a failed logon. The account
// stands among the arguments, the password never.
func failedLogin(text string, ev *event.Event) {
	if !strings.HasPrefix(ev.Operation, loginMethod) {
		return
	}
	ev.Class, ev.Activity = event.Authentication, event.AuthLogon
	_, after, ok := strings.Cut(text, "Arg userName:")
	if !ok {
		return
	}
	if name, ok := Between(after, `"`, `"`); ok {
		ev.User = ParseUser(strings.TrimRight(name, `\`))
	}
}

// SetMethod names the API call and what kind of call it is by its verb.
func SetMethod(ev *event.Event, method string) {
	method = strings.TrimSpace(method)
	ev.Operation = method
	ev.Activity = methodActivity(method[strings.LastIndexByte(method, '.')+1:])
}

var methodVerbs = [...]struct {
	verb     string
	activity event.Activity
}{
	{"create", event.APICreate},
	{"register", event.APICreate},
	{"clone", event.APICreate},
	{"add", event.APICreate},
	{"destroy", event.APIDelete},
	{"delete", event.APIDelete},
	{"remove", event.APIDelete},
	{"unregister", event.APIDelete},
	{"query", event.APIRead},
	{"retrieve", event.APIRead},
	{"fetch", event.APIRead},
	{"get", event.APIRead},
	{"list", event.APIRead},
	{"find", event.APIRead},
	{"wait", event.APIRead},
	{"read", event.APIRead},
	{"check", event.APIRead},
	{"sessionIsActive", event.APIRead},
	{"login", event.ActivityOther},
	{"logout", event.ActivityOther},
}

func methodActivity(name string) event.Activity {
	if name == "" {
		return event.ActivityOther
	}
	for i := range methodVerbs {
		v := methodVerbs[i].verb
		if len(name) >= len(v) && name[0]|0x20 == v[0]|0x20 && name[1:len(v)] == v[1:] {
			return methodVerbs[i].activity
		}
	}
	return event.APIUpdate
}

// recognizeTask takes "Task Created : haTask-<object>-<method>-<n>" and
// "Task Completed : ... Status success".
func recognizeTask(text string, ev *event.Event) bool {
	rest, ok := strings.CutPrefix(text, "Task ")
	if !ok {
		return false
	}
	verb, rest := Word(rest)
	rest, ok = strings.CutPrefix(rest, ": ")
	if !ok || verb != "Created" && verb != "Completed" {
		return false
	}
	id, rest := Word(rest)
	ev.Class, ev.Service = event.APIActivity, ev.LogName
	ev.Add(fieldTask, id)
	taskCall(id, ev)
	if status, ok := strings.CutPrefix(rest, "Status "); ok {
		ev.Status = event.StatusFailure
		if strings.HasPrefix(status, "success") {
			ev.Status = event.StatusSuccess
		}
	}
	return true
}

func taskCall(id string, ev *event.Event) {
	call, _ := strings.CutPrefix(id, "haTask-")
	if i := strings.LastIndexByte(call, '-'); i >= 0 {
		call = call[:i]
	}
	object, method := "", call
	for _, root := range [...]string{"-vim.", "-vmodl.", "-vpx", "-vim25."} {
		if i := strings.LastIndex(call, root); i >= 0 {
			object, method = call[:i], call[i+1:]
			break
		}
	}
	ev.Resource = object
	SetMethod(ev, method)
}

// recognizeInvoke takes "[VpxVmomi] Invoke done: <method> session: <id>".
func recognizeInvoke(text string, ev *event.Event) bool {
	rest, ok := strings.CutPrefix(text, "[VpxVmomi] Invoke done: ")
	if !ok {
		return false
	}
	method, rest := Word(rest)
	ev.Class, ev.Service, ev.Status = event.APIActivity, ev.LogName, event.StatusSuccess
	SetMethod(ev, method)
	ev.Session, _ = strings.CutPrefix(rest, "session: ")
	return true
}
