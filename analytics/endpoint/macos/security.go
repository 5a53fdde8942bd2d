// Package macos decodes the telemetry of macOS: what Endpoint Security tells
// eslogger and Jamf Protect, the unified log, and the results of osquery, which
// runs on Linux as well.
package macos

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// ErrNotSecurity says that a record is no message of Endpoint Security.
var ErrNotSecurity = errors.New("record is no message of Endpoint Security")

// Security decodes messages of Endpoint Security
// (https://developer.apple.com/documentation/endpointsecurity) as JSON: what
// eslogger writes, in versions 9 and 10 and those before, and the telemetry of
// Jamf Protect, which is built like it. Programs that start and end and what
// is done to files become events of their own; Endpoint Security knows no
// network connections. It is not safe for concurrent use.
type Security struct {
	log    string
	ev     event.Event
	parent event.Process
	line   []byte
}

var _ endpoint.Decoder = (*Security)(nil)

// NewEslogger makes a decoder for what eslogger writes.
func NewEslogger() *Security { return &Security{log: "eslogger"} }

// NewJamf makes a decoder for the telemetry of Jamf Protect.
func NewJamf() *Security { return &Security{log: "jamf"} }

// Fields that the decoders of this room add.
var (
	fieldEvent      = event.Intern("es_event")
	fieldLaunchedBy = event.Intern("launched_by")
	fieldOldPath    = event.Intern("old_path")
)

// Values of launched_by: a program took the place of another in its process,
// or a process was doubled.
const (
	byExec = "exec"
	byFork = "fork"
)

// Decode implements endpoint.Decoder.
func (s *Security) Decode(r endpoint.Record, tell func(*event.Event)) error {
	message, err := endpoint.Object(r.Text)
	if err != nil {
		return err
	}
	m := parts(message)
	if m.kind == "" {
		return ErrNotSecurity
	}
	ev, kind, detail, acting := &s.ev, m.kind, m.detail, m.process
	ev.Reset()
	ev.Raw, ev.Records, ev.LogName, ev.Severity = r.Text, 1, s.log, event.SeverityInformational
	ev.Time, _ = time.Parse(time.RFC3339Nano, m.time)
	ev.Time = ev.Time.UTC()
	ev.Device, ev.Status = m.device(r.Host), m.outcome()
	about := acting
	switch kind {
	case "exec":
		about = detail.Get("target")
		s.exec(acting, about, detail)
	case "fork":
		about = detail.Get("child")
		s.fork(acting, about)
	case "exit":
		s.process(acting)
		ev.Class, ev.Activity = event.ProcessActivity, event.ProcessTerminate
	default:
		s.process(acting)
		s.file(kind, detail)
	}
	if ev.Class == event.BaseEvent {
		ev.Message = kind
	}
	ev.Add(fieldEvent, kind)
	signed := signatureOf(about)
	signed.add(ev)
	s.flatten("", message)
	tell(ev)
	return nil
}

// securityMessage is the members of a message that are looked at.
type securityMessage struct {
	kind                  string // "exec"
	detail, process       gjson.Result
	time                  string
	action, host, machine gjson.Result
}

// parts goes once over a message's members: it is long.
func parts(message gjson.Result) (m securityMessage) {
	message.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "event":
			value.ForEach(func(key, value gjson.Result) bool {
				m.kind, m.detail = key.Str, value
				return false
			})
		case "process":
			m.process = value
		case "time":
			m.time = value.Str
		case "action":
			m.action = value
		case "host":
			m.host = value
		case "hostname":
			m.machine = value
		}
		return true
	})
	return m
}

// device is the machine: eslogger does not say, Jamf does, a shipper may.
func (m *securityMessage) device(host string) event.Device {
	var d event.Device
	for _, name := range []string{m.host.Get("hostname").Str, m.machine.Str, host} {
		if name != "" {
			d.Hostname = name
			break
		}
	}
	d.IP, _ = netip.ParseAddr(m.host.Get("ips.0").Str)
	return d
}

// outcome: what was allowed, or not.
func (m *securityMessage) outcome() event.Status {
	switch auth := m.action.Get("result.result.auth"); {
	case auth.Type != gjson.Number:
		return event.StatusUnknown
	case auth.Int() == 0:
		return event.StatusSuccess
	}
	return event.StatusFailure
}

// process makes p the process of the event, and its user the user.
func (s *Security) process(p gjson.Result) {
	ev := &s.ev
	token := p.Get("audit_token")
	pid, version := tokenPart(token, "pid", 5), tokenPart(token, "pidversion", 7)
	ev.Process = event.Process{PID: pid, Path: p.Get("executable.path").String(), UID: processID(pid, version)}
	ev.Process.Name = endpoint.BaseName(ev.Process.Path)
	ppid := p.Get("ppid").Int()
	s.parent = event.Process{PID: max(ppid, 0)}
	if from := p.Get("parent_audit_token"); from.Exists() && tokenPart(from, "pid", 5) == ppid {
		s.parent.UID = processID(ppid, tokenPart(from, "pidversion", 7))
	}
	if s.parent.PID != 0 {
		ev.Process.Parent = &s.parent
	}
	if token.Exists() {
		ev.User = user(strconv.FormatInt(tokenPart(token, "euid", 1), 10), "")
	}
}

