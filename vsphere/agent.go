package vsphere

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
)

// Agent recognizes what the programs built on Vmacore have in common: the
// body in front of the text, sessions, tasks, calls, events and connections.
// Its function, which may be nil, is asked first about the text behind the
// body, which is in ev.Message.
type Agent func(text string, ev *event.Event) bool

// Recognize implements Recognizer.
func (a Agent) Recognize(m *syslog.Message, ev *event.Event) bool {
	b, ok := ParseBody(m)
	if !ok {
		return a.text(m.Text, ev)
	}
	b.Describe(ev)
	b.Process(m, ev)
	vmOfSub(b.Sub, ev)
	if !a.text(b.Text, ev) {
		Fallback(b.Text, ev)
		if strings.Contains(m.Data, "=\"") { // quoted: values of its own
			Fallback(m.Data, ev)
		}
		vmWorld(b.Text, ev)
	}
	return true
}

// vmWorld ties a world id in the words of a VM's handler to that VM.
func vmWorld(text string, ev *event.Event) {
	path, ok := ev.Field(FieldVMPath)
	if !ok || ev.Class != event.BaseEvent || ev.Src.IP.IsValid() {
		return
	}
	if world := WorldOf(text); world != "" {
		ev.Src.World, ev.Src.VMName = world, path.Value
	}
}

func (a Agent) text(text string, ev *event.Event) bool {
	return a != nil && a(text, ev) || agentText(text, ev)
}

func agentText(text string, ev *event.Event) bool {
	if text == "" {
		return false
	}
	switch text[0] {
	case '[':
		return recognizeLRO(text, ev) || recognizeInvoke(text, ev) || recognizeAuth(text, ev) ||
			recognizeNamespace(text, ev) || recognizeConnection(text, ev)
	case 'E':
		if id, rest, ok := numberedEvent(text); ok {
			ev.AddNumber(FieldEventID, id)
			ev.Message = rest
			if !RecognizeEventText(rest, ev) {
				Fallback(rest, ev)
			}
			return true
		}
	case 'U', 'C', 'F', 'S':
		if sessionText(text, ev) {
			return true
		}
	case 'T':
		return recognizeTask(text, ev) || recognizeTicket(text, ev) || recognizeConnection(text, ev)
	}
	return recognizePassword(text, ev) || recognizeState(text, ev) || recognizeSetting(text, ev) ||
		recognizeNamespace(text, ev) || recognizeVMotion(text, ev) || recognizeActivation(text, ev) || recognizeConnection(text, ev) ||
		RecognizeCommand(text, ev)
}

// numberedEvent reads "Event 406 : text".
func numberedEvent(text string) (id, rest string, ok bool) {
	rest, ok = strings.CutPrefix(text, "Event ")
	if !ok {
		return "", "", false
	}
	id, rest = Word(rest)
	if _, ok = ParseUint(id); !ok || id[0] == '0' {
		return "", "", false
	}
	rest, ok = strings.CutPrefix(rest, ": ")
	return id, rest, ok
}

// recognizePassword takes "Accepted password for user U from IP -
// session=...", "Rejected password for user U from IP".
func recognizePassword(text string, ev *event.Event) bool {
	verb, rest := Word(text)
	if verb != "Accepted" && verb != "Rejected" {
		return false
	}
	rest, ok := strings.CutPrefix(rest, "password for user ")
	if !ok {
		return false
	}
	user, rest, ok := strings.Cut(rest, " from ")
	if !ok {
		return false
	}
	status := event.StatusSuccess
	if verb == "Rejected" {
		status = event.StatusFailure
	}
	logon(ev, event.AuthLogon, status)
	SetUser(ev, user)
	where, rest := Word(rest)
	if where != "unknown" {
		SetEndpoint(&ev.Src, where)
	}
	_, ev.Session, _ = strings.Cut(rest, "session=")
	return true
}

// recognizeAuth takes "[Auth]: User U": who a session authenticates as.
func recognizeAuth(text string, ev *event.Event) bool {
	user, ok := strings.CutPrefix(text, "[Auth]: User ")
	if !ok {
		return false
	}
	logon(ev, event.AuthLogon, event.StatusUnknown)
	SetUser(ev, user)
	return true
}

// recognizeTicket takes "Ticket issued for U".
func recognizeTicket(text string, ev *event.Event) bool {
	user, ok := strings.CutPrefix(text, "Ticket issued for ")
	if !ok {
		return false
	}
	ev.Class, ev.Activity, ev.Status = event.APIActivity, event.APICreate, event.StatusSuccess
	ev.Operation, ev.Resource, ev.Service = "Ticket issued", "ticket", ev.LogName
	ev.User = ParseUser(user)
	return true
}

