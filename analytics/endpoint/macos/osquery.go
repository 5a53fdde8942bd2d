package macos

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// ErrNotOsquery says that a record is no result of osquery.
var ErrNotOsquery = errors.New("record is no result of osquery")

// Osquery decodes the results that osquery logs
// (https://osquery.readthedocs.io/en/stable/deployment/logging/): of queries
// over process_events, es_process_events, socket_events, file_events and
// es_process_file_events, as changes one a line or in batches, or as
// snapshots; of macOS and of Linux. Each row is an event, whose fields are the
// columns under their own names. Of several rows in one record the first counts
// it and has all of it in Raw; Raw of the others is the row, and they have the
// fields around the rows only where those are short. Rows of other tables, and
// rows that are gone, are Base Events. It is not safe for concurrent use.
type Osquery struct {
	platform string // of the machine, once a row said so
	ev       event.Event
	parent   event.Process
}

var _ endpoint.Decoder = (*Osquery)(nil)

// Bounds of a record with many rows.
const (
	maxRows  = 8192
	maxFrame = 1024 // bytes around the rows, for them to be fields of each
)

// ErrManyRows says that a record has more rows than are told apart.
var ErrManyRows = fmt.Errorf("record has more than %d rows", maxRows)

// NewOsquery makes a decoder for the results of one machine.
func NewOsquery() *Osquery { return &Osquery{} }

var (
	fieldQuery    = event.Intern("osquery_name")
	fieldAction   = event.Intern("osquery_action")
	fieldOSFamily = event.Intern("platform")
)

// Values of platform.
const (
	darwin = "darwin"
	linux  = "linux"
)

// result is one record: what it says of all its rows.
type result struct {
	text  string
	name  string
	host  string
	time  time.Time
	told  int // rows
	short bool
	frame []member // what stands around the rows
}

type member struct {
	name  string
	value gjson.Result
}

// Decode implements endpoint.Decoder.
func (o *Osquery) Decode(r endpoint.Record, tell func(*event.Event)) error {
	object, err := endpoint.Object(r.Text)
	if err != nil {
		return err
	}
	res := result{text: r.Text, name: object.Get("name").Str, time: unixTime(object.Get("unixTime"))}
	columns, snapshot, batch := object.Get("columns"), object.Get("snapshot"), object.Get("diffResults")
	added, removed := batch.Get("added"), batch.Get("removed")
	res.short = len(r.Text)-len(columns.Raw)-len(snapshot.Raw)-len(batch.Raw) <= maxFrame
	switch {
	case res.name == "" || !columns.IsObject() && !snapshot.IsArray() && !batch.IsObject():
		return ErrNotOsquery
	case snapshot.Get("#").Int()+added.Get("#").Int()+removed.Get("#").Int() > maxRows:
		return ErrManyRows
	}
	object.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "name", "action", "columns", "snapshot", "diffResults":
		default:
			res.frame = append(res.frame, member{key.Str, value})
		}
		return len(res.frame) < endpoint.MaxFields
	})
	res.host = resultHost(object, r.Host)
	if p := object.Get("decorations.platform").Str; p != "" {
		o.platform = family(p)
	}
	if columns.IsObject() {
		o.row(&res, object.Get("action").Str, columns, tell)
	}
	o.rows(&res, "snapshot", snapshot, tell)
	o.rows(&res, "removed", removed, tell)
	o.rows(&res, "added", added, tell)
	if res.told == 0 {
		o.row(&res, "", gjson.Result{}, tell)
	}
	return nil
}

// family is the platform by osquery's name of a system.
func family(platform string) string {
	if platform == darwin {
		return darwin
	}
	if platform == "windows" {
		return platform
	}
	return linux // "ubuntu", "rhel" and so on
}

// resultHost is the machine: by a decoration, by the host identifier unless
// that is a number, or by the way in.
func resultHost(object gjson.Result, host string) string {
	id := object.Get("hostIdentifier").Str
	for _, name := range []string{object.Get("decorations.hostname").Str, object.Get("hostname").Str} {
		if name != "" {
			return name
		}
	}
	if host != "" && (id == "" || strings.Count(id, "-") == 4 && len(id) == 36) {
		return host
	}
	return id
}

