package windows

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// mean fills the typed members. host is the machine where the record does not
// say it.
func (d *Decoder) mean(host string) {
	ev := &d.ev
	ev.Class, ev.Severity = event.BaseEvent, severity(d.values[slotLevel])
	if ev.Device.Hostname = d.text(slotComputer); ev.Device.Hostname == "" {
		ev.Device.Hostname = host
	}
	d.when()
	switch ev.LogName {
	case channelSysmon:
		d.sysmon()
	case channelSecurity:
		d.security()
	case channelPowerShell:
		ev.Process.PID = number(d.text(slotExecution))
		ev.User.UID = d.text(slotSecurityUser)
	}
	switch ev.Class {
	case event.BaseEvent:
		ev.Message = d.values[slotMessage]
		ev.Src.Hostname = ev.Device.Hostname
	case event.ProcessActivity, event.FileActivity, event.DNSActivity:
		ev.Src.Hostname = ev.Device.Hostname // by which the inventory finds the VM
	}
}

// text is the value in a slot; empty too where the source says that there is
// none, with a dash.
func (d *Decoder) text(s slot) string {
	if v := d.values[s]; v != "-" {
		return v
	}
	return ""
}

// first is the text of the first slot that has any.
func (d *Decoder) first(list ...slot) string {
	for _, s := range list {
		if v := d.text(s); v != "" {
			return v
		}
	}
	return ""
}

// severity is that of the event log's levels, by number or by name.
func severity(level string) event.Severity {
	switch level {
	case "1", "critical":
		return event.SeverityCritical
	case "2", "error":
		return event.SeverityHigh
	case "3", "warning":
		return event.SeverityMedium
	}
	return event.SeverityInformational
}

// when sets the time: Sysmon's own, in UTC, else when the event log took the
// record, else what the shipper says.
func (d *Decoder) when() {
	for _, s := range [...]slot{slotUtcTime, slotTimeCreated, slotTimeCreatedFlat, slotTimestamp, slotEventTime, slotTimeGenerated} {
		text := d.text(s)
		if text == "" {
			continue
		}
		if at, ok := parseTime(text); ok {
			d.ev.Time = at
			return
		}
		if d.ev.OriginalTime == "" {
			d.ev.OriginalTime = text
		}
	}
}

// Forms of time in records. Sysmon's has no zone and is UTC; another without a
// zone is taken so.
var (
	withT     = [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"}
	withBlank = [...]string{"2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999 -0700"}
)

func parseTime(text string) (time.Time, bool) {
	layouts := withBlank
	if len(text) > len("2006-01-02") && text[len("2006-01-02")] == 'T' {
		layouts = withT
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

// number reads a number as records have it: decimal, or in hex with 0x; 0 for
// anything else, and for what is negative.
func number(text string) int64 {
	base := 10
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		text, base = digits, 16
	}
	n, err := strconv.ParseInt(text, base, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func port(text string) uint16 {
	n := number(text)
	if n > 65535 {
		return 0
	}
	return uint16(n)
}

// address reads an address; the zero Addr where there is none.
func address(text string) netip.Addr {
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.IsUnspecified() {
		return netip.Addr{}
	}
	return ip.Unmap()
}

// process gives the process with that program; a program without a path is
// its name.
func process(path string) event.Process {
	p := event.Process{Path: path, Name: endpoint.BaseName(path)}
	if p.Name == p.Path {
		p.Path = ""
	}
	return p
}

// local sets the device's address to that of its end of a connection, unless
// all machines have that one. It makes the machine the one who acts in what it
// opens itself.
func (d *Decoder) local() {
	ip := d.ev.Src.IP
	if d.ev.Direction == event.DirectionInbound {
		ip = d.ev.Dst.IP
	}
	if ip.IsValid() && !ip.IsLoopback() && !ip.IsMulticast() && !ip.IsLinkLocalUnicast() {
		d.ev.Device.IP = ip
	}
}
