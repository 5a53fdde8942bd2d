package forward

import (
	"strconv"

	"github.com/vegress/vegress/event"
)

// maxEncoded is the size above which an event or a finding is made smaller:
// with what shares its message it stays below the server's limit of 1 MiB.
// Control characters grow sixfold in JSON, so a record well below that limit
// can pass it.
const maxEncoded = 512 << 10

// appendEvent appends ev without a newline. One that is too large is appended
// without what its record says again, and with less of its record if need be:
// cut, it is worth more than refused.
func appendEvent(dst []byte, ev *event.Event) []byte {
	start := len(dst)
	dst = ev.AppendJSON(dst)
	if len(dst)-start <= maxEncoded {
		return dst
	}
	small := *ev
	flag := cutField(len(dst) - start)
	small.Fields, small.URL, small.Message = flag, "", ""
	if dst = small.AppendJSON(dst[:start]); len(dst)-start <= maxEncoded {
		return dst
	}
	small = essence(ev)
	small.Fields = flag
	for {
		dst = small.AppendJSON(dst[:start])
		if len(dst)-start <= maxEncoded || small.Raw == "" {
			return dst
		}
		small.Raw = small.Raw[:len(small.Raw)/2]
	}
}

// cutField says of an event that it was cut, and how large its JSON was.
func cutField(bytes int) []event.Field {
	return []event.Field{{ID: event.Intern("cut_from_bytes"), Kind: event.KindNumber, Value: strconv.Itoa(bytes)}}
}

// essence is what of an event has a bounded size, and its record.
func essence(ev *event.Event) event.Event {
	return event.Event{
		Class: ev.WireClass(), Activity: ev.Activity, Severity: ev.Severity, Status: ev.Status,
		Time: ev.Time, Start: ev.Start, End: ev.End, UID: ev.UID, Records: ev.Records, Raw: ev.Raw,
		Device:    event.Device{Hostname: cut(ev.Device.Hostname), IP: ev.Device.IP},
		LogName:   cut(ev.LogName),
		Src:       bareEndpoint(&ev.Src),
		Dst:       bareEndpoint(&ev.Dst),
		Direction: ev.Direction, Protocol: ev.Protocol, TCPFlags: ev.TCPFlags, Traffic: ev.Traffic,
		User: event.User{Name: cut(ev.User.Name), UID: cut(ev.User.UID)},
	}
}

func bareEndpoint(p *event.Endpoint) event.Endpoint {
	return event.Endpoint{IP: p.IP, Port: p.Port, Hostname: cut(p.Hostname)}
}

// maxName bounds a name in what was cut.
const maxName = 255

func cut(s string) string { return s[:min(len(s), maxName)] }

// encodeFinding is f in JSON. One that is too large keeps the uids of its
// evidence, whose records are among the events, and if need be nothing that a
// sender chose the length of.
func encodeFinding(f *event.Finding) []byte {
	data := f.AppendJSON(nil)
	if len(data) <= maxEncoded {
		return data
	}
	small := *f
	small.Evidence = make([]event.Evidence, len(f.Evidence))
	for i, v := range f.Evidence {
		small.Evidence[i] = event.Evidence{UID: v.UID, Time: v.Time, LogName: cut(v.LogName)}
	}
	if data = small.AppendJSON(data[:0]); len(data) <= maxEncoded {
		return data
	}
	small.URL, small.Title, small.Explanation = "", cut(f.Title), nil
	small.Device = event.Device{Hostname: cut(f.Device.Hostname), IP: f.Device.IP}
	small.Src, small.Dst = bareEndpoint(&f.Src), bareEndpoint(&f.Dst)
	small.Justification.Evidence = nil
	return small.AppendJSON(data[:0])
}
