package syslog

import (
	"encoding/json"
	"strings"
	"time"
)

// The names under which relays put a record's parts into a JSON object:
// syslog-ng's macros, rsyslog's properties, and what shippers made of them.
var (
	hostKeys = []string{"host", "hostname", "HOST"}
	appKeys  = []string{"program", "appname", "app_name", "app-name", "programname", "ident", "process", "PROGRAM"}
	pidKeys  = []string{"pid", "procid", "PID"}
	timeKeys = []string{"timestamp", "@timestamp", "time", "timereported", "ISODATE"}
	textKeys = []string{"message", "msg", "MESSAGE", "MSG"}
)

// object reads a record that a relay has made one JSON object of. It reports
// false when it is none, or has no text.
func (p *Parser) object(s string, m *Message) bool {
	if !strings.HasPrefix(s, "{") {
		return false
	}
	var parts map[string]any
	if json.Unmarshal([]byte(s), &parts) != nil {
		return false
	}
	text := first(parts, textKeys)
	if text == "" {
		return false
	}
	m.Host, m.App, m.ProcID, m.Text = first(parts, hostKeys), first(parts, appKeys), first(parts, pidKeys), text
	if m.TimeText = first(parts, timeKeys); m.TimeText == "" {
		return true
	}
	t, err := time.Parse(time.RFC3339Nano, m.TimeText)
	if err != nil {
		m.flaw(BadTime)
		return true
	}
	m.Time = t
	return true
}

// first is the first of the members that is there, and a string.
func first(parts map[string]any, keys []string) string {
	for _, key := range keys {
		value := parts[key]
		if object, ok := value.(map[string]any); ok { // Elastic's "host": {"name": ...}
			value = object["name"]
		}
		if text, ok := value.(string); ok && text != "" {
			return text
		}
	}
	return ""
}
