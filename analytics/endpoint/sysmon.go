package endpoint

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/vegress/vegress/event"
)

// Fields of Sysmon that the typed members of an event are made of
// (https://learn.microsoft.com/sysinternals/downloads/sysmon).
var (
	sysmonEventID      = event.Intern("EventID")
	sysmonChannel      = event.Intern("Channel")
	sysmonComputer     = event.Intern("Computer")
	sysmonUtcTime      = event.Intern("UtcTime")
	sysmonSystemTime   = event.Intern("TimeCreated_SystemTime")
	sysmonUser         = event.Intern("User")
	sysmonProcessGUID  = event.Intern("ProcessGuid")
	sysmonProcessID    = event.Intern("ProcessId")
	sysmonImage        = event.Intern("Image")
	sysmonCommandLine  = event.Intern("CommandLine")
	sysmonParentGUID   = event.Intern("ParentProcessGuid")
	sysmonParentID     = event.Intern("ParentProcessId")
	sysmonParentImage  = event.Intern("ParentImage")
	sysmonParentLine   = event.Intern("ParentCommandLine")
	sysmonProtocol     = event.Intern("Protocol")
	sysmonInitiated    = event.Intern("Initiated")
	sysmonSrcIP        = event.Intern("SourceIp")
	sysmonSrcPort      = event.Intern("SourcePort")
	sysmonSrcHostname  = event.Intern("SourceHostname")
	sysmonDstIP        = event.Intern("DestinationIp")
	sysmonDstPort      = event.Intern("DestinationPort")
	sysmonDstHostname  = event.Intern("DestinationHostname")
	sysmonTarget       = event.Intern("TargetFilename")
	sysmonQueryName    = event.Intern("QueryName")
	sysmonQueryStatus  = event.Intern("QueryStatus")
	sysmonQueryResults = event.Intern("QueryResults")
)

// Sysmon makes an event's typed members of its Fields, which are those of a
// record of Sysmon, for Windows or Linux, under their own names: processes
// that start and end, connections, DNS queries, and what is done to files.
// Other records stay Base Events, with the process that they tell of. parent
// is the memory that Process.Parent will point at. "-" is Sysmon's way to say
// nothing, and is taken as such.
func Sysmon(ev *event.Event, parent *event.Process) {
	ev.LogName = sysmonText(ev, sysmonChannel)
	ev.Device.Hostname = sysmonText(ev, sysmonComputer)
	ev.Time = sysmonTime(ev)
	ev.Severity = event.SeverityInformational
	ev.User = account(sysmonText(ev, sysmonUser))
	ev.Process = event.Process{
		UID:  sysmonText(ev, sysmonProcessGUID),
		PID:  sysmonNumber(ev, sysmonProcessID),
		Path: sysmonText(ev, sysmonImage),
	}
	ev.Process.Name = BaseName(ev.Process.Path)
	switch sysmonText(ev, sysmonEventID) {
	case "1":
		sysmonLaunch(ev, parent)
	case "5":
		ev.Class, ev.Activity = event.ProcessActivity, event.ProcessTerminate
	case "3":
		sysmonConnection(ev)
	case "22":
		sysmonQuery(ev)
	case "2":
		sysmonFile(ev, event.FileSetAttributes)
	case "11", "15":
		sysmonFile(ev, event.FileCreate)
	case "23", "26":
		sysmonFile(ev, event.FileDelete)
	}
}

func sysmonText(ev *event.Event, id event.FieldID) string {
	if f, ok := ev.Field(id); ok && f.Value != "-" {
		return f.Value
	}
	return ""
}

func sysmonNumber(ev *event.Event, id event.FieldID) int64 {
	n, err := strconv.ParseInt(sysmonText(ev, id), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// sysmonTime is when it happened, else when it was logged.
func sysmonTime(ev *event.Event) time.Time {
	if t, err := time.Parse("2006-01-02 15:04:05.999999999", sysmonText(ev, sysmonUtcTime)); err == nil {
		return t
	}
	t, _ := time.Parse(time.RFC3339Nano, sysmonText(ev, sysmonSystemTime))
	return t.UTC()
}

// account parts DOMAIN\name.
func account(s string) event.User {
	if domain, name, ok := strings.Cut(s, `\`); ok {
		return event.User{Domain: domain, Name: name}
	}
	return event.User{Name: s}
}

// BaseName is the last element of a path of Unix or Windows.
func BaseName(path string) string {
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

func sysmonLaunch(ev *event.Event, parent *event.Process) {
	ev.Class, ev.Activity = event.ProcessActivity, event.ProcessLaunch
	ev.Process.CmdLine = sysmonText(ev, sysmonCommandLine)
	*parent = event.Process{
		UID:     sysmonText(ev, sysmonParentGUID),
		PID:     sysmonNumber(ev, sysmonParentID),
		Path:    sysmonText(ev, sysmonParentImage),
		CmdLine: sysmonText(ev, sysmonParentLine),
	}
	if *parent != (event.Process{}) {
		parent.Name = BaseName(parent.Path)
		ev.Process.Parent = parent
	}
}

// sysmonConnection: the source is who opened the connection, on whichever end
// Sysmon runs.
func sysmonConnection(ev *event.Event) {
	ev.Class, ev.Activity = event.NetworkActivity, event.NetworkOpen
	ev.Direction = event.DirectionInbound
	if strings.EqualFold(sysmonText(ev, sysmonInitiated), "true") {
		ev.Direction = event.DirectionOutbound
	}
	switch sysmonText(ev, sysmonProtocol) {
	case "tcp":
		ev.Protocol = 6
	case "udp":
		ev.Protocol = 17
	}
	sysmonEnd(ev, &ev.Src, sysmonSrcIP, sysmonSrcPort, sysmonSrcHostname)
	sysmonEnd(ev, &ev.Dst, sysmonDstIP, sysmonDstPort, sysmonDstHostname)
}

func sysmonEnd(ev *event.Event, end *event.Endpoint, ip, port, hostname event.FieldID) {
	end.IP, _ = netip.ParseAddr(sysmonText(ev, ip))
	if n := sysmonNumber(ev, port); n <= 65535 {
		end.Port = uint16(n)
	}
	end.Hostname = sysmonText(ev, hostname)
}

// sysmonQuery: the results are "type:  5 www.example.com;::ffff:192.0.2.1;".
func sysmonQuery(ev *event.Event) {
	ev.Class, ev.Activity = event.DNSActivity, event.DNSResponse
	ev.Direction = event.DirectionOutbound
	ev.Src.Hostname = ev.Device.Hostname
	ev.DNS.Query = sysmonText(ev, sysmonQueryName)
	ev.DNS.RCode = sysmonText(ev, sysmonQueryStatus)
	for result := range strings.SplitSeq(sysmonText(ev, sysmonQueryResults), ";") {
		if ip, err := netip.ParseAddr(strings.TrimSpace(result)); err == nil {
			ev.DNS.Answers = append(ev.DNS.Answers, ip.Unmap())
		}
	}
}

func sysmonFile(ev *event.Event, a event.Activity) {
	ev.Class, ev.Activity = event.FileActivity, a
	ev.File.Path = sysmonText(ev, sysmonTarget)
	ev.File.Name = BaseName(ev.File.Path)
}
