package source

import (
	"strings"

	"github.com/vegress/vegress/event"
)

// maxImages bounds the commands of one line that are told apart.
const maxImages = 16

// binaries is where ESXi's shell finds a command that is written without a
// path: BusyBox's applets, esxcli, vim-cmd and what else is linked there.
const binaries = "/bin/"

// commands gives the path of each command that a shell line runs: those of a
// pipe, of a list, of a loop and of $(...). Encryptors stop and change virtual
// machines in one such line, in which esxcli is not the first word.
func commands(v *View, id event.FieldID) {
	line := v.ev.Process.CmdLine
	if line == "" {
		v.image(id, v.ev.Process.Path, v.ev.Process.Name)
		return
	}
	first := len(v.typed)
	start, quote, outer := true, byte(0), byte(0)
	for i := 0; i < len(line) && len(v.typed)-first < maxImages; i++ {
		c := line[i]
		switch {
		case c == '\\':
			i++
			start = false
		case quote != 0 && c == quote:
			quote = 0
		case quote == '\'':
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == '`', c == '(' && i > 0 && line[i-1] == '$':
			start, outer, quote = true, quote, 0 // a command whose output is put in, within quotes too
		case c == ')' && outer != 0:
			start, outer, quote = false, 0, outer
		case quote != 0:
			start = false
		case strings.IndexByte("|;&\n(){", c) >= 0:
			start = !(c == '&' && i > 0 && line[i-1] == '>')
		case c == ' ' || c == '\t':
		case start:
			end := wordEnd(line, i)
			start = v.command(id, line[i:end])
			i = end - 1
		}
	}
	if len(v.typed) == first {
		v.image(id, v.ev.Process.Path, v.ev.Process.Name)
	}
}

func wordEnd(line string, from int) int {
	if i := strings.IndexAny(line[from:], " \t\n|;&()`\"'"); i >= 0 {
		return from + max(i, 1)
	}
	return len(line)
}

// command takes a word at which a command begins, and says that the next word
// begins one as well: behind "sudo", "then", or a variable that is set.
func (v *View) command(id event.FieldID, word string) (next bool) {
	switch word {
	case "sudo", "nohup", "time", "exec", "eval", "do", "then", "else", "elif", "if", "while", "until", "!", "busybox", "xargs", "setsid":
		return true
	case "for", "case", "done", "fi", "esac", "in", "}":
		return false
	}
	if name, _, set := strings.Cut(word, "="); set && strings.IndexByte(name, '/') < 0 {
		return true
	}
	if strings.HasPrefix(word, "/") {
		v.put(id, word)
	} else {
		v.image(id, "", word[strings.LastIndexByte(word, '/')+1:])
	}
	return false
}

// image puts the path of a command that may be known by its name only.
func (v *View) image(id event.FieldID, path, name string) {
	if path == "" && name != "" {
		path = v.scratch.join(binaries, name)
	}
	v.put(id, path)
}

// parentCommand is the path of the parent. ESXi's "shell" is BusyBox's sh.
func parentCommand(v *View, id event.FieldID) {
	p := v.ev.Process.Parent
	switch {
	case p == nil:
	case p.Path == "" && p.Name == "shell":
		v.put(id, binaries+"sh")
	default:
		v.image(id, p.Path, p.Name)
	}
}
