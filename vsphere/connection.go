package vsphere

import (
	"strconv"
	"strings"

	"github.com/vegress/vegress/event"
)

// Vmacore writes a socket as <io_obj p:0x.., h:8, <TCP 'local : port'>,
// <TCP 'peer : port'>>, newer builds with t:CLASS for p:; SSL(...) may be
// around it. A connection that is not there yet is <resolver p:.., 'HOST:PORT',
// next:<TCP 'ip : port'>> or <cs p:.., TCP:HOST:PORT>.

// sockets reads the two ends of the first io_obj in text; local comes first.
func sockets(text string, local, peer *event.Endpoint) bool {
	first, rest, ok := socket(text)
	if !ok {
		return false
	}
	second, _, ok := socket(rest)
	return ok && setSocket(local, first) && setSocket(peer, second)
}

// setSocket is SetEndpoint for an end of a socket. One that was gone before it
// was asked for its name is 0.0.0.0:0; it stays empty.
func setSocket(ep *event.Endpoint, s string) bool {
	if !SetEndpoint(ep, s) {
		return false
	}
	if ep.Port == 0 && ep.IP.IsUnspecified() {
		*ep = event.Endpoint{}
	}
	return true
}

// socket cuts the first <TCP 'address : port'> out of text.
func socket(text string) (end, rest string, ok bool) {
	const open = "<TCP '"
	i := strings.Index(text, open)
	if i < 0 {
		return "", "", false
	}
	text = text[i+len(open):]
	j := strings.IndexByte(text, '\'')
	if j < 0 {
		return "", "", false
	}
	return text[:j], text[j+1:], true
}

// recognizeConnection takes the lines in which an agent says what became of a
// TCP connection. Src is who opened it.
func recognizeConnection(text string, ev *event.Event) bool {
	angle := strings.IndexByte(text, '<')
	if angle < 0 {
		return recognizeHostPort(text, ev) || recognizeLocalPeer(text, ev)
	}
	var local, peer event.Endpoint
	switch {
	case sockets(text[angle:], &local, &peer):
	case resolver(text[angle:], &peer), connectionSpec(text[angle:], &peer):
		local = DeviceEndpoint(ev)
	default:
		return false
	}
	ev.Class, ev.Protocol = event.NetworkActivity, ProtocolTCP
	if local.IsZero() {
		local = DeviceEndpoint(ev)
	}
	if isServerSide(text[:angle], &local, &peer) {
		ev.Src, ev.Dst, ev.Direction = peer, local, event.DirectionInbound
	} else {
		ev.Src, ev.Dst, ev.Direction = local, peer, event.DirectionOutbound
	}
	connectedTo(text[:angle], ev)
	connectionOutcome(text[:angle], text[angle:], ev)
	soapCall(text[angle:], ev)
	if ev.URL == "" {
		ev.URL = FindURL(text[angle:])
	}
	return true
}

// soapCall reads what was called over a connection: "<SSL(...), /vpxa>, method:
// waitForUpdates; code: 500(Internal Server Error)", "[<SSL(...), /sdk>]:
// exportVm". An answer came, so it is HTTP Activity.
func soapCall(text string, ev *event.Event) {
	path, rest, ok := requestPath(text)
	if !ok {
		return
	}
	ev.URL = path
	method, ok := Between(rest, "method: ", ";")
	if !ok {
		if method, ok = strings.CutPrefix(rest, "]: "); !ok {
			return
		}
		method, _ = Word(method)
	}
	ev.Class, ev.Activity, ev.Operation = event.HTTPActivity, event.ActivityOther, strings.TrimRight(method, ",.")
	if _, code, ok := strings.Cut(rest, "code: "); ok {
		status, reason, _ := strings.Cut(code, "(")
		SetHTTP(ev, "", "", status)
		reason, _, _ = strings.Cut(reason, ")")
		AddIf(ev, FieldError, reason)
	} else {
		ev.Status = event.StatusFailure // a fault
	}
}

// requestPath cuts the ", /path>" that closes a stream to a service.
func requestPath(text string) (path, rest string, ok bool) {
	i := strings.Index(text, ", /")
	if i <= 0 || text[i-1] != '>' && text[i-1] != ')' {
		return "", "", false
	}
	path, rest, ok = strings.Cut(text[i+len(", "):], ">")
	return path, rest, ok && strings.IndexByte(path, ' ') < 0
}

// ProtocolTCP and its siblings are IANA protocol numbers.
const (
	ProtocolICMP   = 1
	ProtocolTCP    = 6
	ProtocolUDP    = 17
	ProtocolICMPv6 = 58
)

// DeviceEndpoint is the machine that wrote the record, as an end of a
// connection.
func DeviceEndpoint(ev *event.Event) event.Endpoint {
	return event.Endpoint{IP: ev.Device.IP, Hostname: ev.Device.Hostname}
}

// resolver reads <resolver p:.., 'HOST:PORT', next:<TCP 'ip : port'>>.
func resolver(text string, peer *event.Endpoint) bool {
	spec, ok := Between(text, "<resolver ", ">")
	if !ok {
		return false
	}
	target, ok := Between(spec, "'", "'")
	if !ok || !SetEndpoint(peer, target) {
		return false
	}
	if next, _, ok := socket(text); ok {
		name := peer.Hostname
		SetEndpoint(peer, next)
		peer.Hostname = name
	}
	return true
}

