package macos_test

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/source"
	sources "github.com/vegress/vegress/configs/sigma"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/event/eventtest"
)

// corpus gives the folder of public records, which lies beside the project
// where it is at all.
func corpus(tb testing.TB) string {
	tb.Helper()
	folder := os.Getenv("VEGRESS_CORPUS")
	if folder == "" {
		tb.Skip("VEGRESS_CORPUS is not set: no public records")
	}
	return folder
}

// decodeFile gives copies of the events of a file.
func decodeFile(tb testing.TB, file string) []event.Event {
	tb.Helper()
	var events []event.Event
	d := decoderOf(file)
	for _, line := range testLines(tb, file) {
		if err := d.Decode(endpoint.Record{Text: line, Host: "mac01"}, func(ev *event.Event) { events = append(events, ev.Clone()) }); err != nil {
			tb.Errorf("%s: %v", file, err)
		}
	}
	return events
}

// TestCorpus: the public records become events with each of their values, but
// for what stat says of files, and what they mean is in the typed members.
func TestCorpus(t *testing.T) {
	tests := []struct{ file, want string }{
		{"eslogger/macos15_v9_exec.json", "process_activity 1 eslogger mac01 /bin/connection-checker [/bin/connection-checker] 97391 of 58916 /bin/nu by 501 ad_hoc"},
		{"jamf_es/exec_trimmed.json", "process_activity 1 jamf MacBookPro /bin/zsh [/bin/zsh -c /var/folders/fm/j970swbn73dfnkjgsqjxxvj40000gp/T/eicar] 91306 of 64632 /Applications/JamfCheck.app/Contents/MacOS/JamfCheck by 502 platform"},
		{"osquery/socket_events.json", "network_activity 1 osquery local /usr/local/bin/osqueryd [] 26075 of by 501 to 54.194.163.85:443"},
	}
	validator := eventtest.New(t)
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			file := filepath.Join(corpus(t), "endpoint", tt.file)
			events := decodeFile(t, file)
			if len(events) != 1 {
				t.Fatalf("%d events", len(events))
			}
			ev := &events[0]
			if got := summary(ev); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if ev.Raw != testLines(t, file)[0] || ev.Time.IsZero() {
				t.Errorf("raw record of %d bytes, time %v", len(ev.Raw), ev.Time)
			}
			all := map[string]bool{}
			for _, f := range ev.Fields {
				all[f.Value] = true
			}
			everyValue(gjson.Parse(ev.Raw), func(value string) {
				if !all[value] && value != "added" && value != ev.Fields[0].Value {
					t.Errorf("no field has %s", value)
				}
			})
			if err := validator.Validate(ev.AppendJSON(nil)); err != nil {
				t.Error(err)
			}
		})
	}
}

func everyValue(v gjson.Result, look func(string)) {
	if !v.IsObject() && !v.IsArray() {
		look(v.String())
		return
	}
	v.ForEach(func(key, member gjson.Result) bool {
		if key.Str != "stat" {
			everyValue(member, look)
		}
		return true
	})
}

// summary is what the typed members say.
func summary(ev *event.Event) string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	words := []string{
		ev.Class.Name(), number(int64(ev.Activity)), ev.LogName, ev.Device.Hostname, ev.Process.Path,
		"[" + ev.Process.CmdLine + "]", number(ev.Process.PID), "of",
	}
	if p := ev.Process.Parent; p != nil {
		words = append(words, number(p.PID), p.Path)
	}
	words = append(words, "by", ev.User.UID)
	if ev.Dst.IP.IsValid() {
		words = append(words, "to", ev.Dst.IP.String()+":"+number(int64(ev.Dst.Port)))
	}
	if f, ok := ev.Field(event.Intern("process_signature")); ok {
		words = append(words, f.Value)
	}
	return strings.Join(words, " ")
}

// firing are the rules of SigmaHQ for macOS and Linux that hold for the records
// of testdata.
var firing = map[string][]string{
	"eslogger.log": {
		"macos: file_event_macos_susp_startup_item_created", "macos: proc_creation_macos_nscurl_usage",
		"macos: proc_creation_macos_susp_browser_child_process",
	},
	"jamf.log":          {"macos: proc_creation_macos_applescript", "macos: proc_creation_macos_office_susp_child_processes"},
	"osquery.log":       {"macos: proc_creation_macos_susp_system_network_discovery"},
	"osquery_linux.log": {"linux: proc_creation_lnx_curl_usage"},
	"unifiedlog.log":    {"macos: proc_creation_macos_launchctl_execution"},
}

// TestRules: they fire through the log sources of the table, and no others.
func TestRules(t *testing.T) {
	rules := sigma.Load(os.DirFS(filepath.Join(corpus(t), "sigma")), []string{"rules.tar.gz"}, sigma.Options{})
	table, err := source.Load(sources.Files)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.log")
	if err != nil {
		t.Fatal(err)
	}
	fired := map[string][]string{}
	for _, file := range files {
		events := decodeFile(t, file)
		for _, rule := range rules.Rules {
			if product := rule.LogSource.Product; (product == "macos" || product == "linux") && holds(rule, table, events) {
				name := product + ": " + strings.TrimSuffix(path.Base(rule.File), ".yml")
				fired[filepath.Base(file)] = append(fired[filepath.Base(file)], name)
			}
		}
		slices.Sort(fired[filepath.Base(file)])
	}
	if !maps.EqualFunc(fired, firing, slices.Equal[[]string]) {
		t.Errorf("got  %q\nwant %q", fired, firing)
	}
}

// holds says that a rule holds for any of the events.
func holds(rule *sigma.Rule, table *source.Table, events []event.Event) (held bool) {
	of := table.Select(source.Source{Product: rule.LogSource.Product, Category: rule.LogSource.Category, Service: rule.LogSource.Service})
	view, matcher := table.NewView(), sigma.Compile([]*sigma.Rule{rule}).NewMatcher()
	for i := range events {
		for _, id := range view.Look(&events[i]) {
			if slices.Contains(of, id) {
				record := sigma.Record{Fields: events[i].Fields, Typed: view.Typed(id), Text: events[i].Raw}
				matcher.Match(&record, func(*sigma.Hit) { held = true })
			}
		}
	}
	return held
}
