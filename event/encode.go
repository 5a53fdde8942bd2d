package event

import (
	"strings"
	"time"
)

// AppendJSON appends e to dst as one JSON object of OCSF 1.8.0, without a
// newline, and returns the extended buffer. The object is valid under the
// schema of its class without profiles, whatever e holds, and Parse reads it
// back. Beyond what dst lacks in room nothing is allocated, unless e is not
// valid UTF-8 or has several fields of one name.
//
//   - Times are milliseconds since 1970.
//   - The machine that reports is device where the class has that attribute
//     (process, file), else metadata.reporter: the other classes refuse
//     device without the host profile.
//   - Raw is byte for byte in raw_data; when it is not valid UTF-8, or has a
//     zero byte, in base64, and unmapped.raw_encoding says so. In all other
//     strings what is not valid UTF-8 is U+FFFD.
//   - What the class has no place for stands at the same path below unmapped,
//     beside Fields under their own names; several fields of one name are an
//     array. A field that has a name of the encoder's own there has "_2"
//     behind it.
//   - What a class requires and the record does not say is written as
//     {"name":"unknown","type_id":0}; a login's service is then the program
//     that logged it, and a process without any id has the event's uid.
func (e *Event) AppendJSON(dst []byte) []byte {
	class := e.WireClass()
	has := class.facts().places
	dst = appendHead(dst, class, e.Activity, e.Severity, e.Time)
	if e.Status != StatusUnknown {
		dst = appendInt(dst, `"status_id":`, int64(knownOr(uint8(e.Status), uint8(StatusFailure))))
	}
	dst = e.appendMetadata(dst, has)
	dst = e.appendBody(dst, class, has)
	dst = appendTime(dst, `"start_time":`, e.Start)
	dst = appendTime(dst, `"end_time":`, e.End)
	dst = appendText(dst, `"message":`, e.Message)
	dst, encoded := appendRaw(dst, `"raw_data":`, e.Raw)
	dst = e.appendEnrichments(dst)
	dst = e.appendUnmapped(dst, has, encoded)
	return closeObject(dst)
}

func appendHead(dst []byte, c Class, a Activity, s Severity, t time.Time) []byte {
	a = c.activity(a)
	dst = append(dst, c.facts().head...)
	dst = appendInt(dst, "", int64(a))
	dst = appendInt(dst, `"type_uid":`, int64(c)*100+int64(a))
	dst = appendInt(dst, `"severity_id":`, int64(knownOr(uint8(s), uint8(SeverityFatal))))
	return appendInt(dst, `"time":`, millis(t))
}

// knownOr is id, or OCSF's 99 (Other) when id is above the last that the
// enumeration has.
func knownOr(id, last uint8) uint8 {
	if id > last {
		return 99
	}
	return id
}

// OCSFVersion is the version of the schema that events and findings follow.
const OCSFVersion = "1.8.0"

const metadataHead = `"metadata":{"version":"` + OCSFVersion + `","product":{"name":"vegress","vendor_name":"vegress"},`

func (e *Event) appendMetadata(dst []byte, has place) []byte {
	dst = append(dst, metadataHead...)
	dst = appendText(dst, `"log_name":`, e.LogName)
	dst = appendText(dst, `"uid":`, e.UID)
	dst = appendText(dst, `"original_time":`, e.OriginalTime)
	if has&placeDevice == 0 && e.Device.identified() {
		dst = append(dst, `"reporter":{`...)
		dst = closeMember(e.Device.appendMembers(dst))
	}
	return closeMember(dst)
}

func (d *Device) identified() bool { return d.Hostname != "" || d.IP.IsValid() }

func (d *Device) appendMembers(dst []byte) []byte {
	dst = appendText(dst, `"hostname":`, d.Hostname)
	return appendAddr(dst, `"ip":`, d.IP)
}

// unknown stands in a required object of which the record says nothing.
const unknown = `{"name":"unknown","type_id":0},`