// connectionSpec reads <cs p:.., TCP:HOST:PORT>.
func connectionSpec(text string, peer *event.Endpoint) bool {
	spec, ok := Between(text, "<cs p:", ">")
	if !ok {
		return false
	}
	_, target, ok := strings.Cut(spec, "TCP:")
	return ok && SetEndpoint(peer, target)
}

// isServerSide says that the writer of the line is the one that was connected
// to: by its words, else by the ports, of which a server's is the lower.
func isServerSide(words string, local, peer *event.Endpoint) bool {
	switch {
	case strings.Contains(words, "onnected to"), strings.Contains(words, "to connect"),
		strings.Contains(words, "onnect failed"), strings.Contains(words, "(client)"):
		return false
	case strings.Contains(words, "(server)"), strings.Contains(words, "client"), strings.Contains(words, "ccept"),
		strings.Contains(words, "further requests"), strings.Contains(words, "read request"), strings.Contains(words, "send response"):
		return true
	}
	return peer.IsZero() || local.Port != 0 && local.Port < peer.Port // a client knows where it went
}

// connectedTo reads "Connected to localhost:8307 (/sdk) over".
func connectedTo(words string, ev *event.Event) {
	_, target, ok := strings.Cut(words, "onnected to ")
	if !ok {
		return
	}
	name, rest := Word(target)
	var named event.Endpoint
	if SetEndpoint(&named, name) && named.Hostname != "" && named.Port == ev.Dst.Port {
		ev.Dst.Hostname = named.Hostname
	}
	if path, ok := Between(rest, "(", ")"); ok && strings.HasPrefix(path, "/") {
		ev.URL = path
	}
}

// recognizeHostPort takes "Connection to localhost:9096 (/vsan) failed with
// error ...".
func recognizeHostPort(text string, ev *event.Event) bool {
	rest, ok := strings.CutPrefix(text, "Connection to ")
	if !ok {
		return false
	}
	target, rest := Word(rest)
	var dst event.Endpoint
	if !SetEndpoint(&dst, target) || dst.Port == 0 && !dst.IP.IsValid() && !isFQDN(dst.Hostname) {
		return false
	}
	ev.Dst = dst
	ev.Class, ev.Protocol = event.NetworkActivity, ProtocolTCP
	ev.Src, ev.Direction = DeviceEndpoint(ev), event.DirectionOutbound
	if path, ok := Between(rest, "(", ")"); ok && strings.HasPrefix(path, "/") {
		ev.URL = path
	}
	if _, reason, ok := strings.Cut(rest, "failed with error "); ok {
		ev.Activity, ev.Status = event.NetworkFail, event.StatusFailure
		ev.Add(FieldError, reason)
	}
	return true
}

// recognizeLocalPeer takes the ways in which older builds write a socket:
// "TCP(local=10.0.0.1:443, peer=10.0.0.5:51000)", "TCPStreamWin32(socket=TCP(
// fd=-1) local=10.0.0.1:443,  peer=10.0.0.5:51000)", SSL(...) around it or not.
func recognizeLocalPeer(text string, ev *event.Event) bool {
	i := strings.Index(text, "TCP")
	if i < 0 {
		return false
	}
	ends, ok := Between(text[i:], "local=", ")")
	if !ok {
		return false
	}
	first, second, ok := strings.Cut(ends, ",")
	second, isPeer := strings.CutPrefix(skipBlanks(second), "peer=")
	var local, peer event.Endpoint
	if !ok || !isPeer || !SetEndpoint(&local, first) || !SetEndpoint(&peer, second) {
		return false
	}
	ev.Class, ev.Protocol = event.NetworkActivity, ProtocolTCP
	ev.Src, ev.Dst, ev.Direction = local, peer, event.DirectionOutbound
	if isServerSide(text[:i], &local, &peer) {
		ev.Src, ev.Dst, ev.Direction = peer, local, event.DirectionInbound
	}
	connectionOutcome(text[:i], text[i:], ev)
	return true
}

// connectionOutcome reads the verb in front of the socket and the error
// behind it.
func connectionOutcome(words, rest string, ev *event.Event) {
	code, reason := connectionError(rest)
	if _, number := ParseUint(code); number {
		AddNumber(ev, fieldErrorCode, code)
	} else {
		AddIf(ev, fieldErrorClass, code)
	}
	AddIf(ev, FieldError, reason)
	if d, ok := Between(rest, "duration: ", "msec"); ok {
		AddNumber(ev, FieldDuration, d)
	} else if d, ok := Between(rest, "duration: ", " (hh:mm:ss"); ok {
		clockDuration(d, ev)
	}
	ev.Activity = connectionActivity(words, reason)
	switch ev.Activity {
	case event.NetworkFail, event.NetworkReset:
		ev.Status = event.StatusFailure
	case event.NetworkOpen:
		if !strings.Contains(words, "ttempt") {
			ev.Status = event.StatusSuccess
		}
	default:
		if reason != "" {
			ev.Status = event.StatusFailure
		}
	}
}

