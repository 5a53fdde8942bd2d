package vsphere

import (
	"net/netip"
	"strings"

	"github.com/vegress/vegress/event"
)

// role is the part that an address plays in the sentence that names it.
type role uint8

const (
	roleNone   role = iota
	roleSource      // who came: "from 10.0.0.5", "client ip 10.0.0.5"
	roleTarget      // who was gone to: "to 10.0.0.5:443", "at 10.0.0.5"
	roleClient      // a source by its noun, whatever stands before that
)

// maxBack bounds the words before an address that are looked at.
const maxBack = 5

// roleBefore reads the words that stand before an address. Nouns that say
// what it is ("to the remote host 10.0.0.5") are passed over, and one word that
// is not known ("to witness 10.0.0.5").
func roleBefore(text string) role {
	noun, unknown := roleNone, 0
	for range maxBack {
		text = strings.TrimRight(text, " \t<([{'\"=:-")
		start := len(text)
		for start > 0 && isWordByte(text[start-1]) {
			start--
		}
		if start == len(text) {
			break
		}
		r, known := roleOf(text[start:])
		switch {
		case strings.HasPrefix(text[start:], "vmk"): // the host's own adapter
			return roleNone
		case known && r != roleNone:
			return decided(text[:start], text[start:], r, noun, unknown)
		case known:
		default:
			r = nounRole(text[start:])
			if noun == roleNone {
				noun = r
			}
			if r == roleNone {
				unknown++
			}
		}
		text = text[:start]
	}
	return byNoun(noun)
}

// byNoun is the part that a noun alone gives.
func byNoun(noun role) role {
	if noun == roleClient {
		return roleSource
	}
	return noun
}

// decided weighs the word that decides (r) against what stands around it: a
// client is who came even where something is sent "to" it, a server who was gone to
// even where something comes "from" it, what is "set to" an address has it, and
// of two unknown words between only those about a connection are believed.
func decided(before, word string, r, noun role, unknown int) role {
	before = strings.TrimRight(before, " ")
	switch {
	case unknown > 1 && !endsAny(before, "onnection", "onnect", "onnected", "onnecting"),
		noun == roleClient,
		noun == roleTarget && !endsAny(before, "onnection", "onnected", "ccepted"):
		return byNoun(noun)
	case word == "to" && endsAny(before, " set", "hanged", " bound", "ssigned"):
		return roleNone
	}
	return r
}

func endsAny(s string, ends ...string) bool {
	for _, end := range ends {
		if strings.HasSuffix(s, end) {
			return true
		}
	}
	return false
}

func isWordByte(c byte) bool { return isDigit(c) || c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }

// roleOf knows the words that decide, and (with roleNone) those that only say
// that an address follows.
func roleOf(word string) (role, bool) {
	switch {
	case foldAny(word, "from", "by", "src", "source", "rhost", "clientip", "remoteip", "srcip", "remote_ip", "client_ip", "src_ip", "srcmgmtip", "remote_address", "client_address", "clientipaddress", "clientaddress", "remoteaddress"):
		return roleSource, true
	case foldAny(word, "to", "at", "with", "dst", "dest", "destination", "target", "traddr", "reach", "against", "dstip", "dstmgmtip"):
		return roleTarget, true
	case foldAny(word, "ip", "address", "addr", "ipaddress", "host", "hostname", "the", "peer", "node", "ipv4", "ipv6", "port", "gateway", "tcp", "udp", "nfs", "iscsi"):
		return roleNone, true
	}
	return roleNone, false
}

// nounRole is the part that a noun stands for when no word before it decides.
func nounRole(word string) role {
	switch {
	case foldAny(word, "client", "initiator"):
		return roleClient
	case foldAny(word, "remote"):
		return roleSource
	case foldAny(word, "server", "controller"):
		return roleTarget
	}
	return roleNone
}

func foldAny(s string, words ...string) bool {
	for _, w := range words {
		if len(w) == len(s) && strings.EqualFold(s, w) {
			return true
		}
	}
	return false
}

// maxAddresses bounds the address fields of one event.
const maxAddresses = 4

// changes are what a text says in which "from" and "to" are no ends of a
// connection: an address or a version became another.
var changes = [...]string{"hanged", "oved from", "ersion", "pgrad", "esolved to"}