// vmOfSub names the VM whose handler in hostd wrote the line:
// "Vmsvc.vm:/vmfs/volumes/<datastore>/<vm>/<vm>.vmx".
func vmOfSub(sub string, ev *event.Event) {
	_, path, ok := strings.Cut(sub, "vm:/")
	if !ok {
		return
	}
	path = sub[len(sub)-len(path)-1:]
	ev.Add(FieldVMPath, path)
	AddIf(ev, FieldVM, vmOfPath(path))
}

// vmOfPath is the name in .../NAME.vmx: what the VM was called when it was
// made.
func vmOfPath(path string) string {
	name := path[strings.LastIndexByte(path, '/')+1:]
	name, ok := strings.CutSuffix(name, ".vmx")
	if !ok {
		return ""
	}
	return name
}

// recognizeState takes "State Transition (VM_STATE_OFF ->
// VM_STATE_POWERING_ON)", "Create Snapshot: NAME, memory=false" and "Register
// called: []/path/x.vmx".
func recognizeState(text string, ev *event.Event) bool {
	if path, ok := strings.CutPrefix(text, "Register called: []"); ok {
		ev.Class, ev.Activity, ev.Service = event.APIActivity, event.APICreate, ev.LogName
		ev.Operation = "Register"
		ev.Add(FieldVMPath, path)
		SetVM(ev, vmOfPath(path))
		return true
	}
	if name, ok := strings.CutPrefix(text, "Create Snapshot: "); ok {
		name, _, _ = strings.Cut(name, ", memory=")
		ev.Class, ev.Activity, ev.Service = event.APIActivity, event.APICreate, ev.LogName
		ev.Operation = "Create Snapshot"
		AddIf(ev, fieldSnapshot, name)
		vmOfField(ev)
		return true
	}
	states, ok := strings.CutPrefix(text, "State Transition (")
	if !ok {
		return false
	}
	from, to, _ := strings.Cut(strings.TrimSuffix(states, ")"), " -> ")
	ev.Class, ev.Activity, ev.Service = event.APIActivity, event.APIUpdate, ev.LogName
	ev.Operation = "State Transition"
	AddIf(ev, fieldStateFrom, from)
	AddIf(ev, fieldStateTo, to)
	vmOfField(ev)
	return true
}

// vmOfField makes the VM whose handler wrote the line the resource.
func vmOfField(ev *event.Event) {
	if vm, ok := ev.Field(FieldVM); ok {
		SetVM(ev, vm.Value)
	}
}

// recognizeSetting takes "Set called with key 'K' value 'V'": an advanced
// option of the host was set.
func recognizeSetting(text string, ev *event.Event) bool {
	rest, ok := strings.CutPrefix(text, "Set called with key '")
	if !ok {
		return false
	}
	key, rest, _ := strings.Cut(rest, "'")
	ev.Class, ev.Activity, ev.Service = event.APIActivity, event.APIUpdate, ev.LogName
	ev.Operation, ev.Resource = "Set option", key
	if value, ok := strings.CutPrefix(strings.TrimPrefix(rest, ","), " value "); ok {
		AddIf(ev, fieldValue, Unquote(value))
		mentions(value, ev)
	}
	return true
}

// recognizeVMotion takes the addresses of the hosts that a VM moves between:
// "VMotionPrepare: dstMgmtIp=10.0.0.2", "... srcIp=10.0.0.1 dstIp=10.0.0.2".
func recognizeVMotion(text string, ev *event.Event) bool {
	if !strings.Contains(text, "Ip=") {
		return false
	}
	dst := vmotionEnd(text, "dstIp=", "dstMgmtIp=")
	if dst == "" {
		return false
	}
	src := vmotionEnd(text, "srcIp=", "srcMgmtIp=")
	if src == "" && !strings.HasPrefix(text, "VMotion") || !SetEndpoint(&ev.Dst, dst) {
		return false
	}
	if !SetEndpoint(&ev.Src, src) {
		ev.Src = DeviceEndpoint(ev)
	}
	ev.Class, ev.Activity, ev.Direction = event.NetworkActivity, event.ActivityOther, event.DirectionLateral
	mentions(text, ev)
	return true
}

// vmotionEnd gives the address behind one of the marks.
func vmotionEnd(text string, marks ...string) string {
	for _, mark := range marks {
		if _, rest, ok := strings.Cut(text, mark); ok {
			word, _ := Word(rest)
			return strings.Trim(word, "<>,;")
		}
	}
	return ""
}
