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
