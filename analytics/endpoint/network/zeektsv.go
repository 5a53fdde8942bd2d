package network

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// Errors of a line of Zeek's that is no event.
var (
	errNoColumns = errors.New("line fits no header that was seen, nor the default columns of conn, dns, http or ssl")
	errColumns   = errors.New("line has more columns than a log can have")
)

// Bounds of headers.
const (
	maxColumns   = 512
	maxLayouts   = 32
	maxSeparator = 8 // bytes
)

// header is what the lines that begin with # say of those that follow.
type header struct {
	separator, set, empty, unset string
	log                          string
	fields                       []string
}

func defaultHeader() header {
	return header{separator: "\t", set: ",", empty: "(empty)", unset: "-"}
}

// layout is the columns of a log.
type layout struct {
	log     string
	columns []column
}

// column is a field, and what its values look like.
type column struct {
	id    event.FieldID
	kind  event.Kind
	check func(string) bool // nil: anything
	set   bool              // several values, with the header's separator between
}

// line reads a line of the tab-separated form. log is what the source's name
// tells.
func (z *Zeek) line(line, log string, tell func(*event.Event)) error {
	if strings.HasPrefix(line, "#") {
		z.directive(line, log)
		return nil
	}
	if line == "" {
		return nil
	}
	n := strings.Count(line, z.header.separator) + 1
	if n > maxColumns {
		return errColumns
	}
	l := z.layoutOf(line, n, log)
	if l == nil {
		return errNoColumns
	}
	z.columns(line, l)
	z.complete(l.log, tell)
	return nil
}

// directive takes a line of a header in: "#fields" and the names.
func (z *Zeek) directive(line, log string) {
	if escaped, ok := strings.CutPrefix(line, "#separator"); ok {
		z.header = defaultHeader()
		if s := unescape(strings.TrimSpace(escaped)); s != "" && len(s) <= maxSeparator {
			z.header.separator = strings.Clone(s)
		}
		return
	}
	h := &z.header
	name, value, _ := strings.Cut(line, h.separator)
	switch name {
	case "#set_separator":
		h.set = short(value, h.set)
	case "#empty_field":
		h.empty = short(value, h.empty)
	case "#unset_field":
		h.unset = short(value, h.unset)
	case "#path":
		h.log = strings.Clone(value[:min(len(value), maxLog)])
	case "#fields":
		if h.log == "" {
			h.log = log
		}
		h.fields = splitColumns(value, h.separator)
		z.learn(newLayout(&z.flat, h.log, h.fields, nil))
	case "#types":
		z.learn(newLayout(&z.flat, h.log, h.fields, splitColumns(value, h.separator)))
	}
}

// short is what a directive says, or the default where that cannot be.
func short(value, otherwise string) string {
	if value == "" || len(value) > 2*maxSeparator {
		return otherwise
	}
	return strings.Clone(value)
}

func splitColumns(line, separator string) []string {
	return strings.SplitN(strings.Clone(line[:min(len(line), maxColumns*endpoint.MaxName)]), separator, maxColumns)
}

func newLayout(f *flattener, log string, names, types []string) *layout {
	l := &layout{log: log, columns: make([]column, 0, len(names))}
	for i, name := range names {
		c := column{id: f.id([]byte(name))}
		if i < len(types) {
			c.kind, c.check, c.set = columnType(types[i])
		}
		l.columns = append(l.columns, c)
	}
	return l
}

// columnType is what a type of Zeek's says of the values.
func columnType(name string) (kind event.Kind, check func(string) bool, set bool) {
	if open := strings.IndexByte(name, '['); open > 0 && strings.HasSuffix(name, "]") { // set[string], vector[interval]
		kind, check, _ = columnType(name[open+1 : len(name)-1])
		return kind, check, true
	}
	switch name {
	case "time", "interval", "double", "count", "int", "port":
		return event.KindNumber, isDecimal, false
	case "bool":
		return event.KindBool, func(s string) bool { return s == "T" || s == "F" }, false
	case "addr":
		return event.KindString, func(s string) bool { return address(s).IsValid() }, false
	}
	return event.KindString, nil, false
}

