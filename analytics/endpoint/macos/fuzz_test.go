package macos_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/analytics/endpoint/macos"
	"github.com/vegress/vegress/event"
)

// hostile are records that try a decoder's bounds.
var hostile = []string{
	strings.Repeat(`{"event":`, 40) + "1" + strings.Repeat("}", 40),
	`{"event":{"exec":{"target":{"audit_token":[1,2,[3],{"pid":1}],"audit_token":{"pid":-5}},"args":{"a":[1]}}},"event":[],"process":"x","time":"9999999-99-99T"}`,
	`{"event":{"exec":[]},"process":[1,2,3],"action":{"result":{"result":{"auth":"x"}}}}`,
	`{"event":{"rename":{"source":1,"destination":{"new_path":{"dir":{"path":"` + "\\u0000\\ud800" + `"},"filename":"` + "\xff\x00" + `"}}}}}`,
	`{"event":{"` + strings.Repeat("k", 2000) + `":1}}`,
	`{"name":"x","snapshot":[1,[],{},null,{"pid":"99999999999999999999"}]}`,
	`{"name":"process_events","diffResults":{"added":{"a":1},"removed":[{}]},"snapshot":[{}],"columns":{}}`,
	`{"name":"socket_events","columns":{"remote_address":"::","remote_port":"99999","local_address":"0","protocol":"999","action":7}}`,
	`{"name":"x","columns":{"a.b":{"c":[{"d":1},{"d":2}]}},"unixTime":1e300,"decorations":"x"}`,
	`{"eventMessage":"[C] start","subsystem":"com.apple.network"}`,
	`{"eventMessage":"[C1 x :443 tcp] start","subsystem":"com.apple.network"}`,
	`{"eventMessage":" : COMMAND=","processImagePath":"/usr/bin/sudo","timestamp":"x","processID":-1,"userID":1.5}`,
}

// FuzzDecode gives any text to the decoders: none panics, what they tell can
// be written and read, and is in proportion to the text.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.log")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		for _, line := range testLines(f, file) {
			f.Add(line)
		}
	}
	for _, line := range hostile {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range []endpoint.Decoder{macos.NewEslogger(), macos.NewJamf(), macos.NewOsquery(), macos.NewUnifiedLog()} {
			records, bytes := 0, 0
			err := d.Decode(endpoint.Record{Text: text}, func(ev *event.Event) {
				records += ev.Records
				bytes += len(ev.Raw)
				if len(ev.Fields) > endpoint.MaxFields {
					t.Errorf("%d fields", len(ev.Fields))
				}
				if _, err := event.Parse(ev.AppendJSON(nil)); err != nil {
					t.Error(err)
				}
			})
			if err == nil && (records != 1 || bytes > 2*len(text)) || err != nil && records != 0 {
				t.Errorf("%d records, %d bytes of %d, %v", records, bytes, len(text), err)
			}
		}
	})
}

// TestRefuses: what is no record is an error that holds nothing of it.
func TestRefuses(t *testing.T) {
	many := `{"name":"processes","snapshot":[` + strings.TrimSuffix(strings.Repeat("{},", 8193), ",") + `]}`
	tests := []struct {
		d    endpoint.Decoder
		text string
		want error
	}{
		{macos.NewEslogger(), "eslogger: not permitted", endpoint.ErrNotJSON},
		{macos.NewEslogger(), `{"event":{}}`, macos.ErrNotSecurity},
		{macos.NewEslogger(), hostile[0], endpoint.ErrTooDeep},
		{macos.NewJamf(), `[]`, endpoint.ErrNotJSON},
		{macos.NewOsquery(), `{"columns":{}}`, macos.ErrNotOsquery},
		{macos.NewOsquery(), `{"name":"x"}`, macos.ErrNotOsquery},
		{macos.NewOsquery(), many, macos.ErrManyRows},
		{macos.NewUnifiedLog(), `Filtering the log data using "subsystem == 1"`, endpoint.ErrNotJSON},
		{macos.NewUnifiedLog(), `{"count":3335,"finished":1}`, macos.ErrNotLog},
		{macos.NewUnifiedLog(), strings.Repeat(" ", endpoint.MaxRecord+1), endpoint.ErrTooLong},
	}
	for _, tt := range tests {
		err := tt.d.Decode(endpoint.Record{Text: tt.text}, func(*event.Event) { t.Errorf("%.40s: told", tt.text) })
		if !errors.Is(err, tt.want) {
			t.Errorf("%.40s: %v, want %v", tt.text, err, tt.want)
		}
	}
}

// TestFrame: what stands around many rows is told once where it is long.
func TestFrame(t *testing.T) {
	const rows = 8192
	text := fmt.Sprintf(`{"name":"process_events","decorations":{"note":%q},"snapshot":[%s]}`,
		strings.Repeat("n", 100_000), strings.TrimSuffix(strings.Repeat(`{"pid":"1","cmdline":"a","eid":"1"},`, rows), ","))
	events, size := 0, 0
	err := macos.NewOsquery().Decode(endpoint.Record{Text: text}, func(ev *event.Event) {
		events++
		size += len(ev.AppendJSON(nil))
	})
	if err != nil || events != rows || size > 2*len(text)+1000*rows {
		t.Errorf("%d events, %d bytes of %d, %v", events, size, len(text), err)
	}
}

// TestLongNames: the members of an object with a long name are not given all of
// it each.
func TestLongNames(t *testing.T) {
	const long, members = 100 << 10, 2000
	text := `{"event_type":9,"event":{"exec":{"` + strings.Repeat("n", long) + `":{` + strings.Repeat(`"m":1,`, members) + `"m":1}}}}`
	fields := 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := macos.NewEslogger().Decode(endpoint.Record{Text: text}, func(ev *event.Event) { fields = len(ev.Fields) })
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; err != nil || fields < members || n > 100*long {
		t.Errorf("%v, %d fields, %d bytes for names of %d", err, fields, n, long)
	}
}