// addresses puts each address (with its port) in text where the words before
// it say that it belongs: into Src or Dst when that is still free, else into a
// field.
func addresses(text string, ev *event.Event) {
	plain := false
	for n, from := 0, 0; n < maxAddresses; n++ {
		start, end, found := nextAddress(text, from)
		if end == 0 {
			return
		}
		from = end
		if n == 0 {
			plain = containsAny(text, changes[:])
		}
		before := text[:start]
		name := nameBefore(before)
		before = strings.TrimSuffix(before[:len(before)-len(name)], "/")
		r := roleNone
		if !plain || found.Port != 0 {
			if r = roleAround(before, text[end:]); r == roleNone && name != "" && strings.Contains(text, "onnect") {
				r = roleTarget // Java's "Connection refused: name/address:port"
			}
		}
		if start > 0 && text[start-1] == '@' {
			r = roleSource
			accountBefore(text[:start-1], ev)
		}
		if take(r, found, ev) {
			if r == roleTarget && name != "" && ev.Dst.Hostname == "" {
				ev.Dst.Hostname = name
			}
		} else if !isEnd(found, ev) {
			mention(text[start:end], found, ev)
		}
	}
}

// roleAround looks at what joins two addresses ("A -> B", "A connected to B")
// before it looks at the words.
func roleAround(before, after string) role {
	const marks = " \t<>[]()'\""
	switch b, a := strings.TrimRight(before, marks), strings.TrimLeft(after, marks); {
	case strings.HasSuffix(b, "-"), strings.HasSuffix(b, "="): // the ">" of an arrow is among the marks
		if i := len(b); i < len(before) && before[i] == '>' {
			return roleTarget
		}
	case strings.HasSuffix(b, "istening on"):
		return roleTarget
	case strings.HasPrefix(a, "->"), strings.HasPrefix(a, "=>"), strings.HasPrefix(a, "connected to "), strings.HasPrefix(a, "connecting to "):
		return roleSource
	}
	return roleBefore(before)
}

// nameBefore is the name in "name/" at the end of text.
func nameBefore(text string) string {
	text, ok := strings.CutSuffix(text, "/")
	if !ok {
		return ""
	}
	start := len(text)
	for start > 0 && (isWordByte(text[start-1]) || text[start-1] == '.' || text[start-1] == '-') {
		start--
	}
	return text[start:]
}

// mention adds a field for an address, as it stands or, where a bracket is
// within, as it is usually written; once.
func mention(text string, found event.Endpoint, ev *event.Event) {
	if strings.IndexByte(text, ']') >= 0 {
		text = netip.AddrPortFrom(found.IP, found.Port).String()
	}
	for i := range ev.Fields {
		if ev.Fields[i].ID == FieldAddress && ev.Fields[i].Value == text {
			return
		}
	}
	ev.Add(FieldAddress, text)
}

// mentions adds a field for each address in text that is no end of ev's
// connection.
func mentions(text string, ev *event.Event) {
	for n, from := 0, 0; n < maxAddresses; n++ {
		start, end, found := nextAddress(text, from)
		if end == 0 {
			return
		}
		from = end
		if !isEnd(found, ev) {
			mention(text[start:end], found, ev)
		}
	}
}

// isEnd says that found is an end of ev's connection already.
func isEnd(found event.Endpoint, ev *event.Event) bool {
	for _, ep := range [...]*event.Endpoint{&ev.Src, &ev.Dst} {
		if ep.IP == found.IP && (found.Port == 0 || found.Port == ep.Port) {
			return true
		}
	}
	return false
}

// take makes found the end of the connection that r says; false: r says none,
// or another address has that part.
func take(r role, found event.Endpoint, ev *event.Event) bool {
	var ep *event.Endpoint
	switch r {
	case roleSource:
		ep = &ev.Src
	case roleTarget:
		ep = &ev.Dst
	default:
		return false
	}
	if ep.IP.IsValid() {
		return ep.IP == found.IP && (found.Port == 0 || found.Port == ep.Port)
	}
	ep.IP = found.IP
	if found.Port != 0 {
		ep.Port = found.Port
	}
	return true
}

