package linux_test

import (
	"encoding/hex"
	"encoding/json"
	"html"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/analytics/endpoint/linux"
	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/source"
	sources "github.com/vegress/vegress/configs/sigma"
	"github.com/vegress/vegress/event"
)

// corpus gives the folder of public records of endpoints, which lies beside
// the project where it is at all.
func corpus(tb testing.TB) string {
	tb.Helper()
	folder := os.Getenv("VEGRESS_CORPUS")
	if folder == "" {
		tb.Skip("VEGRESS_CORPUS is not set: no public records")
	}
	folder = filepath.Join(folder, "endpoint")
	if _, err := os.Stat(folder); err != nil {
		tb.Skipf("no records of endpoints: %v", err)
	}
	return folder
}

// lines gives the lines of the files that pattern names in the corpus.
func lines(tb testing.TB, pattern string) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(corpus(tb), pattern))
	if err != nil || len(files) == 0 {
		tb.Fatalf("%s: %v, %v", pattern, files, err)
	}
	var list []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			if line = strings.TrimRight(line, "\n"); line != "" {
				list = append(list, line)
			}
		}
	}
	return list
}

// decodeAll gives copies of the events of these lines.
func decodeAll(tb testing.TB, d endpoint.Decoder, list []string) []event.Event {
	tb.Helper()
	var events []event.Event
	tell := func(ev *event.Event) { events = append(events, ev.Clone()) }
	for _, line := range list {
		if err := d.Decode(endpoint.Record{Text: line}, tell); err != nil {
			tb.Errorf("%v: %.200s", err, line)
		}
	}
	d.Rest(time.Time{}, tell)
	return events
}

// values are those of an event's fields, and a name's.
func values(ev *event.Event) map[string]bool {
	all := map[string]bool{}
	for _, f := range ev.Fields {
		all[f.Value] = true
		all[f.ID.Name()+"="+f.Value] = true
	}
	return all
}

// corpusFiles are the records of the corpus, and how many events are in them.
var corpusFiles = []struct {
	pattern string
	decoder func() endpoint.Decoder
	classes map[event.Class]int
}{
	{"auditd_raw/*", newAudit, map[event.Class]int{event.NetworkActivity: 1, event.BaseEvent: 2}},
	{"otrf_log4shell/syslog_auoms*", newAudit, map[event.Class]int{event.ProcessActivity: 50}},
	{"otrf_log4shell/syslog_sysmon*", newSysmon, sysmonClasses},
	{"otrf_log4shell/sysmon_linux*", newSysmon, sysmonClasses},
}

var sysmonClasses = map[event.Class]int{event.ProcessActivity: 81, event.NetworkActivity: 6, event.FileActivity: 6}

func newAudit() endpoint.Decoder  { return linux.NewAudit() }
func newSysmon() endpoint.Decoder { return linux.NewSysmon() }

// TestCorpus: all public records become events, byte for byte, with each value
// that an independent look finds in them.
func TestCorpus(t *testing.T) {
	for _, file := range corpusFiles {
		t.Run(file.pattern, func(t *testing.T) {
			list := lines(t, file.pattern)
			classes, raw := map[event.Class]int{}, []string{}
			for _, ev := range decodeAll(t, file.decoder(), list) {
				classes[ev.Class]++
				raw = append(raw, strings.Split(ev.Raw, "\n")...)
				if ev.Time.IsZero() || ev.LogName == "" {
					t.Errorf("time %v, log %q", ev.Time, ev.LogName)
				}
				looked(t, &ev)
			}
			if !maps.Equal(classes, file.classes) {
				t.Errorf("got %v, want %v", classes, file.classes)
			}
			slices.Sort(raw)
			slices.Sort(list)
			if !slices.Equal(raw, list) {
				t.Error("the raw records are not those of the file")
			}
		})
	}
}

var (
	dataPattern = regexp.MustCompile(`<Data Name="([^"]+)">([^<]*)</Data>`)
	pairPattern = regexp.MustCompile(`(?m)(?:^|[ ])([a-z_0-9]+)=("[^"\n]*"|[^ "\n\[]*)(?: |$)`)
	mended      = regexp.MustCompile(`&(lt|gt|amp|quot|apos) `)
	hexPattern  = regexp.MustCompile(`^([0-9A-F]{2}){4,}$`)
)

