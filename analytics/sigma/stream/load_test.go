package stream_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/configs/rules"
	table "github.com/vegress/vegress/configs/sigma"
)

var builtin = stream.Builtin{Rules: rules.Files, Sources: table.Files}

func options() stream.Options {
	return stream.Options{Builtin: true, Suppress: time.Hour, Flood: 60}
}

// write makes a file in a folder of its own.
func write(t testing.TB, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const shellRule = `title: A tool of ours
id: 11111111-0000-4000-8000-000000000001
tags: [attack.execution]
logsource: {product: vmware_esxi, category: process_creation}
detection:
  tool: {CommandLine|contains|expand: "%tools%"}
  condition: tool
level: medium
`

// TestLoad: the built-in rules are all good; a rule of the user's file that is
// not stays alone; filters reach built-in rules, and overrides the user's.
func TestLoad(t *testing.T) {
	plain, err := stream.Load(builtin, options())
	if err != nil {
		t.Fatal(err)
	}
	if len(plain.Refusals) > 0 || len(plain.Rules.Rules) < 60 || len(plain.Correlations) < 5 {
		t.Fatalf("%d rules, %d correlations, refused %v", len(plain.Rules.Rules), len(plain.Correlations), plain.Refusals)
	}
	o := options()
	o.Paths = []string{write(t, "mine.yml", shellRule+`---
title: No such field of a condition
logsource: {product: vmware_esxi}
detection: {a: {b: c}, condition: d}
---
title: Not by the scanner
logsource: {product: vmware_esxi, category: administration}
filter:
  rules: [c2fe8b9a-3408-401d-b218-3d2e0f1c6468]
  scanner: {SourceIp: 192.0.2.66}
  condition: scanner
`)}
	o.Placeholders = []stream.Placeholder{{Name: "tools", Values: []string{"nmap"}, File: write(t, "tools.txt", "# ours\n\nmasscan\n")}}
	o.Overrides = []sigma.Override{
		{Paths: []string{"builtin/web_service"}, Disable: true},
		{IDs: []string{"11111111-0000-4000-8000-000000000001"}, Level: "critical"},
	}
	set, err := stream.Load(builtin, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Refusals) != 1 || set.Refusals[0].Line == 0 || !strings.Contains(set.Refusals[0].File, "mine.yml") {
		t.Errorf("refused: %v", set.Refusals)
	}
	filtered, mine := false, false
	for _, r := range set.Rules.Rules {
		if strings.HasPrefix(r.File, "builtin/web_service/") {
			t.Errorf("%s is in force", r.File)
		}
		filtered = filtered || len(r.Filters) == 1 && r.ID == "c2fe8b9a-3408-401d-b218-3d2e0f1c6468"
		mine = mine || r.Level == "critical" && r.Title == "A tool of ours"
	}
	if !filtered || !mine {
		t.Errorf("the filter reached its rule: %t; mine is there at its level: %t", filtered, mine)
	}
}

// TestLogSources: a file of the user's replaces a source, and adds one.
func TestLogSources(t *testing.T) {
	o := options()
	o.LogSources = []string{write(t, "ours.yml", "sources:\n  - {product: ours, when: {log: app}, fields: {Query: message}}\n")}
	set, err := stream.Load(builtin, o)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := stream.Load(builtin, options())
	if got, want := len(set.Table.Sources()), len(before.Table.Sources())+1; got != want {
		t.Errorf("%d sources, want %d", got, want)
	}
}

// TestNotThere: what a key names and is not there, or cannot be used, is an
// error that says the key and the path.
func TestNotThere(t *testing.T) {
	for key, change := range map[string]func(*stream.Options, string){
		"rules.paths": func(o *stream.Options, path string) { o.Paths = []string{path} },
		"rules.placeholders[0].file": func(o *stream.Options, path string) {
			o.Placeholders = []stream.Placeholder{{Name: "a", File: path}}
		},
		"rules.taxonomies[0].file": func(o *stream.Options, path string) { o.Taxonomies = []stream.Taxonomy{{Name: "a", File: path}} },
		"rules.log_sources":        func(o *stream.Options, path string) { o.LogSources = []string{path} },
	} {
		o := options()
		change(&o, "/no/such/place.yml")
		want := key + `: "/no/such/place.yml": `
		if err := o.CheckFiles(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", key, err)
		}
		if _, err := stream.Load(builtin, o); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", key, err)
		}
	}
	for name, text := range map[string]string{"list.yml": "sources: [{when: {log: a}}]", "rules.txt": ""} {
		o := options()
		o.LogSources = []string{write(t, name, text)}
		if err := o.CheckFiles(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		change func(*stream.Options)
		want   string // in the error; empty: none
	}{
		{func(*stream.Options) {}, ""},
		{func(o *stream.Options) { o.Suppress = time.Second }, "rules.suppress: 1s"},
		{func(o *stream.Options) { o.Flood = 0 }, "rules.flood: 0"},
		{func(o *stream.Options) { o.Overrides = []sigma.Override{{Disable: true}} }, "rules.overrides[0]: "},
		{func(o *stream.Options) { o.Overrides = []sigma.Override{{IDs: []string{"a"}, Level: "loud"}} }, "rules.overrides[0]: "},
		{func(o *stream.Options) {
			o.Overrides = []sigma.Override{{IDs: []string{"a"}, Exclude: []string{"{a|nope: b}"}}}
		}, "rules.overrides[0]: "},
		{func(o *stream.Options) { o.Placeholders = []stream.Placeholder{{Name: "%a%", Values: []string{"b"}}} }, "rules.placeholders[0].name"},
		{func(o *stream.Options) { o.Placeholders = []stream.Placeholder{{Name: "a"}} }, "rules.placeholders[0]: "},
		{func(o *stream.Options) { o.Taxonomies = []stream.Taxonomy{{Name: "sigma", File: "a"}} }, "rules.taxonomies[0].name"},
		{func(o *stream.Options) { o.Taxonomies = []stream.Taxonomy{{Name: "ecs"}} }, "rules.taxonomies[0].file"},
	} {
		o := options()
		c.change(&o)
		err := o.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}