// accountBefore takes the name in "name@address".
func accountBefore(text string, ev *event.Event) {
	start := strings.LastIndexAny(text, " \t'\"=(<[,:") + 1
	if ev.User.Name == "" && start < len(text) {
		ev.User = ParseUser(text[start:])
	}
}

// nextAddress finds the first address in text[from:], and where it stands with
// its port; end 0: there is none.
func nextAddress(text string, from int) (start, end int, found event.Endpoint) {
	start, end, found = nextIPv4(text, from)
	if s, e, v6 := nextIPv6(text, from); e != 0 && (end == 0 || s < start) {
		return s, e, v6
	}
	return start, end, found
}

func nextIPv4(text string, from int) (start, end int, found event.Endpoint) {
	for i := from; ; i++ {
		dot := strings.IndexByte(text[i:], '.')
		if dot < 0 {
			return 0, 0, found
		}
		i += dot
		start = i
		for start > from && i-start < 3 && isDigit(text[start-1]) {
			start--
		}
		slash := start > 0 && text[start-1] == '/'
		if start == i || start > 0 && !slash && (isDigit(text[start-1]) || isNamePart(text[start-1])) ||
			strings.HasSuffix(text[:start], "ersion ") {
			continue
		}
		addr, length := parseIPv4(text[start:])
		if length == 0 {
			continue
		}
		found.IP, found.Port, end = addr, 0, start+length
		end += portAfter(text[end:], &found)
		if slash && found.Port == 0 && !isFQDN(nameBefore(text[:start])) { // a path, or a version
			continue
		}
		return start, end, found
	}
}

// nextIPv6 wants two colons side by side or a group of three or four digits:
// the names of Fibre Channel ports and MAC addresses are no addresses.
func nextIPv6(text string, from int) (start, end int, found event.Endpoint) {
	for i := from; ; {
		colon := strings.IndexByte(text[i:], ':')
		if colon < 0 {
			return 0, 0, found
		}
		if i += colon; i+1 < len(text) && text[i+1] == ' ' { // "Module: text"
			i++
			continue
		}
		start, end = i, i
		for start > from && i-start < 4 && isHex(text[start-1]) {
			start--
		}
		for end < len(text) && (isHex(text[end]) || text[end] == ':' || text[end] == '.') {
			end++
		}
		token := strings.TrimRight(text[start:end], ":.")
		if len(token) > 2 && (start == 0 || !isWordByte(text[start-1]) && !isNamePart(text[start-1])) &&
			(start+len(token) == len(text) || !isWordByte(text[start+len(token)])) && hasLongGroup(token) {
			if addr, ok := ParseAddr(token); ok && addr.Is6() {
				found.IP, end = addr, start+len(token)
				end += portAfter(text[end:], &found)
				return start, end, found
			}
		}
		i = max(end, i+1)
	}
}

func hasLongGroup(s string) bool {
	digits := 0
	for i := 0; i < len(s); i++ {
		if s[i] == ':' {
			digits = 0
			continue
		}
		if digits++; digits > 2 {
			return true
		}
	}
	return strings.Contains(s, "::")
}

// portAfter reads ":443", "]:443", " port 443" and the like behind an address, and says
// how long that is.
func portAfter(s string, ep *event.Endpoint) int {
	i := 0
	switch {
	case strings.HasPrefix(s, "]:"):
		i = len("]:")
	case strings.HasPrefix(s, ":"):
		i = len(":")
	case strings.HasPrefix(s, "("): // PostgreSQL's "10.0.0.5(41000)"
		if end := strings.IndexByte(s[:min(len(s), 7)], ')'); end > 1 {
			if port, ok := ParsePort(s[1:end]); ok {
				ep.Port = port
				return end + 1
			}
		}
		return 0
	default:
		for _, words := range [...]string{" port ", " : ", ", port: ", ", port ", " port: ", " port="} {
			if strings.HasPrefix(s, words) {
				i = len(words)
			}
		}
		if i == 0 {
			return 0
		}
	}
	n := i
	for n < len(s) && n < i+5 && isDigit(s[n]) {
		n++
	}
	port, ok := ParsePort(s[i:n])
	if !ok {
		return 0
	}
	ep.Port = port
	return n
}

