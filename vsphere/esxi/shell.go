package esxi

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

var (
	fieldResult = event.Intern("result")
	fieldObject = event.Intern("object")
	fieldTTY    = event.Intern("tty")
	fieldPWD    = event.Intern("pwd")
)

// shell recognizes the commands typed in the ESXi shell, in both forms:
//
//	[root]: esxcli system version get
//	[shell.cmd@6876 subject="root" object="shell" command="..." result="success" status="0"]
//
// Up to ESXi 5 there is no user, and what a command prints over several lines
// may be logged too: lines that no command begins like are left alone.
func shell(m *syslog.Message, ev *event.Event) bool {
	if strings.HasPrefix(m.Data, "[shell.cmd@") {
		return auditRecord(m.Data, m, ev)
	}
	text := strings.TrimLeft(m.Text, " ")
	if strings.HasPrefix(text, "[shell.cmd@") {
		return auditRecord(text, m, ev)
	}
	if strings.HasPrefix(text, "Interactive shell session ") {
		ev.Class, ev.Activity = event.ProcessActivity, event.ProcessLaunch
		if strings.Contains(text, "ended") || strings.Contains(text, "closed") {
			ev.Activity = event.ProcessTerminate
		}
		ev.Process.Name = "shell"
		vsphere.SetPID(ev, m.ProcID)
		return true
	}
	user, line := inBrackets(text)
	line, ok := strings.CutPrefix(line, ": ")
	if !ok || user == "" {
		if vsphere.RecognizeEventText(text, ev) {
			return true
		}
		user, line = "", text
		if !beginsCommand(line) {
			return false
		}
	}
	vsphere.SetCommand(ev, line)
	ev.User = vsphere.ParseUser(user)
	ev.Message = ""
	shellOf(m, ev)
	return true
}

// shellOf: the shell is what started the command; the record has its pid.
func shellOf(m *syslog.Message, ev *event.Event) {
	ev.Process.PID = 0
	if pid, ok := vsphere.ParseUint(m.ProcID); ok {
		ev.Process.Parent = &event.Process{Name: "shell", PID: int64(pid)}
	}
}

func auditRecord(data string, m *syslog.Message, ev *event.Event) bool {
	line, ok := sdValue(data, "command")
	if !ok {
		return false
	}
	vsphere.SetCommand(ev, line)
	ev.Message = ""
	shellOf(m, ev)
	if user, ok := sdValue(data, "subject"); ok {
		ev.User = vsphere.ParseUser(user)
	}
	if object, ok := sdValue(data, "object"); ok {
		vsphere.AddIf(ev, fieldObject, object)
	}
	result, _ := sdValue(data, "result")
	vsphere.AddIf(ev, fieldResult, result)
	switch result {
	case "success":
		ev.Status = event.StatusSuccess
	case "failure":
		ev.Status = event.StatusFailure
	}
	return true
}

// sdValue reads key="value" of structured data. Escaped quotes end no value;
// only a value that has some is copied.
func sdValue(data, key string) (string, bool) {
	for from := 0; ; {
		i := strings.Index(data[from:], key)
		if i < 0 {
			return "", false
		}
		i += from
		from = i + len(key)
		if i == 0 || data[i-1] != ' ' || !strings.HasPrefix(data[from:], `="`) {
			continue
		}
		return unescape(data[from+2:])
	}
}

func unescape(s string) (string, bool) {
	escaped := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			if !escaped {
				return s[:i], true
			}
			return sdUnescaper.Replace(s[:i]), true
		}
	}
	return s, true
}

var sdUnescaper = strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\]`, `]`)

// beginsCommand tells a command from what it printed.
func beginsCommand(s string) bool {
	if s == "" || strings.HasSuffix(s, ",") || strings.HasSuffix(s, "{") {
		return false
	}
	c := s[0]
	return c|0x20 >= 'a' && c|0x20 <= 'z' && !strings.Contains(s[:min(len(s), 40)], " = ") ||
		c == '/' || c == '.' || c == '~' || c == '$'
}

// cron takes "USER root pid 2124791 cmd /bin/x.sh": crond runs a job.
func cron(m *syslog.Message, ev *event.Event) bool {
	return vsphere.RecognizeCommand(strings.TrimLeft(m.Text, " "), ev)
}

// maxSudoHead bounds what of a line is looked at before its command.
const maxSudoHead = 320

// sudo takes "name : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/x", the
// form of sudo's own log, with a reason before TTY when it refused.
func sudo(m *syslog.Message, ev *event.Event) bool {
	user, rest, ok := strings.Cut(strings.TrimLeft(m.Text, " "), " : ")
	if !ok {
		return auth(m, ev)
	}
	_, line, ok := strings.Cut(rest, "COMMAND=")
	if !ok {
		return false
	}
	vsphere.SetCommand(ev, line)
	ev.User, ev.Status, ev.Message = vsphere.ParseUser(user), event.StatusSuccess, ""
	for part := range strings.SplitSeq(rest[:min(len(rest)-len(line), maxSudoHead)], ";") {
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case key == "USER":
			vsphere.AddIf(ev, vsphere.FieldRunAs, value)
		case key == "TTY":
			vsphere.AddIf(ev, fieldTTY, value)
		case key == "PWD":
			vsphere.AddIf(ev, fieldPWD, value)
		case !ok && key != "":
			ev.Status = event.StatusFailure
			ev.Add(vsphere.FieldError, key)
		}
	}
	return true
}