// clockDuration takes "00:00:48.086225" as milliseconds.
func clockDuration(s string, ev *event.Event) {
	hours, s, _ := strings.Cut(s, ":")
	minutes, s, ok := strings.Cut(s, ":")
	seconds, fraction, _ := strings.Cut(s, ".")
	h, okH := ParseUint(hours)
	m, okM := ParseUint(minutes)
	sec, okS := ParseUint(seconds)
	if !ok || !okH || !okM || !okS || h > 1e6 || m > 59 || sec > 59 {
		return
	}
	ms, _ := ParseUint((fraction + "000")[:3])
	ev.AddNumber(FieldDuration, strconv.FormatUint(((h*60+m)*60+sec)*1000+ms, 10))
}

func connectionActivity(words, reason string) event.Activity {
	switch {
	case strings.Contains(words, "onnect failed"), strings.Contains(words, "to connect"),
		strings.Contains(words, "pooled connection"), strings.Contains(words, "andshake"), strings.Contains(words, "to resolve"):
		return event.NetworkFail
	case strings.Contains(reason, "eset by peer"):
		return event.NetworkReset
	case strings.Contains(words, "onnected to"), strings.Contains(words, "New proxy client"),
		strings.Contains(words, "Starting"), strings.Contains(words, "ttempting"), strings.Contains(words, "ccepted"):
		return event.NetworkOpen
	case reason != "", strings.Contains(words, "timed out"), strings.Contains(words, "shutdown"), strings.Contains(words, "losed"):
		return event.NetworkClose
	}
	return event.ActivityOther
}

// connectionError reads "e: 113(No route to host)", "last e: 0(Success)",
// "error: Class(text)", or a bare "N7Vmacore15SystemExceptionE(text)". The text
// may hold brackets of its own.
func connectionError(s string) (code, reason string) {
	if i := strings.Index(s, " e: "); i >= 0 {
		s = s[i+4:]
	} else if i = strings.Index(s, "error: "); i >= 0 {
		s = s[i+7:]
	} else if i = strings.Index(s, " N7Vmacore"); i >= 0 {
		s = s[i+1:]
	} else {
		return "", ""
	}
	open := strings.IndexByte(s, '(')
	if open < 0 {
		return "", s
	}
	if s[:open] == "0" { // Success: there was no error yet
		return "", ""
	}
	return s[:open], bracketed(s[open:])
}

// bracketed gives what stands between the bracket that opens s and the one
// that closes it; all of s when none does.
func bracketed(s string) string {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return s[1:i]
			}
		}
	}
	return s[1:]
}

// recognizeActivation takes what hostd, vpxd and their plug-ins log of a call:
// "Activation finished; <<uuid, <TCP 'l'>, <TCP 'p'>>, session[..].., method>".
// An exception may follow; that of a login is a failed one.
func recognizeActivation(text string, ev *event.Event) bool {
	i := strings.Index(text, "<<")
	if i < 0 || !isSessionID(text[i+2:]) || !sockets(text[i:], &ev.Dst, &ev.Src) {
		return false
	}
	ev.Class, ev.Direction = event.APIActivity, event.DirectionInbound
	ev.Protocol, ev.Service = ProtocolTCP, ev.LogName
	j := strings.Index(text[i:], ">>, ")
	if j < 0 {
		return true
	}
	object, method, _ := strings.Cut(text[i+j+4:], ", ")
	rest := ""
	if k := strings.IndexAny(method, ">,"); k >= 0 {
		method, rest = method[:k], method[k:]
	}
	if strings.HasPrefix(object, "session[") {
		ev.Session = sessionID(object)
	} else {
		ev.Resource = object
	}
	SetMethod(ev, method)
	activationFailed(rest, ev)
	return true
}

// isSessionID says that s begins with the id of a session, as of a call, and
// not with a stream: "SSL(<io_obj ...", "cs p:...".
func isSessionID(s string) bool {
	end := strings.IndexByte(s, ',')
	return end > 0 && !strings.ContainsAny(s[:end], " (:<")
}

// activationFailed reads ">, N3Vim5Fault12InvalidLogin9ExceptionE(Fault cause:
// vim.fault.InvalidLogin".
func activationFailed(rest string, ev *event.Event) {
	_, fault, ok := strings.Cut(rest, ">, N")
	if !ok {
		return
	}
	ev.Status = event.StatusFailure
	if _, cause, ok := strings.Cut(fault, "Fault cause: "); ok {
		if k := strings.IndexAny(cause, ")\n\\ "); k >= 0 {
			cause = cause[:k]
		}
		AddIf(ev, FieldError, cause)
	}
	if len(ev.Operation) >= len(loginMethod) && strings.EqualFold(ev.Operation[:len(loginMethod)], loginMethod) {
		ev.Class, ev.Activity = event.Authentication, event.AuthLogon
	}
}

// sessionID reads "session[uuid]uuid", where the second is the object's.
func sessionID(s string) string {
	_, id, ok := strings.Cut(s, "]")
	if !ok {
		return s
	}
	return id
}
