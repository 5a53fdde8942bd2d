package event

import "strings"

// The ids of the names that the encoder itself uses in unmapped.
const (
	idRecords FieldID = overflow + 1 + iota
	idRawEncoding
	idJustification
	idSrcEndpoint
	idDstEndpoint
	idConnection
	idTraffic
	idHTTPRequest
	idHTTPResponse
	idQuery
	idUser
	idSession
	idService
	idAPI
	idResources
	idProcess
	idFile
	idEnd // the first id that sources give
)

var ownNames = [idEnd]string{
	overflow: "other",

	idRecords:       "records",
	idRawEncoding:   "raw_encoding",
	idJustification: "justification",
	idSrcEndpoint:   "src_endpoint",
	idDstEndpoint:   "dst_endpoint",
	idConnection:    "connection_info",
	idTraffic:       "traffic",
	idHTTPRequest:   "http_request",
	idHTTPResponse:  "http_response",
	idQuery:         "query",
	idUser:          "user",
	idSession:       "session",
	idService:       "service",
	idAPI:           "api",
	idResources:     "resources",
	idProcess:       "process",
	idFile:          "file",
}

// again is what a field's name gets behind it when the encoder uses that name
// itself in the same event; so that it can be taken off again without doubt,
// a source's own name that already looks so gets it too.
const again = "_2"

// ownID is the id of a name that the encoder uses itself.
func ownID(name string) (FieldID, bool) {
	for id := idRecords; id < idEnd; id++ {
		if ownNames[id] == name {
			return id, true
		}
	}
	return 0, false
}

// looksOwn says that name is one of the encoder's, with one or more "_2"
// behind it.
func looksOwn(name string) bool {
	root := name
	for strings.HasSuffix(root, again) {
		root = strings.TrimSuffix(root, again)
	}
	_, own := ownID(root)
	return own && root != name
}

// wireKey is a field's name as it opens a member of unmapped.
func wireKey(name string) string {
	if looksOwn(name) {
		name += again
	}
	key, _ := appendString(nil, name)
	return string(append(key, ':'))
}

// sourceName is the inverse of what wireKey and unmapped.key do to a name.
func sourceName(key string) string {
	if looksOwn(key) {
		return strings.TrimSuffix(key, again)
	}
	return key
}

// unmapped writes OCSF's catch-all object, and knows which of its own names
// are taken in it.
type unmapped struct {
	dst   []byte
	names []fieldName
	taken uint32 // a bit for each id below idEnd
}

// always are the names that stand for a plain value, which a source's field of
// the same name could not be told from.
const always = 1<<idRecords | 1<<idRawEncoding

func openUnmapped(dst []byte) unmapped {
	return unmapped{dst: append(dst, `"unmapped":{`...), names: *names.list.Load(), taken: always}
}

// open begins a member that is an object; close ends it, and takes it back
// when nothing is in it.
func (u *unmapped) open(id FieldID) {
	u.dst = append(append(u.dst, u.names[id].key...), '{')
}

func (u *unmapped) close(id FieldID) {
	if u.dst[len(u.dst)-1] == '{' {
		u.dst = u.dst[:len(u.dst)-len(u.names[id].key)-1]
		return
	}
	u.dst = closeMember(u.dst)
	u.taken |= 1 << id
}

// end closes unmapped itself; mark is where it began.
func (u *unmapped) end(mark int) []byte {
	if u.dst[len(u.dst)-1] == '{' {
		return u.dst[:mark]
	}
	return closeMember(u.dst)
}

// fields writes what a source said, under the source's own names. Two or more
// fields of one name become one array.
func (u *unmapped) fields(list []Field) {
	if mayRepeat(list) {
		u.repeated(list)
		return
	}
	for i := range list {
		u.key(list[i].ID)
		u.value(&list[i])
	}
}

func (u *unmapped) key(id FieldID) {
	key := u.names[id].key
	if id < idEnd && u.taken&(1<<id) != 0 {
		u.dst = append(append(u.dst, key[:len(key)-2]...), again+`":`...)
		return
	}
	u.dst = append(u.dst, key...)
}

func (u *unmapped) value(f *Field) {
	switch {
	case f.Kind == KindNull:
		u.dst = append(u.dst, "null,"...)
	case f.Kind == KindNumber && isNumber(f.Value), f.Kind == KindBool && (f.Value == "true" || f.Value == "false"):
		u.dst = append(append(u.dst, f.Value...), ',')
	default:
		u.dst, _ = appendString(u.dst, f.Value)
		u.dst = append(u.dst, ',')
	}
}

// mayRepeat is false when surely no id is in list twice.
func mayRepeat(list []Field) bool {
	var seen [16]uint64
	for i := range list {
		bit := list[i].ID & 1023
		if seen[bit>>6]&(1<<(bit&63)) != 0 {
			return true
		}
		seen[bit>>6] |= 1 << (bit & 63)
	}
	return false
}

// repeated writes fields of which some may have the same name: each name
// stands where its first field stood. It takes time in proportion to the
// fields, however often they repeat.
func (u *unmapped) repeated(list []Field) {
	last := make(map[FieldID]int, len(list))
	next := make([]int, len(list)) // the next field of the same name; 0: none
	first := make([]bool, len(list))
	for i := range list {
		if prev, ok := last[list[i].ID]; ok {
			next[prev] = i
		} else {
			first[i] = true
		}
		last[list[i].ID] = i
	}
	for i := range list {
		if !first[i] {
			continue
		}
		u.key(list[i].ID)
		if next[i] == 0 {
			u.value(&list[i])
			continue
		}
		u.dst = append(u.dst, '[')
		for j := i; ; j = next[j] {
			u.value(&list[j])
			if next[j] == 0 {
				break
			}
		}
		u.dst = append(closeArray(u.dst), ',')
	}
}

// isNumber says that s is a number as JSON writes it (RFC 8259 section 6).
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole := digits(s)
	if whole == 0 || whole > 1 && s[0] == '0' {
		return false
	}
	s = s[whole:]
	if strings.HasPrefix(s, ".") {
		n := digits(s[1:])
		if n == 0 {
			return false
		}
		s = s[1+n:]
	}
	if s == "" {
		return true
	}
	if s[0]|0x20 != 'e' {
		return false
	}
	s = s[1:]
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	return s != "" && digits(s) == len(s)
}

// digits counts the decimal digits that s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