// tokenPart is a part of an audit token, which is an object up to version 9,
// and from 10 on a list.
func tokenPart(token gjson.Result, name string, place int) int64 {
	if token.IsArray() {
		return max(token.Get(strconv.Itoa(place)).Int(), 0)
	}
	return max(token.Get(name).Int(), 0)
}

// processID is a process's id, with the version that tells it from others that
// have or had the same, and from itself with another program.
func processID(pid, version int64) string {
	if pid == 0 || version == 0 {
		return ""
	}
	return strconv.FormatInt(pid, 10) + "." + strconv.FormatInt(version, 10)
}

// user is an account; the superuser has one name everywhere.
func user(uid, name string) event.User {
	if name == "" && uid == "0" {
		name = "root"
	}
	return event.User{Name: name, UID: uid}
}

// exec: the process had the program of its parent until now, whose copy it
// was; unless one program ran another in its place.
func (s *Security) exec(acting, target, detail gjson.Result) {
	s.process(target)
	ev := &s.ev
	ev.Class, ev.Activity = event.ProcessActivity, event.ProcessLaunch
	ev.Process.CmdLine = s.arguments(detail.Get("args"))
	ev.Add(fieldLaunchedBy, byExec)
	if path := acting.Get("executable.path").String(); path != "" && ev.Process.Parent != nil {
		s.parent.Path, s.parent.Name = path, endpoint.BaseName(path)
	}
}

// arguments joins a list by blanks.
func (s *Security) arguments(list gjson.Result) string {
	s.line = s.line[:0]
	list.ForEach(func(_, argument gjson.Result) bool {
		if len(s.line) > 0 {
			s.line = append(s.line, ' ')
		}
		s.line = append(s.line, argument.Str...)
		return true
	})
	return string(s.line)
}

func (s *Security) fork(acting, child gjson.Result) {
	s.process(acting)
	parent := s.ev.Process
	parent.Parent = nil
	s.process(child)
	s.parent = parent
	s.ev.Process.Parent = &s.parent
	s.ev.Class, s.ev.Activity = event.ProcessActivity, event.ProcessLaunch
	s.ev.Add(fieldLaunchedBy, byFork)
}

// file says what was done to a file.
func (s *Security) file(kind string, detail gjson.Result) {
	activity, path := fileEvent(kind, detail)
	if path == "" {
		return
	}
	ev := &s.ev
	ev.Class, ev.Activity = event.FileActivity, activity
	ev.File = event.File{Path: path, Name: endpoint.BaseName(path)}
	if kind == "rename" {
		ev.Add(fieldOldPath, detail.Get("source.path").String())
	}
}

// Flags of open (sys/fcntl.h).
const openedToWrite = 0x2

func fileEvent(kind string, detail gjson.Result) (event.Activity, string) {
	switch kind {
	case "create":
		return event.FileCreate, destination(detail.Get("destination"))
	case "rename":
		return event.FileRename, destination(detail.Get("destination"))
	case "link":
		return event.FileCreate, within(detail.Get("target_dir.path").String(), detail.Get("target_filename").String())
	case "clone", "copyfile":
		return event.FileCreate, within(detail.Get("target_dir.path").String(), detail.Get("target_name").String())
	case "write", "truncate":
		return event.FileUpdate, detail.Get("target.path").String()
	case "close":
		if !detail.Get("modified").Bool() {
			return event.ActivityOther, detail.Get("target.path").String()
		}
		return event.FileUpdate, detail.Get("target.path").String()
	case "open":
		if detail.Get("fflag").Uint()&openedToWrite != 0 {
			return event.FileUpdate, detail.Get("file.path").String()
		}
		return event.FileRead, detail.Get("file.path").String()
	case "unlink":
		return event.FileDelete, detail.Get("target.path").String()
	case "setmode", "setowner", "setacl", "setflags":
		return event.FileSetSecurity, detail.Get("target.path").String()
	case "setextattr", "deleteextattr", "setattrlist", "utimes":
		return event.FileSetAttributes, detail.Get("target.path").String()
	}
	return 0, ""
}

// destination is a file that is replaced, or a new one in a folder.
func destination(d gjson.Result) string {
	if path := d.Get("existing_file.path").String(); path != "" {
		return path
	}
	return within(d.Get("new_path.dir.path").String(), d.Get("new_path.filename").String())
}

func within(folder, name string) string {
	if folder == "" || name == "" {
		return ""
	}
	return strings.TrimSuffix(folder, "/") + "/" + name
}

// flatten adds the members of an object, but for what stat says of files:
// that is most of a record, and in Raw.
func (s *Security) flatten(prefix string, object gjson.Result) {
	object.ForEach(func(key, value gjson.Result) bool {
		switch name := prefix + key.Str; {
		case key.Str == "stat" && value.IsObject():
			return true
		case value.IsObject():
			s.flatten(endpoint.Prefix(name)+".", value)
			return len(s.ev.Fields) < endpoint.MaxFields
		default:
			return endpoint.AddValue(name, value, &s.ev)
		}
	})
}

// Rest implements endpoint.Decoder: nothing waits.
func (s *Security) Rest(time.Time, func(*event.Event)) {}
