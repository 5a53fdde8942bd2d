package ipfix

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/netsampler/goflow2/v2/decoders/netflow"
)

// template is a layout under the number that an exporter gave it.
type template struct {
	layout *layout
	used   time.Time // announced, or by data
}

// layout is the fields of a record, compiled. It never changes.
type layout struct {
	fields []field
	least  int  // bytes of the shortest record
	fixed  bool // every record has that length
	flow   bool // both ends are in it
	tenant bool // the ends that count are those within VXLAN
}

// field is one element of a layout.
type field struct {
	element element
	length  uint16
}

// variable is the length of a field that says its length itself (RFC 7011
// section 7).
const variable = 0xffff

// layouts are the known ones by their fields, so that the templates of a
// thousand hosts take the memory of one host's.
type layouts struct {
	known map[string]*layout
	key   []byte
}

// announce takes a template set, and then what waited for its templates.
func (d *Decoder) announce(s *session, version uint16, data string, take func(*Record)) {
	records, err := decodeTemplates(version, data)
	if err != nil {
		d.malformed(BadTemplate)
	}
	for i := range records {
		d.learn(s, records[i].TemplateId, records[i].Fields, true, take)
	}
}

// announceOptions takes a set of templates for what an exporter says of itself.
func (d *Decoder) announceOptions(s *session, version uint16, data string, take func(*Record)) {
	records, err := decodeOptionsTemplates(version, data)
	if err != nil {
		d.malformed(BadTemplate)
	}
	for i := range records {
		d.learn(s, records[i].id, records[i].fields, false, take)
	}
}

// learn keeps a template; one without fields takes the one of its number back.
func (d *Decoder) learn(s *session, id uint16, fields []netflow.Field, flows bool, take func(*Record)) {
	if len(fields) == 0 {
		d.drop(s, id)
		return
	}
	l := d.layout(fields, flows)
	if id < firstDataSet || l == nil {
		d.count.refused.Add(1)
		return
	}
	if old := s.templates[id]; old != nil && old.layout == l {
		old.used = d.now
	} else {
		d.keep(s, id, l)
	}
	d.decodeHeld(s, id, take)
	d.lend(s, id, take)
}

// keep puts a template in the place of the one that has its number.
func (d *Decoder) keep(s *session, id uint16, l *layout) {
	d.drop(s, id)
	d.makeRoom(s, len(l.fields))
	s.templates[id] = &template{layout: l, used: d.now}
	d.sessions.fields += len(l.fields)
	s.origin.fields += len(l.fields)
	d.sessions.origins.grew(s.origin, inFields)
	d.count.templates.Add(1)
}

// drop forgets a template, if it is known.
func (d *Decoder) drop(s *session, id uint16) {
	t := s.templates[id]
	if t == nil {
		return
	}
	delete(s.templates, id)
	d.sessions.fields -= len(t.layout.fields)
	s.origin.fields -= len(t.layout.fields)
	d.count.templates.Add(-1)
}

// makeRoom gives up templates for one with so many fields: of the same exporter
// the one that was not used for longest, then whole exporters.
func (d *Decoder) makeRoom(s *session, fields int) {
	if len(s.templates) >= maxSessionTemplates {
		d.drop(s, s.stalest())
		d.count.forgotten.Add(1)
	}
	for d.sessions.fields+fields > maxFields {
		oldest := d.sessions.victim(s.origin, s, inFields, maxFields)
		if oldest == nil { // what is left is bounded by itself
			return
		}
		d.count.forgotten.Add(int64(len(oldest.templates)))
		d.end(oldest)
	}
}

func (s *session) stalest() (id uint16) {
	var oldest time.Time
	for i, t := range s.templates {
		if oldest.IsZero() || t.used.Before(oldest) {
			id, oldest = i, t.used
		}
	}
	return id
}

// layout compiles fields, or finds their layout; nil: no record can have it.
func (d *Decoder) layout(fields []netflow.Field, flows bool) *layout {
	if len(fields) > maxTemplateFields {
		return nil
	}
	ls := &d.layouts
	ls.key = append(ls.key[:0], byte(len(fields)))
	if flows {
		ls.key = append(ls.key, 1)
	}
	for _, f := range fields {
		ls.key = binary.BigEndian.AppendUint32(ls.key, f.Pen)
		ls.key = binary.BigEndian.AppendUint16(ls.key, f.Type)
		ls.key = binary.BigEndian.AppendUint16(ls.key, f.Length)
	}
	if l, ok := ls.known[string(ls.key)]; ok {
		return l
	}
	l := compile(fields, flows)
	if l != nil && len(ls.known) < maxLayouts {
		ls.known[string(ls.key)] = l
	}
	return l
}

