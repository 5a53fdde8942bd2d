package endpoint

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/vegress/vegress/event"
)

// sysmonName is the place of a field of Sysmon that the typed members of an
// event are made of.
type sysmonName uint8

const (
	_ sysmonName = iota
	sysmonEventID
	sysmonChannel
	sysmonComputer
	sysmonUtcTime
	sysmonSystemTime
	sysmonUser
	sysmonProcessGUID
	sysmonProcessID
	sysmonImage
	sysmonCommandLine
	sysmonParentGUID
	sysmonParentID
	sysmonParentImage
	sysmonParentLine
	sysmonSourceGUID
	sysmonSourceGuid // of event 8; event 10 has the other
	sysmonSourceID
	sysmonSourceImage
	sysmonProtocol
	sysmonInitiated
	sysmonSrcIP
	sysmonSrcPort
	sysmonSrcHostname
	sysmonDstIP
	sysmonDstPort
	sysmonDstHostname
	sysmonTarget
	sysmonQueryName
	sysmonQueryStatus
	sysmonQueryResults
	sysmonImageLoaded
	sysmonSigned
	sysmonSignature
	sysmonSignatureStatus
	sysmonNames
)

// sysmonPlaces gives the place of a field's name, by its id.
var sysmonPlaces = func() *[event.MaxFieldNames]sysmonName {
	places := new([event.MaxFieldNames]sysmonName)
	for place, name := range [sysmonNames]string{
		sysmonEventID: "EventID", sysmonChannel: "Channel", sysmonComputer: "Computer",
		sysmonUtcTime: "UtcTime", sysmonSystemTime: "TimeCreated_SystemTime", sysmonUser: "User",
		sysmonProcessGUID: "ProcessGuid", sysmonProcessID: "ProcessId", sysmonImage: "Image",
		sysmonCommandLine: "CommandLine", sysmonParentGUID: "ParentProcessGuid", sysmonParentID: "ParentProcessId",
		sysmonParentImage: "ParentImage", sysmonParentLine: "ParentCommandLine",
		sysmonSourceGUID: "SourceProcessGUID", sysmonSourceGuid: "SourceProcessGuid", sysmonSourceID: "SourceProcessId", sysmonSourceImage: "SourceImage",
		sysmonProtocol: "Protocol", sysmonInitiated: "Initiated", sysmonSrcIP: "SourceIp", sysmonSrcPort: "SourcePort", sysmonSrcHostname: "SourceHostname",
		sysmonDstIP: "DestinationIp", sysmonDstPort: "DestinationPort", sysmonDstHostname: "DestinationHostname",
		sysmonTarget: "TargetFilename", sysmonQueryName: "QueryName", sysmonQueryStatus: "QueryStatus", sysmonQueryResults: "QueryResults",
		sysmonImageLoaded: "ImageLoaded", sysmonSigned: "Signed", sysmonSignature: "Signature", sysmonSignatureStatus: "SignatureStatus",
	} {
		if name != "" {
			places[event.Intern(name)] = sysmonName(place)
		}
	}
	return places
}()

// sysmonRecord is the first value of each of those fields.
type sysmonRecord [sysmonNames]string

// Sysmon makes an event's typed members of its Fields, which are those of a
// record of Sysmon, for Windows or Linux, under their own names
// (https://learn.microsoft.com/sysinternals/downloads/sysmon#events):
// processes that start and end, connections, DNS queries, and what is done to
// files. Other records stay Base Events, with the process that they tell of.
// parent is the memory that Process.Parent will point at. "-" is Sysmon's way
// to say nothing, and is taken as such.
func Sysmon(ev *event.Event, parent *event.Process) {
	var r sysmonRecord
	for i := range ev.Fields {
		if place := sysmonPlaces[ev.Fields[i].ID]; place != 0 && r[place] == "" && ev.Fields[i].Value != "-" {
			r[place] = ev.Fields[i].Value
		}
	}
	ev.LogName = r[sysmonChannel]
	ev.Device.Hostname = r[sysmonComputer]
	ev.Time = r.time()
	ev.Severity = event.SeverityInformational
	ev.User = account(r[sysmonUser])
	ev.Process = program(cmp.Or(r[sysmonImage], r[sysmonSourceImage]))
	ev.Process.UID = cmp.Or(r[sysmonProcessGUID], r[sysmonSourceGUID], r[sysmonSourceGuid])
	ev.Process.PID = positive(cmp.Or(r[sysmonProcessID], r[sysmonSourceID]))
	switch r[sysmonEventID] {
	case "1":
		r.launch(ev, parent)
	case "5":
		ev.Class, ev.Activity = event.ProcessActivity, event.ProcessTerminate
	case "3":
		r.connection(ev)
	case "22":
		r.query(ev)
	case "7":
		r.image(ev)
	default:
		r.file(ev)
	}
}

