package app

import (
	"bytes"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/capture"
	"github.com/vegress/vegress/forward/ingest"
)

// recognize says of what source a file is that begins so, where its first
// record leaves no doubt; else nothing.
func recognize(begin []byte) string {
	if capture.Is(begin) {
		return sourcePcap
	}
	first := firstRecord(begin)
	switch {
	case len(first) == 0:
		return ""
	case first[0] == '{':
		if object, err := endpoint.Object(string(first)); err == nil {
			return ofObject(object)
		}
	case bytes.HasPrefix(first, []byte("<Event>")), bytes.HasPrefix(first, []byte("<Event ")):
		if bytes.Contains(first, []byte("Linux-Sysmon")) {
			return "sysmon-linux"
		}
		return "winlog"
	case bytes.HasPrefix(first, []byte("#separator ")):
		return "zeek"
	case bytes.HasPrefix(first, []byte("#Software: ")), bytes.HasPrefix(first, []byte("#Version: ")), bytes.HasPrefix(first, []byte("#Fields: ")):
		return "proxy"
	case isAudit(first):
		return "auditd"
	}
	return ""
}

func firstRecord(begin []byte) []byte {
	var c ingest.Cutter
	for len(begin) > 0 {
		n, record, _ := c.Split(begin, true)
		if len(record) > 0 {
			return record
		}
		begin = begin[n:]
	}
	return nil
}

// isAudit knows a raw record of the audit system, with or without its node.
func isAudit(line []byte) bool {
	if rest, ok := bytes.CutPrefix(line, []byte("node=")); ok {
		_, line, _ = bytes.Cut(rest, []byte(" "))
	}
	kind, rest, _ := bytes.Cut(line, []byte(" "))
	return bytes.HasPrefix(kind, []byte("type=")) && bytes.HasPrefix(rest, []byte("msg=audit("))
}

// marks are members of objects that together no other source has, the most
// particular first. A dot in a name is one.
var marks = []struct {
	source  string
	members []string
}{
	{"jamf", []string{"event", "metadata.vendor"}},
	{"jamf", []string{"input.eventType", "input.host"}},
	{"eslogger", []string{"schema_version", "event_type", "mach_time", "process"}},
	{"osquery", []string{"hostIdentifier", "name", "columns"}},
	{"osquery", []string{"hostIdentifier", "name", "snapshot"}},
	{"osquery", []string{"hostIdentifier", "name", "diffResults"}},
	{"unifiedlog", []string{"eventMessage", "machTimestamp", "processImagePath"}},
	{"eve", []string{"timestamp", "event_type", "flow_id"}},
	{"proxy", []string{"EventSchema", "Url"}},
	{"zeek", []string{"ts", "uid", `id\.orig_h`}},
	{"zeek", []string{"ts", "uid", "id_orig_h"}},
	{"zeek", []string{"ts", "uid", "id.orig_h"}},
	{"winlog", []string{"Event.System"}},
	{"winlog", []string{"winlog.event_id"}},
	{"winlog", []string{"EventID", "Channel"}},
	{"winlog", []string{"EventID", "SourceName"}},
	{"winlog", []string{"EventID", "EventLog"}},
}

func ofObject(object gjson.Result) string {
	switch carried := object.Get("SyslogMessage").Str; { // rows of Sentinel's Syslog
	case strings.Contains(carried, "Linux-Sysmon"):
		return "sysmon-linux"
	case strings.Contains(carried, "audit("):
		return "auditd"
	}
	for _, m := range marks {
		all := true
		for _, name := range m.members {
			all = all && object.Get(name).Exists()
		}
		if all {
			return m.source
		}
	}
	return sourceJSON
}