// isDecimal says that s is a number as Zeek writes one.
func isDecimal(s string) bool {
	s = strings.TrimPrefix(s, "-")
	if s == "" || len(s) > 40 || s[0] < '0' || s[0] > '9' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && strings.IndexByte(".e+-", c) < 0 {
			return false
		}
	}
	return true
}

// learn keeps a layout as the newest; it takes the place of an earlier one
// with the same columns of the same log.
func (z *Zeek) learn(l *layout) {
	for i, old := range z.layouts {
		if old.log == l.log && sameColumns(old, l) {
			z.layouts = append(z.layouts[:i], z.layouts[i+1:]...)
			break
		}
	}
	if len(z.layouts) >= maxLayouts {
		z.layouts = z.layouts[1:]
	}
	z.layouts = append(z.layouts, l)
}

func sameColumns(a, b *layout) bool {
	if len(a.columns) != len(b.columns) {
		return false
	}
	for i := range a.columns {
		if a.columns[i].id != b.columns[i].id {
			return false
		}
	}
	return true
}

// layoutOf finds the columns of a line that has n of them: those of the newest
// header that fits, since the logs of one sensor may come mixed; else the
// default ones.
func (z *Zeek) layoutOf(line string, n int, log string) *layout {
	for i := len(z.layouts) - 1; i >= 0; i-- {
		if l := z.layouts[i]; len(l.columns) == n && z.fits(line, l) {
			return l
		}
	}
	l := z.defaultLayout(line, n, log)
	if l != nil {
		z.learn(l)
	}
	return l
}

// defaultLayout gives the default columns that fit most of the line. What its
// site adds to a log comes behind them, under a name that only counts.
func (z *Zeek) defaultLayout(line string, n int, log string) *layout {
	var best *layout
	for _, l := range defaultLayouts {
		if (log == "" || log == l.log) && len(l.columns) <= n && z.fits(line, l) && (best == nil || len(l.columns) > len(best.columns)) {
			best = l
		}
	}
	if best == nil || len(best.columns) == n {
		return best
	}
	l := &layout{log: best.log, columns: slices.Clone(best.columns)}
	for i := len(l.columns); i < n; i++ {
		l.columns = append(l.columns, column{id: event.Intern("column_" + strconv.Itoa(i+1))})
	}
	return l
}

// fits says that each column of line looks as the layout says.
func (z *Zeek) fits(line string, l *layout) bool {
	h := &z.header
	for i := range l.columns {
		c := &l.columns[i]
		var value string
		value, line, _ = strings.Cut(line, h.separator)
		if c.check == nil || value == h.unset || value == h.empty || value == "" {
			continue
		}
		if c.set {
			value, _, _ = strings.Cut(value, h.set)
		}
		if !c.check(value) && value != h.unset {
			return false
		}
	}
	return true
}

// columns adds the line's values to the event.
func (z *Zeek) columns(line string, l *layout) {
	f := &z.flat
	f.ev, f.dropped = &z.ev, 0
	for i := range l.columns {
		var value string
		value, line, _ = strings.Cut(line, z.header.separator)
		z.column(&l.columns[i], value)
	}
	f.finish()
}

func (z *Zeek) column(c *column, value string) {
	h := &z.header
	switch {
	case value == h.unset:
	case value == h.empty:
		z.put(c.id, event.KindString, "")
	case c.set:
		for rest, more := value, true; more; {
			value, rest, more = strings.Cut(rest, h.set)
			z.element(c, value)
		}
	default:
		z.element(c, value)
	}
}

func (z *Zeek) element(c *column, value string) {
	switch {
	case value == z.header.unset:
		z.put(c.id, event.KindNull, "")
	case c.kind == event.KindBool && value == "T":
		z.put(c.id, c.kind, "true")
	case c.kind == event.KindBool && value == "F":
		z.put(c.id, c.kind, "false")
	case c.kind == event.KindString:
		z.put(c.id, c.kind, unescape(value))
	default:
		z.put(c.id, c.kind, value)
	}
}

func (z *Zeek) put(id event.FieldID, kind event.Kind, value string) {
	if len(z.ev.Fields) >= maxFields {
		z.flat.dropped++
		return
	}
	z.ev.Fields = append(z.ev.Fields, event.Field{ID: id, Kind: kind, Value: value})
}