// compile makes a layout; nil: its records would take no room, so that there
// is no end of them.
func compile(fields []netflow.Field, flows bool) *layout {
	l := &layout{fixed: true, fields: make([]field, 0, len(fields))}
	var has [elementEnd]bool
	for _, f := range fields {
		e := elementOf(f.Pen, f.Type)
		l.fields = append(l.fields, field{e, f.Length})
		has[e] = true
		if f.Length == variable {
			l.fixed = false
			l.least++
			continue
		}
		l.least += int(f.Length)
	}
	if l.least == 0 {
		return nil
	}
	source := has[srcIP] || has[srcMAC] || has[tenantSrc]
	l.flow = flows && source && (has[dstIP] || has[dstMAC] || has[tenantDst])
	l.tenant = has[tenantSrc] && has[tenantDst]
	l.fields = slices.Clip(l.fields)
	return l
}

// length is how many bytes the record takes that data begins with; false: more
// than there are.
func (l *layout) length(data string) (int, bool) {
	if l.fixed {
		return l.least, true
	}
	at := 0
	for i := range l.fields {
		n := int(l.fields[i].length)
		if n == variable {
			var ok bool
			if n, at, ok = variableLength(data, at); !ok {
				return 0, false
			}
		}
		if at += n; at > len(data) {
			return 0, false
		}
	}
	return at, true
}

// variableLength reads the length of a field at that place of data, and where
// the field itself begins.
func variableLength(data string, at int) (length, begin int, ok bool) {
	switch {
	case at >= len(data):
		return 0, 0, false
	case data[at] < 0xff:
		return int(data[at]), at + 1, true
	case at+3 > len(data):
		return 0, 0, false
	}
	return int(u16(data[at+1:])), at + 3, true
}

var errCut = errors.New("the set ends within a template")

// decodeTemplates is goflow2's decoder, kept from what it allocates for fields
// that are announced and not there.
func decodeTemplates(version uint16, data string) ([]netflow.TemplateRecord, error) {
	whole := wholeTemplates(version, data)
	records, err := netflow.DecodeTemplateSet(version, bytes.NewBufferString(data[:whole]))
	if err == nil && !padding(data[whole:]) {
		err = errCut
	}
	return records, err
}

// wholeTemplates is how many bytes the templates take that data has whole.
func wholeTemplates(version uint16, data string) int {
	whole := 0
	for at := 0; at+4 <= len(data); whole = at {
		if id := u16(data[at:]); id < firstDataSet {
			break // padding, or none
		}
		at = skipFields(data, at+4, int(u16(data[at+2:])), version == versionIPFIX)
		if at < 0 {
			break
		}
	}
	return whole
}

// skipFields is where n fields end that begin at that place; -1: beyond data.
func skipFields(data string, at, n int, enterprise bool) int {
	for range n {
		if at+4 > len(data) {
			return -1
		}
		if enterprise && data[at]&0x80 != 0 {
			at += 4
		}
		at += 4
	}
	if at > len(data) {
		return -1
	}
	return at
}

// padding says that data is nothing but zeros.
func padding(data string) bool {
	for i := range len(data) {
		if data[i] != 0 {
			return false
		}
	}
	return true
}

type optionsTemplate struct {
	id     uint16
	fields []netflow.Field
}

func decodeOptionsTemplates(version uint16, data string) ([]optionsTemplate, error) {
	whole := wholeOptions(version, data)
	from := bytes.NewBufferString(data[:whole])
	var all []optionsTemplate
	var err error
	if version == versionNetFlow {
		var records []netflow.NFv9OptionsTemplateRecord
		records, err = netflow.DecodeNFv9OptionsTemplateSet(from)
		for _, r := range records {
			all = append(all, optionsTemplate{r.TemplateId, append(r.Scopes, r.Options...)})
		}
	} else {
		var records []netflow.IPFIXOptionsTemplateRecord
		records, err = netflow.DecodeIPFIXOptionsTemplateSet(from)
		for _, r := range records {
			all = append(all, optionsTemplate{r.TemplateId, append(r.Scopes, r.Options...)})
		}
	}
	if err == nil && !padding(data[whole:]) {
		err = errCut
	}
	return all, err
}

// wholeOptions is wholeTemplates for options templates: IPFIX counts fields,
// NetFlow their bytes.
func wholeOptions(version uint16, data string) int {
	whole := 0
	for at := 0; at+6 <= len(data); whole = at {
		if id := u16(data[at:]); id < firstDataSet {
			break
		}
		first, second := int(u16(data[at+2:])), int(u16(data[at+4:]))
		if version == versionNetFlow {
			at = skipFields(data, at+6, first/4+second/4, false)
		} else if second > first {
			break
		} else {
			at = skipFields(data, at+6, first, true)
		}
		if at < 0 {
			break
		}
	}
	return whole
}
