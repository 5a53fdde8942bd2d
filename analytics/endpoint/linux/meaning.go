package linux

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// Fields that are added where records have no more than numbers: enriched ones
// have the first two themselves.
var (
	fieldSyscallName = event.Intern("SYSCALL")
	fieldFamily      = event.Intern("saddr_fam")
	fieldSocketPath  = event.Intern("saddr_path")
)

// Numbers of the kernel: errors (include/uapi/asm-generic/errno.h) and the
// flags of open (fcntl.h).
const (
	inProgress = "-115" // EINPROGRESS: a connection that is not waited for
	writing    = 0x3    // O_WRONLY, O_RDWR
	truncating = 0x200  // O_TRUNC
)

// settle makes the event's typed members of all that its records said. kind
// is the type of the first one.
func (f *facts) settle(kind string, ev *event.Event, parent *event.Process) {
	f.join(ev)
	f.nameCall(ev)
	f.nameSocket(ev)
	if ev.Device.Hostname == "" {
		ev.Device.Hostname = f.node
	}
	ev.Severity = event.SeverityInformational
	ev.User = event.User{Name: f.user, UID: f.uid}
	if f.user == "" && f.uid == "0" {
		ev.User.Name = "root"
	}
	ev.Status = f.status()
	ev.Process = event.Process{PID: f.pid, Path: f.exe, Name: endpoint.BaseName(f.exe), CmdLine: f.title}
	if ev.Process.Name == "" {
		ev.Process.Name = f.comm // 15 bytes, and a thread may choose its own
	}
	*parent = event.Process{PID: f.ppid, Name: f.parentName, Path: f.parentPath, CmdLine: f.parentLine}
	if *parent != (event.Process{}) {
		ev.Process.Parent = parent
	}
	if f.syscall != "" {
		f.call(ev)
	} else {
		f.program(kind, ev)
	}
}

// nameCall gives a system call its name where the records have its number.
func (f *facts) nameCall(ev *event.Event) {
	name, ok := syscallNames[f.arch][f.syscall]
	if !ok {
		return
	}
	if name == "socketcall" {
		if sub, ok := socketcalls[f.a[0]]; ok {
			name = sub
		}
	}
	f.syscall = name
	ev.Add(fieldSyscallName, name)
}

func (f *facts) nameSocket(ev *event.Event) {
	if f.family == "" && f.socket.family != "" {
		ev.Add(fieldFamily, f.socket.family)
	}
	if f.socket.path != "" {
		ev.Add(fieldSocketPath, f.socket.path)
	}
}

func (f *facts) status() event.Status {
	switch cmp.Or(f.success, f.result) {
	case "yes", "success", "1":
		return event.StatusSuccess
	case "no", "failed", "0":
		return event.StatusFailure
	}
	return event.StatusUnknown
}

// call says what a system call did.
func (f *facts) call(ev *event.Event) {
	switch f.syscall {
	case "execve", "execveat":
		f.execution(ev)
	case "exit", "exit_group":
		ev.Class, ev.Activity = event.ProcessActivity, event.ProcessTerminate
	case "connect", "sendto", "sendmsg", "sendmmsg", "accept", "accept4", "recvfrom", "recvmsg", "bind":
		f.connection(ev)
	case "open", "openat", "openat2":
		f.opened(ev)
	case "creat", "mkdir", "mkdirat", "mknod", "mknodat", "link", "linkat", "symlink", "symlinkat":
		f.touched(ev, "CREATE", event.FileCreate)
	case "unlink", "unlinkat", "rmdir":
		f.touched(ev, "DELETE", event.FileDelete)
	case "rename", "renameat", "renameat2":
		f.touched(ev, "CREATE", event.FileRename)
	case "truncate":
		f.touched(ev, "NORMAL", event.FileUpdate)
	case "chmod", "fchmodat", "chown", "lchown", "fchownat":
		f.touched(ev, "NORMAL", event.FileSetSecurity)
	case "setxattr", "lsetxattr", "removexattr", "utime", "utimes", "utimensat", "futimesat":
		f.touched(ev, "NORMAL", event.FileSetAttributes)
	}
}

// execution: after one that failed the process is still what it was, and the
// file is what it meant to become.
func (f *facts) execution(ev *event.Event) {
	ev.Class, ev.Activity = event.ProcessActivity, event.ProcessLaunch
	if ev.Status != event.StatusFailure {
		ev.Process.CmdLine = f.line()
		return
	}
	ev.Activity = event.ActivityOther
	if path, _ := f.file("NORMAL"); path != "" {
		ev.File = event.File{Path: path, Name: endpoint.BaseName(path)}
	}
}

