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

// ErrNotLog says that a record is no entry of the unified log.
var ErrNotLog = errors.New("record is no entry of the unified log")

// UnifiedLog decodes entries of macOS's unified log, as "log stream --style
// ndjson" and "log show --style ndjson" write them (log(1)). Connections that
// Network.framework opens, and commands of sudo, become events of their own;
// other entries are Base Events with their message and process. macOS hides
// names and addresses in messages ("<private>") unless a profile shows them:
// then there is no destination to tell. It is not safe for concurrent use.
type UnifiedLog struct {
	ev     event.Event
	parent event.Process
}

var _ endpoint.Decoder = (*UnifiedLog)(nil)

// NewUnifiedLog makes a decoder.
func NewUnifiedLog() *UnifiedLog { return &UnifiedLog{} }

// Decode implements endpoint.Decoder.
func (u *UnifiedLog) Decode(r endpoint.Record, tell func(*event.Event)) error {
	entry, err := endpoint.Object(r.Text)
	if err != nil {
		return err
	}
	message := entry.Get("eventMessage")
	if message.Type != gjson.String {
		return ErrNotLog
	}
	ev := &u.ev
	ev.Reset()
	ev.Raw, ev.Records, ev.LogName = r.Text, 1, "unifiedlog"
	ev.Device.Hostname = r.Host
	ev.Time, _ = time.Parse("2006-01-02 15:04:05.999999999-0700", entry.Get("timestamp").Str)
	ev.Time = ev.Time.UTC()
	ev.Severity = severity(entry.Get("messageType").Str)
	path := entry.Get("processImagePath").String()
	ev.Process = event.Process{PID: max(entry.Get("processID").Int(), 0), Path: path, Name: endpoint.BaseName(path)}
	if uid := entry.Get("userID"); uid.Type == gjson.Number {
		ev.User = user(uid.Raw, "")
	}
	u.meaning(message.Str, entry.Get("subsystem").Str)
	if ev.Class == event.BaseEvent {
		ev.Message = message.Str
	}
	entry.ForEach(func(key, value gjson.Result) bool {
		if key.Str == "backtrace" || key.Str == "eventMessage" && ev.Class == event.BaseEvent {
			return true
		}
		return endpoint.AddValue(key.Str, value, ev)
	})
	tell(ev)
	return nil
}

func severity(messageType string) event.Severity {
	switch messageType {
	case "Error":
		return event.SeverityHigh
	case "Fault":
		return event.SeverityCritical
	}
	return event.SeverityInformational
}

func (u *UnifiedLog) meaning(message, subsystem string) {
	switch {
	case subsystem == "com.apple.network":
		u.connection(message)
	case u.ev.Process.Name == "sudo":
		u.sudo(message)
	}
}

// connection reads what Network.framework says when it begins a connection:
//
//	[C12 8D1A7C1E-... www.example.com:443 tcp, url hash: 6f2a, tls, definite] start
func (u *UnifiedLog) connection(message string) {
	inner, ok := strings.CutSuffix(message, "] start")
	if !ok || !strings.HasPrefix(inner, "[C") {
		return
	}
	head, _, _ := strings.Cut(inner[1:], ",")
	words := strings.Fields(head[:min(len(head), 512)])
	if len(words) < 4 {
		return
	}
	host, port, ok := cutPort(words[len(words)-2])
	if !ok {
		return
	}
	ev := &u.ev
	switch words[len(words)-1] {
	case "tcp":
		ev.Protocol = 6
	case "udp", "quic", "quic-connection":
		ev.Protocol = 17
	default:
		return
	}
	ev.Class, ev.Activity, ev.Direction = event.NetworkActivity, event.NetworkOpen, event.DirectionOutbound
	ev.Src.Hostname = ev.Device.Hostname
	ev.Dst.Port = port
	if ip, err := netip.ParseAddr(host); err == nil {
		ev.Dst.IP = ip.Unmap()
	} else if !strings.Contains(host, "#") { // the hash of a name that is hidden
		ev.Dst.Hostname = strings.TrimSuffix(host, ".")
	}
}

// cutPort parts "www.example.com:443", "192.0.2.1:443" or "2001:db8::1.443".
func cutPort(s string) (host string, port uint16, ok bool) {
	at := strings.LastIndexByte(s, ':')
	if dot := strings.LastIndexByte(s, '.'); strings.Count(s, ":") > 1 && dot > at {
		at = dot
	}
	if at <= 0 {
		return "", 0, false
	}
	n, err := strconv.ParseUint(s[at+1:], 10, 16)
	return s[:at], uint16(n), err == nil
}

// sudo reads its own line:
//
//	ana : TTY=ttys001 ; PWD=/Users/ana ; USER=root ; COMMAND=/bin/ls
func (u *UnifiedLog) sudo(message string) {
	account, rest, ok := strings.Cut(strings.TrimLeft(message, " "), " : ")
	at := strings.Index(rest, "COMMAND=")
	if !ok || at < 0 || strings.Contains(account, " ") {
		return
	}
	ev := &u.ev
	ev.Class, ev.Activity, ev.Status = event.ProcessActivity, event.ProcessLaunch, event.StatusSuccess
	if !strings.HasPrefix(rest, "TTY=") && !strings.HasPrefix(rest, "PWD=") { // a reason stands in front
		ev.Status = event.StatusFailure
	}
	u.parent = ev.Process
	line := rest[at+len("COMMAND="):]
	program, _, _ := strings.Cut(line, " ")
	ev.Process = event.Process{PID: ev.Process.PID, Path: program, Name: endpoint.BaseName(program), CmdLine: line, Parent: &u.parent}
	ev.User = event.User{Name: account}
	ev.Add(fieldLaunchedBy, byExec)
}

// Rest implements endpoint.Decoder: nothing waits.
func (u *UnifiedLog) Rest(time.Time, func(*event.Event)) {}
