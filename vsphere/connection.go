package vsphere

import (
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
	return ok && SetEndpoint(local, first) && SetEndpoint(peer, second)
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
	if isServerSide(text[:angle], &local, &peer) {
		ev.Src, ev.Dst, ev.Direction = peer, local, event.DirectionInbound
	} else {
		ev.Src, ev.Dst, ev.Direction = local, peer, event.DirectionOutbound
	}
	connectedTo(text[:angle], ev)
	connectionOutcome(text[:angle], text[angle:], ev)
	return true
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
	case strings.Contains(words, "(server)"), strings.Contains(words, "client"), strings.Contains(words, "ccept"):
		return true
	}
	return local.Port != 0 && local.Port < peer.Port
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
	var peer event.Endpoint
	if !SetEndpoint(&peer, target) || !peer.IP.IsValid() && peer.Port == 0 && !isFQDN(peer.Hostname) {
		return false
	}
	ev.Dst = peer
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

// recognizeLocalPeer takes the way in which older builds write a socket:
// "TCP(local=10.0.0.1:443, peer=10.0.0.5:51000)", SSL(...) around it or not.
func recognizeLocalPeer(text string, ev *event.Event) bool {
	i := strings.Index(text, "TCP(local=")
	if i < 0 {
		return false
	}
	ends, ok := Between(text[i:], "TCP(local=", ")")
	if !ok {
		return false
	}
	first, second, ok := strings.Cut(ends, ", peer=")
	var local, peer event.Endpoint
	if !ok || !SetEndpoint(&local, first) || !SetEndpoint(&peer, second) {
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

func connectionActivity(words, reason string) event.Activity {
	switch {
	case strings.Contains(words, "onnect failed"), strings.Contains(words, "to connect"),
		strings.Contains(words, "pooled connection"), strings.Contains(words, "andshake"):
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

// recognizeActivation takes what hostd and its plug-ins log of a call:
// "Activation finished; <<uuid, <TCP 'l'>, <TCP 'p'>>, session[..].., method>".
func recognizeActivation(text string, ev *event.Event) bool {
	i := strings.Index(text, "<<")
	if i < 0 || !strings.Contains(text[:i], "ctivation") {
		return false
	}
	if !sockets(text[i:], &ev.Dst, &ev.Src) {
		return false
	}
	ev.Class, ev.Direction = event.APIActivity, event.DirectionInbound
	ev.Protocol, ev.Service = ProtocolTCP, ev.LogName
	j := strings.Index(text[i:], ">>, ")
	if j < 0 {
		return true
	}
	object, method, _ := strings.Cut(text[i+j+4:], ", ")
	if k := strings.IndexByte(method, '>'); k >= 0 {
		method = method[:k]
	}
	if strings.HasPrefix(object, "session[") {
		ev.Session = sessionID(object)
	} else {
		ev.Resource = object
	}
	SetMethod(ev, method)
	return true
}

// sessionID reads "session[uuid]uuid", where the second is the object's.
func sessionID(s string) string {
	_, id, ok := strings.Cut(s, "]")
	if !ok {
		return s
	}
	return id
}