func positive(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// time is when it happened, else when it was logged.
func (r *sysmonRecord) time() time.Time {
	if t, err := time.Parse("2006-01-02 15:04:05.999999999", r[sysmonUtcTime]); err == nil {
		return t
	}
	t, _ := time.Parse(time.RFC3339Nano, r[sysmonSystemTime])
	return t.UTC()
}

// account parts DOMAIN\name.
func account(s string) event.User {
	if domain, name, ok := strings.Cut(s, `\`); ok {
		return event.User{Domain: domain, Name: name}
	}
	return event.User{Name: s}
}

// program is a process by its image. Sysmon has a name of its own for one that
// was gone when it looked.
func program(image string) event.Process {
	if image == "<unknown process>" {
		return event.Process{}
	}
	return event.Process{Path: image, Name: BaseName(image)}
}

// BaseName is the last element of a path of Unix or Windows.
func BaseName(path string) string {
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

func (r *sysmonRecord) launch(ev *event.Event, parent *event.Process) {
	ev.Class, ev.Activity = event.ProcessActivity, event.ProcessLaunch
	ev.Process.CmdLine = r[sysmonCommandLine]
	*parent = program(r[sysmonParentImage])
	parent.UID, parent.PID, parent.CmdLine = r[sysmonParentGUID], positive(r[sysmonParentID]), r[sysmonParentLine]
	if *parent != (event.Process{}) {
		ev.Process.Parent = parent
	}
}

// connection: the source is who opened the connection, on whichever end Sysmon
// runs.
func (r *sysmonRecord) connection(ev *event.Event) {
	ev.Class, ev.Activity = event.NetworkActivity, event.NetworkOpen
	switch r[sysmonInitiated] {
	case "true", "True":
		ev.Direction = event.DirectionOutbound
	case "false", "False":
		ev.Direction = event.DirectionInbound
	}
	switch r[sysmonProtocol] {
	case "tcp":
		ev.Protocol = 6
	case "udp":
		ev.Protocol = 17
	}
	r.end(&ev.Src, sysmonSrcIP, sysmonSrcPort, sysmonSrcHostname)
	r.end(&ev.Dst, sysmonDstIP, sysmonDstPort, sysmonDstHostname)
}

func (r *sysmonRecord) end(end *event.Endpoint, ip, port, hostname sysmonName) {
	if at, err := netip.ParseAddr(r[ip]); err == nil && !at.IsUnspecified() {
		end.IP = at.Unmap()
	}
	if n := positive(r[port]); n <= 65535 {
		end.Port = uint16(n)
	}
	end.Hostname = r[hostname]
}

// maxAnswers bounds the addresses of a query's results; the others stand in its
// fields.
const maxAnswers = 64

// query: Sysmon tells of a question once it is answered. The results are
// "type:  5 www.example.com;::ffff:192.0.2.1;".
func (r *sysmonRecord) query(ev *event.Event) {
	ev.Class, ev.Activity = event.DNSActivity, event.DNSResponse
	ev.Src.Hostname = ev.Device.Hostname
	ev.DNS.Query = r[sysmonQueryName]
	ev.DNS.RCode = dnsStatus[r[sysmonQueryStatus]]
	for result := range strings.SplitSeq(r[sysmonQueryResults], ";") {
		if ip, err := netip.ParseAddr(strings.TrimSpace(result)); err == nil {
			if ev.DNS.Answers = append(ev.DNS.Answers, ip.Unmap()); len(ev.DNS.Answers) == maxAnswers {
				return
			}
		}
	}
}

// dnsStatus has DNS's words for a status of Windows: an error of winerror.h
// (https://learn.microsoft.com/windows/win32/debug/system-error-codes--9000-11999-),
// or its name, which Elastic's module makes of it. 9501 is an answer without
// records.
var dnsStatus = map[string]string{
	"0": "NOERROR", "SUCCESS": "NOERROR",
	"9001": "FORMERR", "DNS_ERROR_RCODE_FORMAT_ERROR": "FORMERR",
	"9002": "SERVFAIL", "DNS_ERROR_RCODE_SERVER_FAILURE": "SERVFAIL",
	"9003": "NXDOMAIN", "DNS_ERROR_RCODE_NAME_ERROR": "NXDOMAIN",
	"9004": "NOTIMP", "DNS_ERROR_RCODE_NOT_IMPLEMENTED": "NOTIMP",
	"9005": "REFUSED", "DNS_ERROR_RCODE_REFUSED": "REFUSED",
	"9501": "NOERROR", "DNS_INFO_NO_RECORDS": "NOERROR",
}

// image adds who signed the program, where the image that was loaded is the
// process's own.
func (r *sysmonRecord) image(ev *event.Event) {
	if image := r[sysmonImageLoaded]; image == "" || !strings.EqualFold(image, r[sysmonImage]) {
		return
	}
	switch status := r[sysmonSignatureStatus]; {
	case r[sysmonSigned] == "false":
		ev.Add(Signature, Unsigned)
	case status == "Valid":
		ev.Add(Signature, Signed)
	case status != "":
		ev.Add(Signature, status)
	}
	if signer := r[sysmonSignature]; signer != "" {
		ev.Add(Signer, signer)
	}
}

// file takes the records about files. Of those that Sysmon blocks the status
// is a failure.
func (r *sysmonRecord) file(ev *event.Event) {
	activity, status := event.ActivityUnknown, event.StatusUnknown
	switch r[sysmonEventID] {
	case "2":
		activity = event.FileSetAttributes
	case "11", "15", "29":
		activity = event.FileCreate
	case "23", "26":
		activity = event.FileDelete
	case "27":
		activity, status = event.FileCreate, event.StatusFailure
	case "28":
		activity, status = event.FileDelete, event.StatusFailure
	}
	if path := r[sysmonTarget]; path != "" && activity != event.ActivityUnknown {
		ev.Class, ev.Activity, ev.Status = event.FileActivity, activity, status
		ev.File = event.File{Path: path, Name: BaseName(path)}
	}
}