// unescape reads \xHH, and \\ as earlier versions wrote it.
func unescape(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; i >= 0; i = strings.IndexByte(s, '\\') {
		b.WriteString(s[:i])
		s = s[i:]
		switch {
		case len(s) >= 4 && s[1] == 'x' && isHex(s[2]) && isHex(s[3]):
			b.WriteByte(unhex(s[2])<<4 | unhex(s[3]))
			s = s[4:]
		case len(s) >= 2 && s[1] == '\\':
			b.WriteByte('\\')
			s = s[2:]
		default:
			b.WriteByte('\\')
			s = s[1:]
		}
	}
	b.WriteString(s)
	return b.String()
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// The columns that Zeek writes by default, in its versions from 2.0 to 8
// (docs.zeek.org, record types Conn::Info, DNS::Info, HTTP::Info, SSL::Info).
const (
	columnsID = "ts:time uid id.orig_h:addr id.orig_p:port id.resp_h:addr id.resp_p:port "

	columnsConn = columnsID + "proto service duration:interval orig_bytes:count resp_bytes:count conn_state local_orig:bool "
	columnsPack = "missed_bytes:count history orig_pkts:count orig_ip_bytes:count resp_pkts:count resp_ip_bytes:count tunnel_parents:set[string]"

	columnsQuery  = "query qclass:count qclass_name qtype:count qtype_name rcode:count rcode_name "
	columnsAnswer = "AA:bool TC:bool RD:bool RA:bool Z:count answers:vector[string] TTLs:vector[interval] rejected:bool"

	columnsRequest  = columnsID + "trans_depth:count method host uri referrer "
	columnsResponse = "request_body_len:count response_body_len:count status_code:count status_msg info_code:count info_msg tags:set[enum] username password proxied:set[string] "
	columnsFiles    = "orig_fuids:vector[string] orig_filenames:vector[string] orig_mime_types:vector[string] resp_fuids:vector[string] resp_filenames:vector[string] resp_mime_types:vector[string]"

	columnsTLS   = columnsID + "version cipher curve server_name resumed:bool last_alert next_protocol established:bool "
	columnsChain = "cert_chain_fuids:vector[string] client_cert_chain_fuids:vector[string] subject issuer client_subject client_issuer"
	columnsPrint = "ssl_history cert_chain_fps:vector[string] client_cert_chain_fps:vector[string] "
)

var defaultLayouts = []*layout{
	parseLayout("conn", columnsConn+"local_resp:bool "+columnsPack),
	parseLayout("conn", columnsConn+"local_resp:bool "+columnsPack+" ip_proto:count"),
	parseLayout("conn", columnsConn+columnsPack),
	parseLayout("dns", columnsID+"proto trans_id:count rtt:interval "+columnsQuery+columnsAnswer),
	parseLayout("dns", columnsID+"proto trans_id:count "+columnsQuery+columnsAnswer),
	parseLayout("http", columnsRequest+"version user_agent origin "+columnsResponse+columnsFiles),
	parseLayout("http", columnsRequest+"version user_agent "+columnsResponse+columnsFiles),
	parseLayout("ssl", columnsTLS+columnsPrint+"sni_matches_cert:bool"),
	parseLayout("ssl", columnsTLS+columnsPrint+"sni_matches_cert:bool validation_status"),
	parseLayout("ssl", columnsTLS+columnsPrint+"subject issuer client_subject client_issuer sni_matches_cert:bool"),
	parseLayout("ssl", columnsTLS+columnsPrint+"subject issuer client_subject client_issuer sni_matches_cert:bool validation_status"),
	parseLayout("ssl", columnsTLS+columnsChain),
	parseLayout("ssl", columnsTLS+columnsChain+" validation_status"),
}

// parseLayout reads "name:type name ...".
func parseLayout(log, text string) *layout {
	f := newFlattener(nil)
	words := strings.Fields(text)
	names, types := make([]string, len(words)), make([]string, len(words))
	for i, w := range words {
		names[i], types[i], _ = strings.Cut(w, ":")
	}
	return newLayout(&f, log, names, types)
}