// namedPeers are the words that a peer's name follows, behind "onnect".
var namedPeers = [...]struct {
	mark string
	role role
}{
	{" to ", roleTarget},
	{"ed to ", roleTarget},
	{"ing to ", roleTarget},
	{"ion to ", roleTarget},
	{"ion with ", roleTarget},
	{"ion from ", roleSource},
}

// afterPeerWords gives what follows the first of each of namedPeers in text;
// empty: text has it not, or ends with it. The text is searched once for what
// all of them begin with.
func afterPeerWords(text string) (rests [len(namedPeers)]string, any bool) {
	const stem = "onnect"
	for {
		i := strings.Index(text, stem)
		if i < 0 {
			return rests, any
		}
		text = text[i+len(stem):]
		for k := range namedPeers {
			if rest, ok := strings.CutPrefix(text, namedPeers[k].mark); ok && rests[k] == "" {
				rests[k], any = rest, true
			}
		}
	}
}

// peerNouns are the words before the name of a target in a text about a failure
// that has no "connect"; what must stand before them. They are looked for by
// their rare letters.
var peerNouns = [...]struct{ before, mark string }{
	{"ser", "ver "},    // server
	{"sol", "ve host"}, // resolve host 'x', resolve host: x
	{" ", "ping "},
}

// loginWords are what a text says that is about a login.
var loginWords = [...]string{"uthenticating user", "ogin failed", "ailed login", "ailed to log", "ailed to authenticate", "uthentication fail", "ogin succe", "uthenticated user", "uthentication succe", "ogin attempt", "ailed authentication"}

// authentication makes a text about the login of a named account one.
func authentication(text string, ev *event.Event) {
	if ev.Class != event.BaseEvent || !containsAny(text, loginWords[:]) {
		return
	}
	status := event.StatusSuccess
	switch {
	case containsAny(text, failures[:]):
		status = event.StatusFailure
	case strings.Contains(text, "uthenticating"), strings.Contains(text, "ttempt"):
		status = event.StatusUnknown
	}
	logon(ev, event.AuthLogon, status)
}

// RecognizeLogin takes a text that is about a login, in whatever words.
func RecognizeLogin(text string, ev *event.Event) bool {
	if !containsAny(text, loginWords[:]) {
		return false
	}
	addresses(text, ev)
	if account(text, ev) {
		authentication(text, ev)
	}
	return ev.Class != event.BaseEvent
}

// maxNouns bounds the words between such words and the name.
const maxNouns = 3

// namedPeer takes a peer that is named by its host name, with or without its
// address: "Failed to connect to domain controller dc1.example.com (10.0.0.3)",
// "Could not resolve host 'ntp.example.com'".
func namedPeer(text string, ev *event.Event) {
	rests, connects := afterPeerWords(text)
	for i, rest := range rests {
		if rest == "" {
			continue
		}
		ep := &ev.Dst
		if namedPeers[i].role == roleSource {
			ep = &ev.Src
		}
		if nameAfter(rest, ep) {
			return
		}
	}
	for i := range peerNouns {
		n := &peerNouns[i]
		if !strings.Contains(text, n.mark) { // which most lines do not, and is found out faster
			continue
		}
		at := strings.LastIndex(text, n.mark)
		if !strings.HasSuffix(text[:at], n.before) || !connects && !containsAny(text, failures[:]) {
			continue
		}
		if nameAfter(text[at+len(n.mark):], &ev.Dst) {
			return
		}
	}
}

// nameAfter finds a host name among the first words of rest, and says whether
// there is one; an end that is known already stays.
func nameAfter(rest string, ep *event.Endpoint) bool {
	for range maxNouns {
		var w string
		w, rest = Word(rest)
		if strings.Contains(w, "://") {
			return false // FindURL's
		}
		var named event.Endpoint
		w = strings.Trim(w, "'\"[]()<>,;.")
		if !SetEndpoint(&named, strings.TrimRight(w, ":")) {
			continue
		}
		if named.IP.IsValid() {
			return false
		}
		if named.Hostname == "local" && strings.HasPrefix(rest, "port ") { // "to local port 8307"
			port, _ := Word(rest[len("port "):])
			named.Hostname = "localhost"
			named.Port, _ = ParsePort(port)
		}
		if named.Port != 0 || isFQDN(named.Hostname) {
			addressOfName(rest, &named)
			if ep.IsZero() {
				*ep = named
			}
			return true
		}
	}
	return false
}