func (e *Event) appendBody(dst []byte, class Class, has place) []byte {
	if has&placeActor != 0 {
		dst = e.appendActor(dst, class)
	}
	if has&placeDevice != 0 {
		dst = e.Device.appendRequired(dst)
	}
	if has&placeUser != 0 {
		dst = e.appendLogin(dst)
	}
	if has&placeAPI != 0 {
		dst = e.appendAPI(dst)
	}
	if has&placeProcess != 0 {
		dst = append(dst, `"process":{`...)
		dst = closeMember(e.Process.appendMembers(dst, e.UID, maxParents))
	}
	if has&placeFile != 0 && e.File != (File{}) {
		dst = append(dst, `"file":{`...)
		dst = closeMember(e.File.appendMembers(dst))
	}
	if has&placeEndpoints != 0 {
		dst = e.appendEndpoints(dst, class)
	}
	if has&placeConnection != 0 {
		dst = e.appendConnection(dst)
	}
	if has&placeURL != 0 {
		dst = appendURL(dst, e.URL)
	}
	if has&placeHTTP != 0 {
		dst = e.appendHTTP(dst, class)
	}
	if has&placeQuery != 0 {
		dst = e.appendDNS(dst)
	}
	return dst
}

func (d *Device) appendRequired(dst []byte) []byte {
	dst = append(dst, `"device":`...)
	if !d.identified() {
		return append(dst, unknown...)
	}
	dst = append(dst, `{"type_id":0,`...)
	return closeMember(d.appendMembers(dst))
}

// appendActor appends who acted: the account, its session, and the process,
// where that is not what the event is about.
func (e *Event) appendActor(dst []byte, class Class) []byte {
	start := len(dst)
	dst = append(dst, `"actor":{`...)
	if class != Authentication {
		dst = appendUser(dst, &e.User)
		dst = appendSession(dst, e.Session)
	}
	if class != ProcessActivity && e.Process.identified() {
		dst = append(dst, `"process":{`...)
		dst = closeMember(e.Process.appendMembers(dst, "", maxParents))
	}
	if dst[len(dst)-1] != '{' {
		return closeMember(dst)
	}
	if class == Authentication {
		return dst[:start]
	}
	return closeMember(append(append(dst, `"user":`...), unknown...))
}

func (u *User) identified() bool { return u.Name != "" || u.UID != "" }

func appendUser(dst []byte, u *User) []byte {
	if !u.identified() {
		return dst
	}
	dst = append(dst, `"user":{`...)
	return closeMember(u.appendMembers(dst))
}

func (u *User) appendMembers(dst []byte) []byte {
	dst = appendText(dst, `"name":`, u.Name)
	dst = appendText(dst, `"domain":`, u.Domain)
	return appendText(dst, `"uid":`, u.UID)
}

func appendSession(dst []byte, uid string) []byte {
	return appendObject(dst, `"session":{`, `"uid":`, uid)
}

// appendObject appends an object of one text, or nothing when s is empty.
func appendObject(dst []byte, open, key, s string) []byte {
	if s == "" {
		return dst
	}
	return closeMember(appendText(append(dst, open...), key, s))
}

func (e *Event) appendLogin(dst []byte) []byte {
	if e.User.identified() {
		dst = appendUser(dst, &e.User)
	} else {
		dst = append(append(dst, `"user":`...), unknown...)
	}
	dst = appendSession(dst, e.Session)
	service := e.Service
	if service == "" && !e.Dst.identified() {
		if service = e.LogName; service == "" {
			service = "unknown"
		}
	}
	return appendObject(dst, `"service":{`, `"name":`, service)
}

func (e *Event) appendAPI(dst []byte) []byte {
	dst = append(dst, `"api":{`...)
	dst = appendText(dst, `"operation":`, e.Operation)
	dst = appendObject(dst, `"service":{`, `"name":`, e.Service)
	dst = closeMember(dst)
	return appendResources(dst, e.Resource)
}

func appendResources(dst []byte, name string) []byte {
	if name == "" {
		return dst
	}
	dst = appendText(append(dst, `"resources":[{`...), `"name":`, name)
	return append(closeObject(dst), ']', ',')
}

// maxParents bounds the ancestors of a process that are written, read or
// cloned.
const maxParents = 8

func (p *Process) identified() bool { return p.PID != 0 || p.UID != "" }

func (p *Process) known() bool { return p.Name != "" || p.Path != "" || p.CmdLine != "" }

// appendMembers appends p and those of its ancestors that OCSF takes: a
// process must have an id. uid stands for an id that p itself lacks.
func (p *Process) appendMembers(dst []byte, uid string, depth int) []byte {
	if p.identified() {
		uid = p.UID
	}
	dst = p.appendOwn(dst, uid)
	if p.Parent == nil || depth == 0 || !p.Parent.identified() {
		return dst
	}
	dst = append(dst, `"parent_process":{`...)
	return closeMember(p.Parent.appendMembers(dst, "", depth-1))
}

