package linux

import (
	"net/netip"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// addRow adds the members of a JSON row around a record, but for the record
// itself, which the row may hold once more in parts.
func addRow(row gjson.Result, ev *event.Event) {
	if !row.IsObject() {
		return
	}
	message, _ := payload(row)
	row.ForEach(func(key, value gjson.Result) bool {
		if key.Str == message || key.Str == "EventData" {
			return true
		}
		return endpoint.AddValue(key.Str, value, ev)
	})
}

// device is the machine that a record tells of: by its own word, by the row
// around it, by the header of its log line, or by the way in.
func device(own string, row gjson.Result, header, host string) event.Device {
	var d event.Device
	if row.IsObject() {
		d.IP, _ = netip.ParseAddr(row.Get("HostIP").Str)
	}
	for _, name := range []string{own, rowHost(row), header, host} {
		if name != "" {
			d.Hostname = strings.TrimSuffix(name, ".")
			break
		}
	}
	return d
}

// rowHost is the machine's name in a row: by the names that Sentinel, journald,
// Beats and rsyslog give it.
func rowHost(row gjson.Result) string {
	if !row.IsObject() {
		return ""
	}
	for _, path := range []string{"Computer", "HostName", "_HOSTNAME", "host.name", "hostname", "host"} {
		if name := row.Get(path); name.Type == gjson.String && name.Str != "" {
			return name.Str
		}
	}
	return ""
}