// addressOfName reads the address that may follow a name in brackets.
func addressOfName(rest string, named *event.Endpoint) {
	w, _ := Word(rest)
	if len(w) < 3 || w[0] != '(' && w[0] != '[' && w[0] != '<' {
		return
	}
	var found event.Endpoint
	w = strings.Trim(w, "()[]<>,;.:")
	w = w[strings.IndexByte(w, '/')+1:] // Java: [name/address]
	if SetEndpoint(&found, w) && found.IP.IsValid() {
		named.IP = found.IP
		if found.Port != 0 {
			named.Port = found.Port
		}
	}
}

// isFQDN tells a name with a domain from a word and from a number.
func isFQDN(s string) bool {
	i := strings.LastIndexByte(s, '.')
	return i > 0 && len(s)-i > 2 && !strings.ContainsAny(s[i:], "0123456789_")
}

// networkWords turn a sentence with an end in it into one about a connection.
var networkWords = [...]string{"onnect", "esolve host", "andshake", "eartbeat", "nreachable", "eachable", "isten", "mount", "Mount ", "ogin to"}

// sentence makes a text that names who was connected to, or who connected,
// Network Activity; the other end is the device.
func sentence(text string, ev *event.Event) {
	src := ev.Src.IP.IsValid() || ev.Src.Hostname != ""
	dst := ev.Dst.IP.IsValid() || ev.Dst.Hostname != ""
	if ev.Class != event.BaseEvent || !src && !dst || !containsAny(text, networkWords[:]) {
		return
	}
	ev.Class = event.NetworkActivity
	ev.Activity, ev.Status = outcomeOf(text)
	switch {
	case ev.Activity == event.NetworkListen: // the host's own
	case !src:
		ev.Src, ev.Direction = DeviceEndpoint(ev), event.DirectionOutbound
	case !dst:
		ev.Dst, ev.Direction = DeviceEndpoint(ev), event.DirectionInbound
	}
}

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

var (
	failures  = [...]string{"ailed", "ailure", "efused", "imed out", "imeout", "nable to", "not reachable", "annot ", "ould not", "ouldn't", "nreachable", "rror", "No route"}
	closings  = [...]string{"ost connection", "isconnect", "losed", "losing", "connection lost"}
	successes = [...]string{"onnected", "stablished", "estored", "ccepted", "ecovered", "uccess", "reachable again"}
)

// outcomeOf reads what became of a connection from the words of a sentence.
func outcomeOf(text string) (event.Activity, event.Status) {
	switch {
	case containsAny(text, closings[:]):
		return event.NetworkClose, event.StatusUnknown
	case containsAny(text, failures[:]):
		return event.NetworkFail, event.StatusFailure
	case containsAny(text, successes[:]):
		return event.NetworkOpen, event.StatusSuccess
	case strings.Contains(text, "onnecting"), strings.Contains(text, "onnection from"):
		return event.NetworkOpen, event.StatusUnknown
	case strings.Contains(text, "istening on"):
		return event.NetworkListen, event.StatusUnknown
	}
	return event.ActivityOther, event.StatusUnknown
}

// account finds, in a text of no known form, the account that it names, and
// says whether ev has one of the text.
func account(text string, ev *event.Event) bool {
	if ev.User.Name != "" {
		return ev.Src.IP.IsValid()
	}
	if !namesUser(text) && !strings.Contains(text, "acct=") && !strings.Contains(text, "principal [") {
		return plainAccount(text, ev)
	}
	if who, ok := Between(text, "User {Name: ", "}"); ok {
		ev.User.Name, ev.User.Domain, _ = strings.Cut(who, ", Domain: ")
		return true
	}
	for _, mark := range [...]string{"ser '", "ser \"", "sername=", "serName=", "user=", "User=", "for user ", "acct=", "principal ", "of user ", "by user ", "user: "} {
		_, rest, ok := strings.Cut(text, mark)
		if !ok {
			continue
		}
		if q := mark[len(mark)-1]; q == '\'' || q == '"' {
			rest = text[len(text)-len(rest)-1:]
		}
		if name := accountName(rest); name != "" {
			if !setUserAtAddress(ev, name) {
				SetUser(ev, name)
			}
			return true
		}
	}
	return plainAccount(text, ev)
}