func unixTime(value gjson.Result) time.Time {
	seconds := value.Int() // of a number, or of a text of digits
	if seconds <= 0 || seconds > lastSecond {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// lastSecond is that of the year 9999.
const lastSecond = 253402300799

func (o *Osquery) rows(res *result, action string, list gjson.Result, tell func(*event.Event)) {
	if !list.IsArray() {
		return
	}
	list.ForEach(func(_, columns gjson.Result) bool {
		o.row(res, action, columns, tell)
		return true
	})
}

func (o *Osquery) row(res *result, action string, columns gjson.Result, tell func(*event.Event)) {
	ev := &o.ev
	ev.Reset()
	ev.Raw, ev.Records, ev.LogName, ev.Severity = columns.Raw, 0, "osquery", event.SeverityInformational
	first := res.told == 0
	if first {
		ev.Raw, ev.Records = res.text, 1
	}
	res.told++
	ev.Device.Hostname = res.host
	if ev.Time = unixTime(columns.Get("time")); ev.Time.IsZero() {
		ev.Time = res.time
	}
	ev.Add(fieldQuery, res.name)
	if action != "" {
		ev.Add(fieldAction, action)
	}
	if action != "removed" {
		o.settle(res.name, columns)
	}
	o.learn(res.name, columns)
	if o.platform != "" {
		ev.Add(fieldOSFamily, o.platform)
	}
	endpoint.Flatten(columns, ev)
	if first || res.short {
		for i := range res.frame {
			endpoint.AddValue(res.frame[i].name, res.frame[i].value, ev)
		}
	}
	if ev.Class == event.BaseEvent {
		ev.Message = res.name
	}
	tell(ev)
}

// learn takes what tells the platform: tables and columns that only one has.
func (o *Osquery) learn(name string, columns gjson.Result) {
	switch {
	case o.platform != "":
	case strings.Contains(name, "es_process"), columns.Get("signing_id").Exists(), columns.Get("codesigning_flags").Exists():
		o.platform = darwin
	case columns.Get("syscall").Exists(), columns.Get("fsuid").Exists():
		o.platform = linux
	}
}

// settle makes the typed members by the kind of table: the query's name says
// which, or its columns.
func (o *Osquery) settle(name string, columns gjson.Result) {
	switch {
	case strings.Contains(name, "socket_events"), columns.Get("remote_address").Exists() && columns.Get("action").Exists():
		o.connection(columns)
	case strings.Contains(name, "process_file_events"), strings.Contains(name, "file_events"):
		o.file(columns)
	case strings.Contains(name, "process_events"), columns.Get("cmdline").Exists() && (columns.Get("eid").Exists() || columns.Get("uptime").Exists()):
		o.program(columns)
	default:
		o.process(columns)
	}
}

func text(columns gjson.Result, name string) string { return columns.Get(name).String() }

func number(columns gjson.Result, name string) int64 { return max(columns.Get(name).Int(), 0) }

func (o *Osquery) process(columns gjson.Result) {
	ev := &o.ev
	pid := number(columns, "pid")
	ev.Process = event.Process{
		PID: pid, Path: text(columns, "path"), CmdLine: text(columns, "cmdline"),
		UID: processID(pid, number(columns, "pidversion")),
	}
	ev.Process.Name = endpoint.BaseName(ev.Process.Path)
	uid := text(columns, "uid")
	if uid == "" {
		uid = text(columns, "auid")
	}
	ev.User = user(uid, text(columns, "username"))
	parent := number(columns, "parent")
	if parent != 0 {
		o.parent = event.Process{PID: parent, UID: processID(parent, number(columns, "parent_pidversion"))}
		ev.Process.Parent = &o.parent
	}
	signed := signature{
		id: text(columns, "signing_id"), team: text(columns, "team_id"), hash: text(columns, "cdhash"),
		platform: text(columns, "platform_binary") == "1",
	}
	signed.words(text(columns, "codesigning_flags"))
	signed.verdict(ev)
}

// program: a process that starts, is doubled, or ends.
func (o *Osquery) program(columns gjson.Result) {
	o.process(columns)
	ev := &o.ev
	ev.Class, ev.Activity = event.ProcessActivity, event.ProcessLaunch
	kind := text(columns, "event_type")
	if kind == "" {
		kind = text(columns, "syscall")
	}
	switch kind {
	case "exit":
		ev.Activity = event.ProcessTerminate
	case "fork", "vfork", "clone":
		ev.Add(fieldLaunchedBy, byFork)
		o.child(columns)
	default:
		ev.Add(fieldLaunchedBy, byExec)
	}
}

// child: a fork's row is that of the parent where it names the child.
func (o *Osquery) child(columns gjson.Result) {
	child := number(columns, "child_pid")
	if child == 0 {
		return
	}
	ev := &o.ev
	o.parent = ev.Process
	o.parent.Parent = nil
	ev.Process = event.Process{PID: child, Path: o.parent.Path, Name: o.parent.Name, Parent: &o.parent}
}

// connection: what a process did with a socket.
func (o *Osquery) connection(columns gjson.Result) {
	o.process(columns)
	ev := &o.ev
	local, remote := end(columns, "local"), end(columns, "remote")
	here, there := &ev.Src, &ev.Dst
	ev.Class, ev.Activity, ev.Direction = event.NetworkActivity, event.NetworkOpen, event.DirectionOutbound
	switch action := text(columns, "action"); action {
	case "accept":
		ev.Direction = event.DirectionInbound
		here, there = there, here
	case "bind", "listen":
		ev.Activity, ev.Direction = event.NetworkListen, event.DirectionUnknown
	case "close":
		ev.Activity, ev.Direction = event.NetworkClose, event.DirectionUnknown
	case "connect":
	default:
		ev.Activity = event.ActivityOther
	}
	here.IP, here.Port, here.Hostname = local.Addr(), local.Port(), ev.Device.Hostname
	there.IP, there.Port = remote.Addr(), remote.Port()
	if !here.IP.IsUnspecified() && !here.IP.IsLoopback() {
		ev.Device.IP = here.IP
	}
	ev.Protocol = uint8(min(number(columns, "protocol"), 255))
	switch text(columns, "status") {
	case "succeeded":
		ev.Status = event.StatusSuccess
	case "failed":
		ev.Status = event.StatusFailure
		if ev.Activity == event.NetworkOpen {
			ev.Activity = event.NetworkFail
		}
	}
}

// end is the address of one end of a socket; "0" stands for none.
func end(columns gjson.Result, which string) netip.AddrPort {
	ip, _ := netip.ParseAddr(text(columns, which+"_address"))
	port, _ := strconv.ParseUint(text(columns, which+"_port"), 10, 16)
	return netip.AddrPortFrom(ip.Unmap(), uint16(port))
}

// file: what was done to a file, by osquery's words for it.
func (o *Osquery) file(columns gjson.Result) {
	ev := &o.ev
	path, kind := text(columns, "target_path"), text(columns, "action")
	if path == "" { // es_process_file_events: path is the process's
		o.process(columns)
		path, kind = text(columns, "filename"), text(columns, "event_type")
	}
	activity := event.ActivityOther
	switch strings.ToLower(kind) {
	case "created", "create", "moved_to":
		activity = event.FileCreate
	case "updated", "write", "truncate":
		activity = event.FileUpdate
	case "deleted", "unlink", "moved_from":
		activity = event.FileDelete
	case "attributes_modified":
		activity = event.FileSetAttributes
	case "open", "opened", "accessed":
		activity = event.FileRead
	case "rename":
		activity = event.FileRename
		ev.Add(fieldOldPath, path)
		path = text(columns, "dest_filename")
	}
	if path == "" {
		return
	}
	ev.Class, ev.Activity = event.FileActivity, activity
	ev.File = event.File{Path: path, Name: endpoint.BaseName(path)}
}

// Rest implements endpoint.Decoder: nothing waits.
func (o *Osquery) Rest(time.Time, func(*event.Event)) {}
