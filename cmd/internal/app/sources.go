package app

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/analytics/endpoint/linux"
	"github.com/vegress/vegress/analytics/endpoint/macos"
	"github.com/vegress/vegress/analytics/endpoint/network"
	"github.com/vegress/vegress/analytics/endpoint/windows"
	"github.com/vegress/vegress/syslog"
)

// origin is a kind of telemetry that has a decoder.
type origin struct {
	name string
	// open makes a decoder for one machine. log is the name of the file that
	// its records are from, where they are from a file.
	open func(log string) endpoint.Decoder
	// joins: the decoder makes one event of several records, and may hold some
	// of them until the others are there.
	joins bool

	records, undecoded atomic.Int64
}

// sourceJSON is the source of any JSON object, and stands in for all that have
// no decoder of their own.
const sourceJSON = "json"

// sources are all that there are, with their counts.
type sources struct {
	list     []*origin
	programs map[string]*origin // of syslog, in lower case
}

func newSources() *sources {
	s := &sources{list: []*origin{
		{name: "eslogger", open: func(string) endpoint.Decoder { return macos.NewEslogger() }},
		{name: "eve", open: func(string) endpoint.Decoder { return network.NewEVE() }},
		{name: "jamf", open: func(string) endpoint.Decoder { return macos.NewJamf() }},
		{name: "osquery", open: func(string) endpoint.Decoder { return macos.NewOsquery() }},
		{name: "proxy", open: func(string) endpoint.Decoder { return network.NewProxy() }},
		{name: "unifiedlog", open: func(string) endpoint.Decoder { return macos.NewUnifiedLog() }},
		{name: "winlog", open: func(string) endpoint.Decoder { return windows.New() }},
		{name: "zeek", open: func(log string) endpoint.Decoder { return network.NewZeek(log) }},
		{name: "auditd", joins: true, open: func(string) endpoint.Decoder { return linux.NewAudit() }},
		{name: "sysmon-linux", open: func(string) endpoint.Decoder { return linux.NewSysmon() }},
		{name: sourceJSON, open: func(string) endpoint.Decoder { return &endpoint.AnyJSON{LogName: sourceJSON} }},
	}}
	s.programs = map[string]*origin{}
	for program, name := range map[string]string{
		"sysmon":  "sysmon-linux",
		"audispd": "auditd", "audit": "auditd", "auditd": "auditd", "audisp-syslog": "auditd",
		"suricata": "eve",
		"zeek":     "zeek", "bro": "zeek",
		"osqueryd": "osquery", "osquery": "osquery",
		"nxlog": "winlog", "winlogbeat": "winlog",
	} {
		if of := s.named(name); of != nil {
			s.programs[program] = of
		}
	}
	return s
}

// named is the source of that name; nil: there is none.
func (s *sources) named(name string) *origin {
	i := slices.IndexFunc(s.list, func(one *origin) bool { return one.name == name })
	if i < 0 {
		return nil
	}
	return s.list[i]
}

// names are the names of all sources.
func (s *sources) names() (all []string) {
	for _, one := range s.list {
		all = append(all, one.name)
	}
	return all
}

// windowsProviders is how the programs of Windows' own providers begin, where
// an agent sends their events by syslog.
const windowsProviders = "microsoft-windows-"

// inSyslog finds the source whose record is the text of a message, and that
// record; nil: it is a log line. What begins like no record costs a look at
// its first byte.
func (s *sources) inSyslog(m *syslog.Message) (of *origin, record string) {
	text := m.Text
	if len(text) > 0 && text[0] == ' ' {
		text = strings.TrimLeft(text, " ")
	}
	if text == "" {
		return nil, ""
	}
	switch text[0] {
	case '{', '<':
	case '@': // CEE: what follows is JSON
		rest, ok := strings.CutPrefix(text, "@cee:")
		if !ok {
			return nil, ""
		}
		text = strings.TrimLeft(rest, " ")
	case 't', 'n':
		if !strings.HasPrefix(text, "type=") && !strings.HasPrefix(text, "node=") {
			return nil, ""
		}
	default:
		return nil, ""
	}
	program := strings.ToLower(m.App[strings.LastIndexByte(m.App, '/')+1:])
	if strings.HasPrefix(program, windowsProviders) {
		program = "nxlog"
	}
	return s.programs[program], text
}
