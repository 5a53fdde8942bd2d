package esxi

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

// update recognizes what installs software on a host:
//
//	2099679: downloader: INFO: Downloading https://... to /tmp/...   esxupdate since 6.0
//	HostImage: INFO: Attempting to download VIB tools-light          esxupdate of 5.x
//	1000212917: lifecyclectl:58 ERROR Failed ...                     lifecycle
//
// A URL is where the host fetches from: these are among the few successful
// outbound connections that a host logs.
func update(m *syslog.Message, ev *event.Event) bool {
	text := strings.TrimLeft(m.Text, " ")
	pid, rest, ok := strings.Cut(text, ": ")
	if _, number := vsphere.ParseUint(pid); ok && number {
		text = rest
	} else {
		pid = m.ProcID
	}
	module, level, message, ok := updateParts(text)
	if !ok || !severity(level, ev) {
		if module, message, ok = moduleOnly(text); !ok {
			return false
		}
	}
	ev.Add(vsphere.FieldModule, module)
	ev.Message = message
	if line, ok := runCommand(message); ok {
		vsphere.SetCommand(ev, line)
		return true
	}
	ev.Process.Name = ev.LogName
	vsphere.SetPID(ev, pid)
	if !esxcli(message, ev) {
		fetch(message, ev)
	}
	return true
}

// runCommand reads "runcommand called with: args = 'CMD', outfile = ...", where
// CMD may be a list: "['/sbin/x', '-a']".
func runCommand(message string) (line string, ok bool) {
	_, args, ok := strings.Cut(message, "runcommand called with: args = '")
	if !ok {
		return "", false
	}
	if !strings.HasPrefix(args, "[") {
		return vsphere.Between("'"+args, "'", "'")
	}
	args, _, ok = strings.Cut(args, "]")
	return strings.NewReplacer("', '", " ", "['", "", "'", "").Replace(args), ok
}

// esxcli takes "Command = profile.update", "Finished execution of command =
// vib.install": what is done to the host's software.
func esxcli(message string, ev *event.Event) bool {
	command, ok := strings.CutPrefix(message, "Command = ")
	if !ok {
		if command, ok = strings.CutPrefix(message, "Finished execution of command = "); !ok {
			return false
		}
		ev.Status = event.StatusSuccess
	}
	command, _ = vsphere.Word(command)
	ev.Class, ev.Activity, ev.Service = event.APIActivity, event.APIUpdate, ev.LogName
	ev.Operation, ev.Resource = command, "software"
	return true
}

// updateParts reads "module: LEVEL: text", and "file:line LEVEL text" of
// lifecycle.
func updateParts(s string) (module, level, message string, ok bool) {
	module, rest := vsphere.Word(s)
	if file, line, numbered := strings.Cut(module, ":"); numbered && line != "" {
		level, message = vsphere.Word(rest)
		return file, level, message, true
	}
	module, rest, ok = strings.Cut(s, ": ")
	level, message, _ = strings.Cut(rest, ": ")
	return module, level, message, ok
}

// moduleOnly reads "module:line text" and "module: text" of ESXi 8, whose level
// is in the header.
func moduleOnly(s string) (module, message string, ok bool) {
	word, message := vsphere.Word(s)
	module, line, ok := strings.Cut(word, ":")
	if _, number := vsphere.ParseUint(line); !ok || line != "" && !number || message == "" {
		return "", "", false
	}
	return module, message, module != "" && strings.Trim(module, moduleBytes) == ""
}

const moduleBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

func severity(level string, ev *event.Event) bool {
	switch level {
	case "INFO", "DEBUG":
		ev.Severity = event.SeverityInformational
	case "WARNING", "WARN":
		ev.Severity = event.SeverityMedium
	case "ERROR":
		ev.Severity = event.SeverityHigh
	case "CRITICAL":
		ev.Severity = event.SeverityCritical
	default:
		return false
	}
	return true
}

// fetch: the URL in a message is fetched by the host.
func fetch(message string, ev *event.Event) {
	url := vsphere.FindURL(message)
	if url == "" {
		vsphere.Fallback(message, ev)
		return
	}
	vsphere.SetDownload(ev, url)
	for _, failure := range [...]string{"ownload failed", "ailed to download", "ownload error", "ould not download", "not reachable", "nable to", "imed out", "rror"} {
		if strings.Contains(message, failure) {
			ev.Status = event.StatusFailure
		}
	}
	if to, ok := strings.CutPrefix(after(message, url), " to "); ok {
		path, _ := vsphere.Word(to)
		ev.File = event.File{Path: path, Name: path[strings.LastIndexByte(path, '/')+1:]}
	}
}