// connection: a call on a socket whose other end has an address. Calls on
// local sockets stay Base Events.
func (f *facts) connection(ev *event.Event) {
	peer := f.peerAddress()
	if !peer.IsValid() {
		ev.File.Path = f.socket.path
		return
	}
	ev.Class = event.NetworkActivity
	here, there := &ev.Src, &ev.Dst
	ev.Direction = event.DirectionOutbound
	switch f.syscall {
	case "connect":
		f.connected(ev)
	case "sendto", "sendmsg", "sendmmsg":
		ev.Activity = event.NetworkTraffic
		ev.Traffic = event.Traffic{BytesOut: number(f.exit), Known: f.syscall != "sendmmsg" && ev.Status == event.StatusSuccess}
	case "recvfrom", "recvmsg":
		here, there = there, here
		ev.Activity, ev.Direction = event.NetworkTraffic, event.DirectionInbound
		ev.Traffic = event.Traffic{BytesOut: number(f.exit), Known: ev.Status == event.StatusSuccess} // by the other end
	case "accept", "accept4":
		here, there = there, here
		ev.Activity, ev.Direction = event.NetworkOpen, event.DirectionInbound
	case "bind":
		there = here
		ev.Activity, ev.Direction = event.NetworkListen, event.DirectionUnknown
	}
	here.Hostname = ev.Device.Hostname
	there.IP, there.Port = peer.Addr(), peer.Port()
}

func (f *facts) peerAddress() netip.AddrPort {
	if f.socket.addr.IsValid() {
		return f.socket.addr
	}
	ip, _ := netip.ParseAddr(f.laddr)
	port, _ := strconv.ParseUint(f.lport, 10, 16)
	return netip.AddrPortFrom(ip.Unmap(), uint16(port))
}

// connected: the outcome of a connection that is not waited for is not known.
func (f *facts) connected(ev *event.Event) {
	ev.Activity = event.NetworkOpen
	switch {
	case f.exit == inProgress || f.exit == "EINPROGRESS":
		ev.Status = event.StatusUnknown
		ev.Protocol = 6 // no other waits
	case ev.Status == event.StatusFailure:
		ev.Activity = event.NetworkFail
	}
}

// opened: a file that was not there before, that is written, or that is read.
func (f *facts) opened(ev *event.Event) {
	flags := f.a[1]
	if f.syscall == "openat" {
		flags = f.a[2]
	}
	bits, _ := strconv.ParseUint(flags, 16, 64)
	activity := event.FileRead
	if f.syscall != "openat2" && bits&(writing|truncating) != 0 {
		activity = event.FileUpdate
	}
	path, created := f.file("CREATE")
	if created {
		activity = event.FileCreate
	}
	setFile(ev, activity, path)
}

// touched: the file is the item of that type, or else the call's object.
func (f *facts) touched(ev *event.Event, nametype string, a event.Activity) {
	path, _ := f.file(nametype)
	setFile(ev, a, path)
}

func setFile(ev *event.Event, a event.Activity, path string) {
	if path == "" {
		return
	}
	ev.Class, ev.Activity = event.FileActivity, a
	ev.File = event.File{Path: path, Name: endpoint.BaseName(path)}
}

// program says what a record of a program means: a login, a command of sudo.
func (f *facts) program(kind string, ev *event.Event) {
	switch kind {
	case "USER_LOGIN", "USER_AUTH":
		f.logon(ev, event.AuthLogon)
	case "USER_LOGOUT":
		f.logon(ev, event.AuthLogoff)
	case "USER_CMD":
		ev.Class, ev.Activity = event.ProcessActivity, event.ProcessLaunch
		ev.Process.CmdLine = f.command
		ev.Process.Path, ev.Process.Name = commandPath(f.command)
		if ev.Process.Parent == nil && f.exe != "" { // the process is sudo's until it runs the command
			ev.Process.Parent = &event.Process{Path: f.exe, Name: endpoint.BaseName(f.exe)}
		}
	}
}

// commandPath is the program that a command line of sudo begins with; sudo
// writes its whole path.
func commandPath(line string) (path, name string) {
	word, _, _ := strings.Cut(line, " ")
	if !strings.HasPrefix(word, "/") {
		return "", word
	}
	return word, endpoint.BaseName(word)
}

func (f *facts) logon(ev *event.Event, a event.Activity) {
	ev.Class, ev.Activity = event.Authentication, a
	if ev.Status == event.StatusFailure {
		ev.Severity = event.SeverityMedium
	}
	ev.Service = endpoint.BaseName(f.exe)
	if f.account != "" {
		ev.User = event.User{Name: f.account}
	}
	ev.Src.IP, _ = netip.ParseAddr(f.address)
	if ev.Src.IP = ev.Src.IP.Unmap(); f.host != f.address {
		ev.Src.Hostname = f.host
	}
	ev.Dst.Hostname = ev.Device.Hostname
}
