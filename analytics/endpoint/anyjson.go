package endpoint

import (
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/event"
)

// AnyJSON makes a Base Event of any JSON object: its members are Fields, and
// what nearly every source has (a time, the machine, a text) goes where it
// belongs, under the names that it mostly has. It is the decoder of sources
// that no other knows.
type AnyJSON struct {
	LogName string // of its events
	ev      event.Event
}

var _ Decoder = (*AnyJSON)(nil)

// The names under which a member that many sources have is looked for, in
// this order.
var (
	timeNames = []string{"@timestamp", "timestamp", "time", "ts", "EventTime", "TimeCreated", "datetime", "date"}
	hostNames = []string{"host.name", "hostname", "host", "Hostname", "Computer", "computer_name", "agent.hostname", "hostIdentifier"}
	textNames = []string{"message", "Message", "msg", "log"}
)

// Decode implements Decoder.
func (d *AnyJSON) Decode(r Record, tell func(*event.Event)) error {
	object, err := Object(r.Text)
	if err != nil {
		return err
	}
	ev := &d.ev
	ev.Reset()
	ev.Raw, ev.Records, ev.Severity, ev.LogName = r.Text, 1, event.SeverityInformational, d.LogName
	Flatten(object, ev)
	ev.Time = firstTime(object)
	ev.Message = firstText(object, textNames)
	if ev.Device.Hostname = firstText(object, hostNames); ev.Device.Hostname == "" {
		ev.Device.Hostname = r.Host
	}
	tell(ev)
	return nil
}

// Rest implements Decoder: nothing waits.
func (d *AnyJSON) Rest(time.Time, func(*event.Event)) {}

// firstText is the first of the members that is a text.
func firstText(object gjson.Result, names []string) string {
	for _, name := range names {
		if v := member(object, name); v.Type == gjson.String && v.Str != "" {
			return v.Str
		}
	}
	return ""
}

// member gives a member by its name, which may have a dot in it, or else by
// its path.
func member(object gjson.Result, path string) gjson.Result {
	name := strings.ReplaceAll(strings.ReplaceAll(path, ".", `\.`), "@", `\@`)
	if v := object.Get(name); v.Exists() {
		return v
	}
	if strings.Contains(path, ".") {
		return object.Get(path)
	}
	return gjson.Result{}
}

func firstTime(object gjson.Result) time.Time {
	for _, name := range timeNames {
		if t := timeOf(member(object, name)); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// timeOf reads RFC 3339, and seconds or milliseconds since 1970.
func timeOf(v gjson.Result) time.Time {
	switch v.Type {
	case gjson.String:
		t, err := time.Parse(time.RFC3339Nano, v.Str)
		if err == nil {
			return t.UTC()
		}
		n, err := strconv.ParseFloat(v.Str, 64)
		if err == nil {
			return sinceEpoch(n)
		}
	case gjson.Number:
		return sinceEpoch(v.Num)
	}
	return time.Time{}
}

// Times before 2001 and after 2286 are no times: small numbers are intervals,
// and above the largest second that is believed a number is milliseconds.
const (
	leastSeconds = 1e9
	mostSeconds  = 1e10
)

func sinceEpoch(n float64) time.Time {
	switch {
	case n >= leastSeconds && n < mostSeconds:
		return time.UnixMilli(int64(n * 1e3)).UTC()
	case n >= leastSeconds*1e3 && n < mostSeconds*1e3:
		return time.UnixMilli(int64(n)).UTC()
	}
	return time.Time{}
}
