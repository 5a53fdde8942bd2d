package vsphere

import (
	"strings"

	"github.com/vegress/vegress/event"
)

// SetCommand makes ev the launch of a command line on the device. A URL in it
// is where the command means to go; whether it got there is not known.
func SetCommand(ev *event.Event, line string) {
	line = strings.TrimSpace(line)
	ev.Class, ev.Activity = event.ProcessActivity, event.ProcessLaunch
	ev.Process = event.Process{CmdLine: line, PID: ev.Process.PID}
	program, _ := Word(line)
	if strings.HasPrefix(program, "/") {
		ev.Process.Path = program
	}
	ev.Process.Name = program[strings.LastIndexByte(program, '/')+1:]
	if url := FindURL(line); url != "" {
		SetURL(ev, &ev.Dst, url)
		ev.Direction = event.DirectionOutbound
	} else if isNetworkTool(ev.Process.Name) {
		commandPeer(line, ev)
	}
	mentions(line, ev)
}

// isNetworkTool says that name's arguments say where it connects to.
func isNetworkTool(name string) bool {
	switch name {
	case "wget", "curl", "nc", "ncat", "netcat", "telnet", "ssh", "scp", "sftp", "ftp", "tftp", "rsync", "ping", "vmkping",
		"ping6", "traceroute", "nslookup", "dig", "ssh-copy-id", "openssl":
		return true
	}
	return false
}

// takesFiles says that a bare argument of tool can be a file on the host.
func takesFiles(tool string) bool {
	switch baseName(tool) {
	case "wget", "curl", "scp", "sftp", "rsync", "openssl", "ftp", "tftp":
		return true
	}
	return false
}

// maxArguments bounds the arguments in which a peer is looked for.
const maxArguments = 32

// commandPeer takes the first argument that is an address or a name with a
// domain: "nc 10.0.0.5 4444", "scp disk.vmdk root@backup.example.com:/tmp".
func commandPeer(line string, ev *event.Event) {
	tool, rest := Word(line)
	for range maxArguments {
		var arg string
		if arg, rest = Word(rest); arg == "" {
			return
		}
		arg = Unquote(arg)
		if arg == "" || arg[0] == '-' || arg[0] == '/' {
			continue
		}
		bare := !strings.ContainsAny(arg, "@/:")
		if i := strings.IndexByte(arg, '@'); i >= 0 {
			arg = arg[i+1:]
		}
		if i := strings.IndexByte(arg, '/'); i >= 0 {
			arg = strings.TrimSuffix(arg[:i], ":")
		}
		var peer event.Endpoint
		if !SetEndpoint(&peer, strings.TrimSuffix(arg, ":")) || !peer.IP.IsValid() && (bare && takesFiles(tool) || !isFQDN(peer.Hostname)) {
			continue
		}
		if port, _ := Word(rest); peer.Port == 0 {
			peer.Port, _ = ParsePort(port)
		}
		ev.Dst, ev.Direction = peer, event.DirectionOutbound
		return
	}
}

// RecognizeCommand takes the lines in which services say what they run:
// "Executing 'CMD'", "Launching binary: CMD", "Constructed command: CMD",
// "ForkExec(PATH) PID", "USER root pid N cmd CMD" (crond).
func RecognizeCommand(text string, ev *event.Event) bool {
	for _, p := range [...]string{"Executing '", "Launching binary: ", "Constructed command: "} {
		if line, ok := strings.CutPrefix(text, p); ok {
			SetCommand(ev, strings.TrimRight(line, "'"))
			ev.Process.PID = 0 // that of the writer
			return true
		}
	}
	if rest, ok := strings.CutPrefix(text, "ForkExec("); ok {
		path, pid, ok := strings.Cut(rest, ")")
		if ok {
			SetCommand(ev, path)
			SetPID(ev, strings.TrimSpace(pid))
		}
		return ok
	}
	if rest, ok := strings.CutPrefix(text, "USER "); ok {
		user, rest, _ := strings.Cut(rest, " pid ")
		pid, line, ok := strings.Cut(rest, " cmd ")
		if ok {
			SetCommand(ev, line)
			SetPID(ev, pid)
			ev.User = ParseUser(user)
		}
		return ok
	}
	return false
}

// SetPID sets the process id of ev's process when s is a number.
func SetPID(ev *event.Event, s string) {
	ev.Process.PID = 0
	if n, ok := ParseUint(s); ok {
		ev.Process.PID = int64(n)
	}
}