// plainAccount takes an account that only its own form shows: "user bob from
// 10.0.0.5", "Session for LAB\bob", "Authenticate(bob@vsphere.local, ...)".
func plainAccount(text string, ev *event.Event) bool {
	if _, rest, ok := strings.Cut(text, "ser "); ok {
		name := accountName(rest)
		if name != "" && strings.HasPrefix(rest[len(name):], " from ") {
			SetUser(ev, name)
			return true
		}
	}
	if strings.IndexByte(text, '\\') < 0 && strings.IndexByte(text, '@') < 0 || !containsAny(text, accountWords[:]) {
		return false
	}
	name := domainAccount(text)
	if name == "" {
		return false
	}
	SetUser(ev, name)
	return true
}

// accountWords are what a text says that is about an account.
var accountWords = [...]string{"ser", "rincipal", "ession", "uthent", "ogin", "ogging in", "ogon", "ccount", "rivilege", "ermission"}

// maxAccounts bounds the backslashes and at signs that are looked at.
const maxAccounts = 8

// domainAccount finds the first DOMAIN\name or name@domain in text that is no
// path, no address and no registry key.
func domainAccount(text string) string {
	for from, n := 0, 0; n < maxAccounts; n++ {
		i := strings.IndexAny(text[from:], `\@`)
		if i < 0 {
			return ""
		}
		i += from
		from = i + 1
		start, end := i, i+1
		for start > 0 && isAccountByte(text[start-1]) {
			start--
		}
		for end < len(text) && (isAccountByte(text[end]) || text[i] == '\\' && end == i+1 && text[end] == '\\') {
			end++
		}
		name := strings.TrimRight(text[start:end], ".")
		before, after := text[start:i], strings.TrimLeft(name[min(len(name), i-start):], `\@`)
		switch {
		case len(before) < 2 || after == "" || start > 0 && (text[start-1] == '\\' || text[start-1] == '/' || text[start-1] == ':'):
		case end < len(text) && (text[end] == '\\' || text[end] == '/' || text[end] == ':'):
		case text[i] == '@' && !isFQDN(after):
		case text[i] == '\\' && (after == "n" || after == "r" || after == "t" || strings.HasPrefix(after, "n--")): // an escape
		default:
			return name
		}
	}
	return ""
}

func isAccountByte(c byte) bool {
	return isWordByte(c) || c == '-' || c == '.' || c == '$' || c >= 0x80
}

// namesUser is false when text surely has none of account's marks with "ser":
// most texts that speak of a "server" or a "service" name no user.
func namesUser(text string) bool {
	for {
		i := strings.Index(text, "ser")
		if i < 0 || i+len("ser") == len(text) {
			return false
		}
		text = text[i+len("ser"):]
		switch text[0] {
		case ' ', '=', 'n', 'N':
			return true
		}
	}
}

// accountName cuts a name off s, quoted or up to what ends a word.
func accountName(s string) string {
	if s == "" {
		return ""
	}
	name := ""
	if q := s[0]; q == '\'' || q == '"' || q == '[' {
		if q == '[' {
			q = ']'
		}
		end := strings.IndexByte(s[1:], q)
		if end < 0 {
			return ""
		}
		name = s[1 : end+1]
	} else {
		if i := strings.Index(s, " from "); i > 0 && strings.IndexByte(s[:i], '\\') > 0 { // a name with blanks
			s = s[:i]
		} else if i := strings.IndexAny(s, " ,;)]}\t\n'\""); i >= 0 {
			s = s[:i]
		}
		name = strings.TrimRight(s, ".:")
	}
	switch name {
	case "", "-", "null", "unknown", "n/a", "<none>", "None":
		return ""
	}
	return name
}

// setUserAtAddress is SetUserAt for an address only: behind the @ of a plain
// account stands a domain.
func setUserAtAddress(ev *event.Event, s string) bool {
	i := strings.LastIndexByte(s, '@')
	if i < 0 {
		return false
	}
	addr, ok := ParseAddr(s[i+1:])
	if !ok {
		return false
	}
	ev.User = ParseUser(s[:i])
	take(roleSource, event.Endpoint{IP: addr}, ev)
	return true
}
