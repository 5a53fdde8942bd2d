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
	if url := commandURL(line); url != "" {
		SetURL(ev, &ev.Dst, url)
		ev.Direction = event.DirectionOutbound
	} else if commandPeer(line, ev) || scriptPeer(line, ev) {
		ev.Direction = event.DirectionOutbound
	}
	mentions(line, ev)
}

// commandURL is the first URL of a command line that is not its proxy's.
func commandURL(line string) string {
	url := FindURL(line)
	before, after, _ := strings.Cut(line, url)
	before = strings.TrimRight(before, "= '\"")
	if strings.HasSuffix(before, " -x") || strings.HasSuffix(before, " --proxy") {
		if next := FindURL(after); next != "" {
			return next
		}
	}
	return url
}

// isNetworkTool says that name's arguments say where it connects to.
func isNetworkTool(name string) bool {
	switch name {
	case "wget", "curl", "nc", "ncat", "netcat", "telnet", "ssh", "scp", "sftp", "ftp", "tftp", "rsync", "ping", "vmkping",
		"ping6", "traceroute", "nslookup", "dig", "ssh-copy-id", "openssl", "ftpput", "ftpget", "iperf", "iperf3":
		return true
	}
	return false
}

// takesFiles says that a bare argument of tool can be a file on the host.
func takesFiles(tool string) bool {
	switch tool {
	case "wget", "curl", "scp", "sftp", "rsync", "openssl", "ftp", "tftp", "ftpput", "ftpget":
		return true
	}
	return false
}

// Bounds of what is looked at in a command line.
const (
	maxArguments = 32
	maxCommands  = 8 // of a pipe or a list
)

// commandPeer looks through the commands of a pipe or a list for one that
// says whom it connects to.
func commandPeer(line string, ev *event.Event) bool {
	for range maxCommands {
		if line == "" {
			return false
		}
		var command string
		command, line = cutCommand(line)
		tool, args := Word(command)
		for isPrefixCommand(tool) {
			tool, args = Word(args)
		}
		tool = baseName(strings.TrimLeft(tool, "$(`{"))
		switch {
		case isNetworkTool(tool):
			if toolPeer(tool, args, ev) {
				return true
			}
		case strings.HasPrefix(tool, "esxc"), tool == "localcli":
			if optionPeer(args, ev) {
				return true
			}
		}
	}
	return false
}

// cutCommand cuts the first command of a pipe or a list off line, at a sign
// that no quotes hide.
func cutCommand(line string) (command, rest string) {
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'', c == '"':
			quote = c
		case c == '|', c == ';', c == '\n', c == '&' && (i == 0 || line[i-1] != '>'):
			return line[:i], line[i+1:]
		}
	}
	return line, ""
}

// isPrefixCommand knows the words that another command stands behind.
func isPrefixCommand(word string) bool {
	switch word {
	case "sudo", "nohup", "time", "exec", "do", "then", "else", "if", "while":
		return true
	}
	return false
}

// toolPeer takes the first argument of a network tool that is an address or a
// name with a domain: "nc 10.0.0.5 4444", "scp disk.vmdk
// root@backup.example.com:/tmp". A name behind an @ needs no domain.
func toolPeer(tool, args string, ev *event.Event) bool {
	named, port := tool == "nslookup", "" // its first argument is what is asked for
	for range maxArguments {
		var arg string
		if arg, args = Word(args); arg == "" {
			return false
		}
		arg = Unquote(arg)
		if (arg == "-p" || arg == "-P") && strings.HasPrefix(tool, "s") { // ssh, scp, sftp
			port, args = Word(args)
			continue
		}
		if arg == "" || arg[0] == '-' || arg[0] == '/' {
			continue
		}
		if named {
			named = false
			continue
		}
		peer, ok := argumentPeer(tool, arg)
		if !ok {
			continue
		}
		if next, _ := Word(args); peer.Port == 0 && port == "" {
			port = next
		}
		if p, number := ParsePort(port); peer.Port == 0 && number {
			peer.Port = p
		}
		if tool == "wget" || tool == "curl" { // no scheme: both take HTTP
			if i := strings.IndexByte(arg, '/'); i > 0 {
				ev.URL = arg[i:]
			}
			if peer.Port == 0 {
				peer.Port = schemePort("http")
			}
		}
		ev.Dst = peer
		return true
	}
	return false
}

// argumentPeer reads "user@host:path", "host:port" and "host/path".
func argumentPeer(tool, arg string) (peer event.Endpoint, ok bool) {
	bare := !strings.ContainsAny(arg, "@/:")
	_, host, at := strings.Cut(arg, "@")
	if !at {
		host = arg
	}
	if i := strings.IndexByte(host, '/'); i >= 0 {
		host = host[:i]
	}
	if !SetEndpoint(&peer, strings.TrimSuffix(host, ":")) {
		return peer, false
	}
	return peer, peer.IP.IsValid() || at || !(bare && takesFiles(tool)) && isFQDN(peer.Hostname)
}

// optionPeer takes the host that an option of esxcli or esxcfg-nas names:
// "esxcli storage nfs add -H 10.0.0.9 -s /vol". What is set with "network ip"
// is the host's own.
func optionPeer(args string, ev *event.Event) bool {
	if strings.HasPrefix(args, "network ip ") {
		return false
	}
	all := args
	for range maxArguments {
		var arg string
		if arg, args = Word(args); arg == "" {
			return false
		}
		name, value, glued := strings.Cut(arg, "=")
		if !isHostOption(name) {
			continue
		}
		if !glued {
			value, _ = Word(args)
		}
		value, _, _ = strings.Cut(Unquote(value), ",")
		var peer event.Endpoint
		if !SetEndpoint(&peer, value) || !peer.IP.IsValid() && !isFQDN(peer.Hostname) {
			continue
		}
		if _, port, ok := strings.Cut(all, " -p "); ok && peer.Port == 0 {
			port, _ = Word(port)
			peer.Port, _ = ParsePort(port)
		}
		ev.Dst = peer
		return true
	}
	return false
}

func isHostOption(name string) bool {
	switch name {
	case "-H", "--host", "--hosts", "-a", "--address", "-s", "--server", "-o", "-i", "--ip-address", "--server-ip":
		return true
	}
	return false
}

// scriptPeer takes the ways in which scripts open a connection: the shell's
// "/dev/tcp/HOST/PORT", socat's "tcp-connect:HOST:PORT", and
// "connect(("HOST",PORT))" of Python.
func scriptPeer(line string, ev *event.Event) bool {
	var peer event.Endpoint
	for _, mark := range [...]string{"/dev/tcp/", "/dev/udp/", "tcp-connect:", "tcp:", "tcp4:", "TCP:", "TCP4:", "connect(("} {
		_, target, ok := strings.Cut(line, mark)
		if !ok {
			continue
		}
		target = strings.TrimLeft(target, `\"'`)
		end := strings.IndexAny(target, `/:,"'\ `)
		if end <= 0 || !SetEndpoint(&peer, target[:end]) {
			continue
		}
		port := strings.TrimLeft(target[end:], `/:,"'\ `)
		if i := strings.IndexFunc(port, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
			port = port[:i]
		}
		if p, number := ParsePort(port); number {
			peer.Port = p
			ev.Dst = peer
			return true
		}
	}
	return false
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