// looked compares what plain patterns find in a record with the fields.
func looked(t *testing.T, ev *event.Event) {
	t.Helper()
	all, text := values(ev), ev.Raw
	if strings.HasPrefix(text, "{") {
		var row map[string]any
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			t.Fatal(err)
		}
		for key, value := range row {
			if key != "SyslogMessage" && key != "EventData" && !all[key+"="+value.(string)] {
				t.Errorf("no %s %v", key, value)
			}
		}
		text = row["SyslogMessage"].(string)
	}
	for _, m := range dataPattern.FindAllStringSubmatch(text, -1) {
		if want := m[1] + "=" + html.UnescapeString(mended.ReplaceAllString(m[2], "&$1;")); !all[want] {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "<Event>") {
		return
	}
	text, _, _ = strings.Cut(text, " cmdline=")
	text, _, _ = strings.Cut(text, " proctitle=")
	for _, m := range pairPattern.FindAllStringSubmatch(text, -1) {
		value := strings.Trim(m[2], `"`)
		if raw, err := hex.DecodeString(value); err == nil && hexPattern.MatchString(value) && m[1] == "exe" {
			value = string(raw)
		}
		if m[1] != "msg" && !all[m[1]+"="+value] {
			t.Errorf("no %s=%s", m[1], value)
		}
	}
}

// firing are the rules of SigmaHQ for Linux that hold for records of the
// corpus, and for ours.
var firing = map[string][]string{
	"auditd_raw/*":                 nil,
	"otrf_log4shell/syslog_auoms*": {"proc_creation_lnx_base64_decode", "proc_creation_lnx_local_groups"},
	"otrf_log4shell/syslog_sysmon*": {
		"net_connection_lnx_back_connect_shell_dev", "proc_creation_lnx_base64_decode",
		"proc_creation_lnx_local_groups", "proc_creation_lnx_susp_java_children",
	},
	"testdata/auditd.log": {
		"lnx_auditd_disable_system_firewall", "lnx_auditd_web_rce", "net_connection_lnx_susp_malware_callback_port",
		"proc_creation_lnx_curl_usage", "proc_creation_lnx_local_account",
	},
}

// TestRules: they fire through the log sources of the table, and no others.
func TestRules(t *testing.T) {
	events := map[string][]event.Event{"testdata/auditd.log": decodeAll(t, newAudit(), testLines(t, "testdata/auditd.log"))}
	for _, file := range corpusFiles {
		if _, ok := firing[file.pattern]; ok {
			events[file.pattern] = decodeAll(t, file.decoder(), lines(t, file.pattern))
		}
	}
	rules := sigma.Load(os.DirFS(filepath.Join(os.Getenv("VEGRESS_CORPUS"), "sigma")), []string{"rules.tar.gz"}, sigma.Options{})
	table, err := source.Load(sources.Files)
	if err != nil {
		t.Fatal(err)
	}
	fired := map[string][]string{}
	for _, rule := range rules.Rules {
		if rule.LogSource.Product != "linux" {
			continue
		}
		name := strings.TrimSuffix(path.Base(rule.File), ".yml")
		matcher := sigma.Compile([]*sigma.Rule{rule}).NewMatcher()
		for file := range events {
			if holds(matcher, rule, table, events[file]) {
				fired[file] = append(fired[file], name)
			}
		}
	}
	for file, want := range firing {
		slices.Sort(fired[file])
		if !slices.Equal(fired[file], want) {
			t.Errorf("%s: got %q, want %q", file, fired[file], want)
		}
	}
}

// holds says that a rule holds for any of the events.
func holds(matcher *sigma.Matcher, rule *sigma.Rule, table *source.Table, events []event.Event) (held bool) {
	of := table.Select(source.Source{Product: rule.LogSource.Product, Category: rule.LogSource.Category, Service: rule.LogSource.Service})
	view := table.NewView()
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