func (p *Process) appendOwn(dst []byte, uid string) []byte {
	dst = appendText(dst, `"name":`, p.Name)
	dst = appendText(dst, `"path":`, p.Path)
	dst = appendText(dst, `"cmd_line":`, p.CmdLine)
	dst = appendCount(dst, `"pid":`, p.PID)
	return appendText(dst, `"uid":`, uid)
}

// appendAll appends p and its ancestors, with or without ids.
func (p *Process) appendAll(dst []byte, depth int) []byte {
	dst = p.appendOwn(dst, p.UID)
	if p.Parent == nil || depth == 0 || *p.Parent == (Process{}) {
		return dst
	}
	dst = append(dst, `"parent_process":{`...)
	return closeMember(p.Parent.appendAll(dst, depth-1))
}

// appendUnplaced appends the ancestors that appendMembers leaves out for want
// of an id, and theirs.
func (p *Process) appendUnplaced(dst []byte) []byte {
	for depth := maxParents; p.Parent != nil && depth > 0; depth-- {
		if p = p.Parent; p.identified() {
			continue
		}
		if *p == (Process{}) {
			return dst
		}
		dst = append(dst, `"parent_process":{`...)
		return closeMember(p.appendAll(dst, depth-1))
	}
	return dst
}

func (f *File) appendMembers(dst []byte) []byte {
	name := f.Name
	if name == "" {
		name = baseName(f.Path)
	}
	dst = appendText(dst, `"name":`, name)
	dst = appendText(dst, `"path":`, f.Path)
	return append(dst, `"type_id":0,`...)
}

