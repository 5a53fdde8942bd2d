package linux

import (
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// Sysmon decodes the records of Sysmon for Linux
// (https://github.com/microsoft/SysmonForLinux): the XML of one event, with or
// without the header of a syslog line in front, or as the message of a JSON
// row. Its event ids and fields are those of Sysmon for Windows. A record that
// its way here cut, as Azure does at 2,048 bytes, is read as far as it goes.
// It is not safe for concurrent use.
type Sysmon struct {
	ev     event.Event
	parent event.Process
}

var _ endpoint.Decoder = (*Sysmon)(nil)

// NewSysmon makes a decoder.
func NewSysmon() *Sysmon { return &Sysmon{} }

var fieldTruncated = event.Intern("syslog_truncated")

// Decode implements endpoint.Decoder.
func (s *Sysmon) Decode(r endpoint.Record, tell func(*event.Event)) error {
	if len(r.Text) > endpoint.MaxRecord {
		return endpoint.ErrTooLong
	}
	text := strings.TrimSpace(r.Text)
	var row gjson.Result
	if strings.HasPrefix(text, "{") {
		var err error
		if row, err = endpoint.Object(text); err != nil {
			return err
		}
		_, text = payload(row)
		text = strings.TrimSpace(text)
	}
	at := strings.Index(text, "<Event>")
	if at < 0 {
		if at = strings.Index(text, "<Event "); at < 0 {
			return endpoint.ErrNotXML
		}
	}
	ev := &s.ev
	ev.Reset()
	xml, cut := whole(text[at:])
	if strings.IndexByte(xml, '&') >= 0 {
		xml = entities.Replace(xml)
	}
	if err := endpoint.EventXML(xml, s.add); err != nil {
		return err
	}
	ev.Raw, ev.Records = r.Text, 1
	endpoint.Sysmon(ev, &s.parent)
	ev.Device = device(ev.Device.Hostname, row, headerHost(text[:at]), r.Host)
	if cut {
		ev.Fields = append(ev.Fields, event.Field{ID: fieldTruncated, Kind: event.KindBool, Value: "true"})
	}
	localEnd(ev)
	addRow(row, ev)
	tell(ev)
	return nil
}

func (s *Sysmon) add(element, key, value string) {
	if len(s.ev.Fields) >= endpoint.MaxFields {
		return
	}
	if element != "" {
		key = element + "_" + key
	}
	s.ev.Add(endpoint.Name(key), value)
}

// localEnd: the device is at that end of a connection at which Sysmon runs.
func localEnd(ev *event.Event) {
	if ev.Class != event.NetworkActivity || ev.Device.IP.IsValid() {
		return
	}
	local := ev.Src.IP
	if ev.Direction == event.DirectionInbound {
		local = ev.Dst.IP
	}
	if local.IsValid() && !local.IsLoopback() && !local.IsUnspecified() {
		ev.Device.IP = local
	}
}

// entities mends entities whose semicolon became a blank on the way, as in
// Sentinel's rows. In XML that is whole there is no such thing.
var entities = strings.NewReplacer("&lt ", "&lt;", "&gt ", "&gt;", "&amp ", "&amp;", "&quot ", "&quot;", "&apos ", "&apos;")

// whole ends the elements of a record that is cut.
func whole(xml string) (ended string, cut bool) {
	const end = "</Event>"
	if strings.HasSuffix(xml, end) {
		return xml, false
	}
	if open := strings.LastIndexByte(xml, '<'); open > strings.LastIndexByte(xml, '>') {
		xml = xml[:open]
	}
	var b strings.Builder
	b.WriteString(xml)
	for _, element := range []string{"Data", "EventData", "System"} {
		if strings.LastIndex(xml, "<"+element) > strings.LastIndex(xml, "</"+element+">") {
			b.WriteString("</" + element + ">")
		}
	}
	b.WriteString(end)
	return b.String(), true
}

// Rest implements endpoint.Decoder: nothing waits.
func (s *Sysmon) Rest(time.Time, func(*event.Event)) {}
