package linux

import (
	"path"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// Bounds of what one event of the audit system holds beside its fields.
const (
	maxArgs  = 4096 // arguments in a command line
	argNames = 64   // arguments that have a field
	maxPaths = 64
	maxSpare = 64 << 10 // bytes of memory for pieces that are kept for the next event
)

// facts is what the records of one event say, whatever wrote them down. Its
// strings are parts of theirs, or own their memory.
type facts struct {
	syscall string // its name, or its number where that is not known
	arch    string
	success string // "yes", "no"; empty: not said
	exit    string
	a       [4]string // arguments of the system call, in hexadecimal

	pid, ppid int64
	comm, exe string
	title     string // the process's command line as the kernel keeps it: its first 128 bytes
	cwd       string
	uid       string
	user      string
	args      []string
	partial   int // the argument that pieces are added to
	pieces    []byte

	paths  []pathItem
	socket socket
	family string // the same, as enriched records say it
	laddr  string
	lport  string

	// What records of programs say: logins, sudo.
	account, command, result, host, address string
	node                                    string // by AUOMS

	parentName, parentPath, parentLine string // laurel tells of the parent
}

// pathItem is a file that a system call touched.
type pathItem struct {
	name, nametype string
}

func (f *facts) reset() {
	clear(f.args)
	clear(f.paths)
	*f = facts{args: f.args[:0], paths: f.paths[:0], pieces: f.pieces[:0], partial: -1}
	if cap(f.pieces) > maxSpare {
		f.pieces = nil
	}
}

// argIDs are the names of arguments, of system calls and of commands.
var argIDs = func() (ids [argNames]event.FieldID) {
	for i := range ids {
		ids[i] = event.Intern("a" + strconv.Itoa(i))
	}
	return ids
}()

var (
	fieldType = event.Intern("type")
	fieldKey  = event.Intern("key")
)

// record adds what one record says to f and to ev's Fields.
func (f *facts) record(h *head, ev *event.Event) {
	ev.Add(fieldType, h.kind)
	t := tokens{rest: h.body, loose: strings.HasPrefix(h.kind, "AUOMS_")}
	for t.next() && len(ev.Fields) < endpoint.MaxFields {
		if h.kind == "EXECVE" && f.argument(&t, ev) {
			continue
		}
		value := t.value
		if !t.quoted && !t.loose && coded(h.kind, t.key) {
			if text, ok := unhex(value); ok {
				value = text
			}
		}
		if t.loose && isList(value) {
			f.list(t.key, gjson.Parse(value), ev)
			continue
		}
		f.value(h.kind, t.key, value, ev)
	}
}

// isList says that a value is a JSON list, and not so deep that reading it
// would take the stack.
func isList(value string) bool {
	return strings.HasPrefix(value, "[") && strings.Count(value, "[")+strings.Count(value, "{") <= endpoint.MaxDepth && gjson.Valid(value)
}

// list takes a list, as AUOMS writes the files of a call.
func (f *facts) list(key string, list gjson.Result, ev *event.Event) {
	i := 0
	list.ForEach(func(_, element gjson.Result) bool {
		switch {
		case key == "path_name" && len(f.paths) < maxPaths:
			f.paths = append(f.paths, pathItem{name: element.Str})
		case key == "path_nametype" && i < len(f.paths):
			f.paths[i].nametype = element.Str
		}
		i++
		return endpoint.AddValue(key, element, ev)
	})
}

// value takes a value whose coding is undone.
func (f *facts) value(kind, key, value string, ev *event.Event) {
	switch key {
	case "proctitle":
		value = words(value)
	case "key": // several keys have a 0x01 between
		for one := range strings.SplitSeq(value, "\x01") {
			if len(ev.Fields) < endpoint.MaxFields {
				ev.Add(fieldKey, one)
			}
		}
		return
	case "saddr":
		if raw, ok := unhex(value); ok {
			f.socket = parseSocket(raw)
		}
	}
	ev.Add(endpoint.Name(key), value)
	f.remember(kind, key, value)
}

// words makes one line of arguments that zero bytes part.
func words(title string) string {
	if strings.IndexByte(title, 0) < 0 {
		return title
	}
	return strings.TrimRight(strings.ReplaceAll(title, "\x00", " "), " ")
}

// remember keeps a value that the event's typed members may be made of. Of
// several that name the same thing the first counts: the kernel's own come
// before those that a program chose.
func (f *facts) remember(kind, key, value string) {
	if kind == "PATH" {
		f.rememberPath(key, value)
		return
	}
	if none(value) {
		return
	}
	switch key {
	case "pid":
		if f.pid == 0 {
			f.pid = number(value)
		}
	case "ppid":
		if f.ppid == 0 {
			f.ppid = number(value)
		}
	case "a0", "a1", "a2", "a3":
		if kind == "SYSCALL" || strings.HasPrefix(kind, "AUOMS_") {
			f.a[key[1]-'0'] = value
		}
	case "SYSCALL":
		f.syscall = value
	case "cmdline":
		f.args = append(f.args[:0], value)
	default:
		if member := f.member(key); member != nil && *member == "" {
			*member = value
		}
	}
}

// member is where a text of that name belongs.
func (f *facts) member(key string) *string {
	switch key {
	case "comm":
		return &f.comm
	case "exe":
		return &f.exe
	case "cwd":
		return &f.cwd
	case "proctitle":
		return &f.title
	case "uid":
		return &f.uid
	case "UID", "user":
		return &f.user
	case "arch":
		return &f.arch
	case "syscall":
		return &f.syscall
	case "success":
		return &f.success
	case "exit":
		return &f.exit
	case "node":
		return &f.node
	case "acct":
		return &f.account
	case "cmd":
		return &f.command
	case "res", "result":
		return &f.result
	case "addr":
		return &f.address
	case "hostname":
		return &f.host
	case "saddr_fam":
		return &f.family
	case "laddr":
		return &f.laddr
	case "lport":
		return &f.lport
	}
	return nil
}

func (f *facts) rememberPath(key, value string) {
	switch {
	case key == "name" && len(f.paths) < maxPaths:
		if none(value) {
			value = ""
		}
		f.paths = append(f.paths, pathItem{name: value})
	case key == "nametype" && len(f.paths) > 0:
		f.paths[len(f.paths)-1].nametype = value
	}
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// argument takes a value of an EXECVE record: "a1", or a piece of one that is
// too long for a record, "a1[0]"; "argc" and "a1_len" are none.
func (f *facts) argument(t *tokens, ev *event.Event) bool {
	name, piece, pieces := strings.Cut(t.key, "[")
	if len(name) < 2 || len(name) > 6 || name[0] != 'a' || !decimal(name[1:]) || pieces && piece == "" {
		return false
	}
	value := t.value
	if !t.quoted {
		if text, ok := unhex(value); ok {
			value = text
		}
	}
	n := int(number(name[1:]))
	if pieces {
		if n != f.partial {
			f.join(ev)
			f.partial = n
		}
		f.pieces = append(f.pieces, value...)
		return true
	}
	f.join(ev)
	f.take(n, value, ev)
	return true
}

// join ends an argument that came in pieces. Its pieces are those of one
// record, or go on in the next.
func (f *facts) join(ev *event.Event) {
	if f.partial < 0 {
		return
	}
	n := f.partial
	f.partial = -1
	f.take(n, string(f.pieces), ev)
	f.pieces = f.pieces[:0]
}

func (f *facts) take(n int, value string, ev *event.Event) {
	if len(f.args) < maxArgs {
		f.args = append(f.args, value)
	}
	if n < argNames {
		ev.Add(argIDs[n], value)
	}
}

// line is the command line.
func (f *facts) line() string {
	switch len(f.args) {
	case 0:
		return f.title
	case 1:
		return f.args[0]
	}
	return strings.Join(f.args, " ")
}

// file is the path of an item whose nametype is that, or else of one that is
// the object of the call itself.
func (f *facts) file(nametype string) (string, bool) {
	other := -1
	for i := range f.paths {
		switch f.paths[i].nametype {
		case nametype:
			return f.whole(f.paths[i].name), true
		case "PARENT":
		default:
			other = i
		}
	}
	if other < 0 {
		return "", false
	}
	return f.whole(f.paths[other].name), false
}

// whole makes a path absolute where the folder that it begins at is known.
func (f *facts) whole(name string) string {
	if name == "" || name[0] == '/' || f.cwd == "" || f.otherFolder() {
		return name
	}
	return path.Join(f.cwd, name)
}

// otherFolder says that the path of an "...at" call begins at an open folder,
// and not at the current one (AT_FDCWD, -100).
func (f *facts) otherFolder() bool {
	return strings.HasSuffix(f.syscall, "at") && f.syscall != "creat" &&
		f.a[0] != "" && !strings.HasSuffix(f.a[0], "ffffff9c")
}