// baseName is the last element of a path of Unix or Windows.
func baseName(path string) string {
	trimmed := strings.TrimRight(path, `/\`)
	if trimmed == "" {
		return path
	}
	return trimmed[strings.LastIndexAny(trimmed, `/\`)+1:]
}

func (e *Event) appendEndpoints(dst []byte, class Class) []byte {
	if class == APIActivity && !e.Src.identified() {
		dst = append(append(dst, `"src_endpoint":`...), unknown...)
	} else {
		dst = appendEndpoint(dst, `"src_endpoint":{`, &e.Src)
	}
	return appendEndpoint(dst, `"dst_endpoint":{`, &e.Dst)
}

// identified says that e has what OCSF demands of an endpoint; a port or a MAC
// address is not enough.
func (e *Endpoint) identified() bool {
	return e.IP.IsValid() || e.Hostname != "" || e.VMName != "" || e.VMUUID != "" || e.VIF != "" || e.Service != ""
}

func appendEndpoint(dst []byte, open string, p *Endpoint) []byte {
	if !p.identified() {
		return dst
	}
	return closeMember(p.appendMembers(append(dst, open...)))
}

// appendMembers appends what OCSF has a place for in an endpoint.
func (e *Endpoint) appendMembers(dst []byte) []byte {
	dst = appendAddr(dst, `"ip":`, e.IP)
	dst = appendCount(dst, `"port":`, int64(e.Port))
	dst = appendText(dst, `"hostname":`, e.Hostname)
	if isMAC(e.MAC) {
		dst = appendText(dst, `"mac":`, e.MAC)
	}
	dst = appendText(dst, `"name":`, e.VMName)
	dst = appendText(dst, `"instance_uid":`, e.VMUUID)
	dst = appendText(dst, `"interface_uid":`, e.VIF)
	return appendText(dst, `"svc_name":`, e.Service)
}

// rest says that appendRest has something to append.
func (e *Endpoint) rest() bool {
	return e.MAC != "" && !isMAC(e.MAC) || e.Switch != "" || e.SwitchPort != "" || e.World != "" ||
		e.Category != "" || e.NameVia != "" || e.NameAge != 0
}

// appendRest appends what appendMembers has no place for.
func (e *Endpoint) appendRest(dst []byte) []byte {
	if !isMAC(e.MAC) {
		dst = appendText(dst, `"mac":`, e.MAC)
	}
	dst = appendText(dst, `"switch":`, e.Switch)
	dst = appendText(dst, `"switch_port":`, e.SwitchPort)
	dst = appendText(dst, `"world":`, e.World)
	dst = appendText(dst, `"category":`, e.Category)
	dst = appendText(dst, `"hostname_via":`, e.NameVia)
	if e.NameAge != 0 {
		dst = appendInt(dst, `"hostname_age_seconds":`, int64(e.NameAge))
	}
	return dst
}

// isMAC says that s has the form of OCSF's mac_t: six pairs of hex digits,
// with colons or dashes between.
func isMAC(s string) bool {
	if len(s) != 17 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i%3 == 2 {
			if c != ':' && c != '-' {
				return false
			}
		} else if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
			return false
		}
	}
	return true
}

func (e *Event) appendConnection(dst []byte) []byte {
	if e.Direction != 0 || e.Protocol != 0 || e.TCPFlags != 0 {
		dst = append(dst, `"connection_info":{`...)
		dst = closeMember(e.appendConnectionInfo(dst))
	}
	if e.Traffic.Known {
		dst = append(dst, `"traffic":{`...)
		dst = closeMember(e.Traffic.appendMembers(dst))
	}
	return dst
}

func (e *Event) appendConnectionInfo(dst []byte) []byte {
	dst = appendInt(dst, `"direction_id":`, int64(knownOr(uint8(e.Direction), 4)))
	dst = appendCount(dst, `"protocol_num":`, int64(e.Protocol))
	dst = append(dst, protocolName(e.Protocol)...)
	return appendCount(dst, `"tcp_flags":`, int64(e.TCPFlags))
}

// protocolName is the member with the IANA name of a protocol that firewalls
// and flow records often name.
func protocolName(number uint8) string {
	switch number {
	case 1:
		return `"protocol_name":"icmp",`
	case 2:
		return `"protocol_name":"igmp",`
	case 6:
		return `"protocol_name":"tcp",`
	case 17:
		return `"protocol_name":"udp",`
	case 47:
		return `"protocol_name":"gre",`
	case 50:
		return `"protocol_name":"esp",`
	case 51:
		return `"protocol_name":"ah",`
	case 58:
		return `"protocol_name":"ipv6-icmp",`
	case 132:
		return `"protocol_name":"sctp",`
	}
	return ""
}

func (t *Traffic) appendMembers(dst []byte) []byte {
	dst = appendInt(dst, `"bytes_in":`, t.BytesIn)
	dst = appendInt(dst, `"bytes_out":`, t.BytesOut)
	dst = appendCount(dst, `"packets_in":`, t.PacketsIn)
	return appendCount(dst, `"packets_out":`, t.PacketsOut)
}

// appendURL appends an absolute URL whole, and anything else as a path.
func appendURL(dst []byte, url string) []byte {
	if strings.Contains(url, "://") {
		return appendObject(dst, `"url":{`, `"url_string":`, url)
	}
	return appendObject(dst, `"url":{`, `"path":`, url)
}

func (e *Event) appendHTTP(dst []byte, class Class) []byte {
	start := len(dst)
	dst = append(dst, `"http_request":{`...)
	if isMethod(e.HTTP.Method) {
		dst = appendText(dst, `"http_method":`, e.HTTP.Method)
	}
	dst = appendURL(dst, e.URL)
	dst = e.HTTP.appendRequest(dst)
	// HTTP Activity needs a request or a response, be it empty.
	if dst[len(dst)-1] == '{' && (class != HTTPActivity || e.HTTP.Status != 0) {
		dst = dst[:start]
	} else {
		dst = closeMember(dst)
	}
	if e.HTTP.Status != 0 {
		dst = append(dst, `"http_response":{`...)
		dst = closeMember(appendInt(dst, `"code":`, int64(e.HTTP.Status)))
	}
	return dst
}

func (h *HTTP) appendRequest(dst []byte) []byte {
	dst = appendText(dst, `"user_agent":`, h.UserAgent)
	return appendText(dst, `"version":`, h.Version)
}

// isMethod says that OCSF takes this method of a request.
func isMethod(s string) bool { return MethodActivity(s) != ActivityOther }

func (e *Event) appendDNS(dst []byte) []byte {
	if e.DNS.Query != "" {
		dst = append(dst, `"query":{`...)
		dst = closeMember(e.DNS.appendQuery(dst))
	}
	dst = appendText(dst, `"rcode":`, e.DNS.RCode)
	return e.DNS.appendAnswers(dst)
}

func (d *DNS) appendQuery(dst []byte) []byte {
	dst = appendText(dst, `"hostname":`, d.Query)
	return appendText(dst, `"type":`, d.Type)
}

func (d *DNS) appendAnswers(dst []byte) []byte {
	if len(d.Answers) == 0 {
		return dst
	}
	dst = append(dst, `"answers":[`...)
	for _, ip := range d.Answers {
		dst = append(dst, `{"rdata":"`...)
		if ip.IsValid() {
			dst = appendAddrText(dst, ip)
		}
		dst = append(dst, `"},`...)
	}
	return append(closeArray(dst), ',')
}
