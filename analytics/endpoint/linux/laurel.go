package linux

import (
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// laurel makes an event of an object of laurel's: its members are the records,
// one or a list, by type. Bytes that are not printable ASCII, or of UTF-8, are
// percent-encoded.
func (a *Audit) laurel(r endpoint.Record, object gjson.Result, at time.Time, tell func(*event.Event)) {
	ev := &a.ev
	ev.Reset()
	a.facts.reset()
	ev.Raw, ev.Records, ev.Time, ev.LogName = r.Text, 1, at, logLaurel
	ev.Device = device(object.Get("NODE").Str, object, "", r.Host)
	first := ""
	object.ForEach(func(key, value gjson.Result) bool {
		if kind := key.Str; value.IsObject() || value.IsArray() {
			if first == "" {
				first = kind
			}
			a.laurelRecords(kind, value)
			return true
		}
		return endpoint.AddValue(key.Str, value, ev)
	})
	a.facts.settle(first, ev, &a.parent)
	tell(ev)
}

// laurelRecords takes the records of one type.
func (a *Audit) laurelRecords(kind string, value gjson.Result) {
	if value.IsArray() {
		value.ForEach(func(_, element gjson.Result) bool {
			a.laurelRecords(kind, element)
			return true
		})
		return
	}
	if kind == "PARENT_INFO" {
		a.parentInfo(value)
		endpoint.AddValue(kind, value, &a.ev)
		return
	}
	a.ev.Add(fieldType, kind)
	value.ForEach(func(key, member gjson.Result) bool {
		a.laurelValue(kind, key.Str, member)
		return len(a.ev.Fields) < endpoint.MaxFields
	})
}

func (a *Audit) laurelValue(kind, key string, value gjson.Result) {
	f, ev := &a.facts, &a.ev
	switch {
	case key == "ARGV" && value.IsArray():
		a.laurelArguments(kind, value)
	case key == "ARGV_STR" && kind == "EXECVE":
		f.args = append(f.args, unpercent(value.Str))
		endpoint.AddValue(key, value, ev)
	case key == "saddr":
		f.socket = parseSocket(unpercent(value.Str))
		ev.Add(fieldSaddr, value.Str)
	case key == "SADDR" && value.IsObject():
		value.ForEach(func(key, member gjson.Result) bool {
			f.remember(kind, key.Str, member.String())
			return endpoint.AddValue(key.Str, member, ev)
		})
	case key == "PPID" && value.IsObject():
		a.parentInfo(value)
		endpoint.AddValue(key, value, ev)
	case value.Type == gjson.String:
		text := unpercent(value.Str)
		if key == "arch" || kind == "SYSCALL" {
			text = strings.TrimPrefix(text, "0x")
		}
		f.value(kind, key, text, ev)
	default:
		f.remember(kind, key, value.String())
		endpoint.AddValue(key, value, ev)
	}
}

var fieldSaddr = event.Intern("saddr")

func (a *Audit) laurelArguments(kind string, list gjson.Result) {
	var words []string
	list.ForEach(func(_, element gjson.Result) bool {
		word := unpercent(element.Str)
		switch n := len(words); kind {
		case "EXECVE":
			a.facts.take(n, word, &a.ev)
		case "SYSCALL":
			word = strings.TrimPrefix(word, "0x")
			if n < len(a.facts.a) {
				a.facts.a[n] = word
				a.ev.Add(argIDs[n], word)
			}
		}
		words = append(words, word)
		return len(words) < maxArgs
	})
	if kind == "PROCTITLE" {
		a.facts.title = strings.Join(words, " ")
		a.ev.Add(fieldTitle, a.facts.title)
	}
}

var fieldTitle = event.Intern("proctitle")

// parentInfo takes what laurel knows of the parent.
func (a *Audit) parentInfo(value gjson.Result) {
	f := &a.facts
	f.parentName, f.parentPath = unpercent(value.Get("comm").Str), unpercent(value.Get("exe").Str)
	var words []string
	for _, list := range []string{"ARGV", "argv"} {
		value.Get(list).ForEach(func(_, element gjson.Result) bool {
			words = append(words, unpercent(element.Str))
			return len(words) < maxArgs
		})
	}
	f.parentLine = strings.Join(words, " ")
}

// unpercent undoes percent-encoding; what is no code of two digits stays.
func unpercent(s string) string {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for ; i >= 0; i = strings.IndexByte(s, '%') {
		out = append(out, s[:i]...)
		if len(s) < i+3 || hexDigit(s[i+1]) < 0 || hexDigit(s[i+2]) < 0 {
			out = append(out, '%')
			s = s[i+1:]
			continue
		}
		out = append(out, byte(hexDigit(s[i+1])<<4|hexDigit(s[i+2])))
		s = s[i+3:]
	}
	return string(append(out, s...))
}
