package sigma_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vegress/vegress/analytics/sigma"
)

func namedRule(id string) string {
	return fmt.Sprintf("title: rule %s\nid: %s\nname: name-%s\ntags: [attack.t1059.001]\nlevel: low\nlogsource: {product: test, category: made}\ndetection: {a: {F: %s}, condition: a}\n", id, id, id, id)
}

func ids(rules []*sigma.Rule) string {
	var list []string
	for _, r := range rules {
		list = append(list, r.ID)
	}
	return strings.Join(list, " ")
}

func pack(t *testing.T, files map[string]string) (tarball, zipped []byte) {
	t.Helper()
	var tarBuffer, zipBuffer bytes.Buffer
	compressed := gzip.NewWriter(&tarBuffer)
	tarWriter, zipWriter := tar.NewWriter(compressed), zip.NewWriter(&zipBuffer)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content := files[name]
		if err := tarWriter.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := tarWriter.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		file, err := zipWriter.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []interface{ Close() error }{tarWriter, compressed, zipWriter} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return tarBuffer.Bytes(), zipBuffer.Bytes()
}

func TestLoad(t *testing.T) {
	packed, zipped := pack(t, map[string]string{
		"./x/packed.yml": namedRule("packed"), "x/.hidden/h.yml": "title: [", "x/readme.md": "no rule", "x/ci.yaml": "on: push\njobs: {}\n",
	})
	fsys := fstest.MapFS{
		"one.yml":                   {Data: []byte(namedRule("one"))},
		"dir/two.yaml":              {Data: []byte(namedRule("two"))},
		"dir/deep/three.YML":        {Data: []byte(namedRule("three") + "---\n" + namedRule("four"))},
		"dir/deep/broken.yml":       {Data: []byte("title: [")},
		"dir/list.yml":              {Data: []byte("- not\n- about: Sigma\n")},
		"dir/.github/workflow.yml":  {Data: []byte("title: [")},
		"dir/old/deprecated.yml":    {Data: []byte(strings.Replace(namedRule("old"), "level: low", "status: deprecated", 1))},
		"dir/again.yml":             {Data: []byte(namedRule("one"))},
		"packed.tar.gz":             {Data: packed},
		"zipped.zip":                {Data: zipped},
		"broken.zip":                {Data: []byte("PK")},
		"truncated.tar.gz":          {Data: packed[:20]},
		"dir/large.yml":             {Data: bytes.Repeat([]byte("#\n"), 5<<20)},
		"dir/not_read/picture.jpeg": {Data: []byte{0xFF, 0xD8}},
		"dir/empty.yml":             {},
		"dir/crlf.yml":              {Data: []byte("\xEF\xBB\xBF" + strings.ReplaceAll(namedRule("crlf"), "\n", "\r\n"))},
	}
	read := sigma.Load(fsys, []string{"one.yml", "dir", "packed.tar.gz", "zipped.zip", "broken.zip", "truncated.tar.gz", "nowhere"}, sigma.Options{})
	if got := ids(read.Rules); got != "one crlf three four two packed" {
		t.Errorf("rules %q", got)
	}
	if read.Deprecated != 1 || read.Skipped != 3 {
		t.Errorf("%d deprecated, %d skipped, want 1 and 3", read.Deprecated, read.Skipped)
	}
	var files []string
	for _, r := range read.Refusals {
		files = append(files, fmt.Sprint(r.File, ":", r.Line))
	}
	want := "broken.zip:0 dir/again.yml:1 dir/deep/broken.yml:1 dir/large.yml:0 nowhere:0 truncated.tar.gz:0 zipped.zip!x/packed.yml:1"
	if got := strings.Join(files, " "); got != want {
		t.Errorf("refused %s\nwant    %s", got, want)
	}
}

func TestFilters(t *testing.T) {
	filter := func(rules, source, body string) string {
		return "---\ntitle: Filter Administrator\nlogsource: " + source + "\nfilter:\n    rules: " + rules + "\n    " + body + "\n"
	}
	const selection = "selection: {User|startswith: adm_}\n    condition: selection"
	text := namedRule("one") + "---\n" + namedRule("two") + "---\n" + strings.Replace(namedRule("other"), "made", "other", 1)
	tests := []struct {
		name, filter, filtered string
		refusals               int
	}{
		{"by id and name", filter("[one, name-two]", "{product: test}", selection), "one two", 0},
		{"any of the log source", filter("any", "{product: test, category: made}", selection), "one two", 0},
		{"one that is not there", filter("[one, nobody]", "{product: test}", selection), "one", 1},
		{"wrong log source", filter("[one, other]", "{category: made}", selection), "one", 1},
		{"not selection", filter("[two]", "{product: test}", "selection: {User|re: '^(?:[^a]|a[^d])'}\n    condition: not selection"), "two", 0},
		{"no condition", filter("[two]", "{product: test}", "selection: {User: adm_x}"), "", 1},
		{"no rules", filter("[]", "{product: test}", selection), "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			read := sigma.Parse("f.yml", []byte(text+tt.filter), sigma.Options{})
			if len(read.Refusals) != tt.refusals {
				t.Errorf("refusals %v", read.Refusals)
			}
			var filtered []string
			for _, rule := range read.Rules {
				if !holds(rule, record("F="+rule.ID+"; User=somebody")) {
					t.Errorf("rule %s does not hold for others", rule.ID)
				}
				if !holds(rule, record("F="+rule.ID+"; User=adm_x")) {
					filtered = append(filtered, rule.ID)
					if len(rule.Filters) != 1 {
						t.Errorf("rule %s has filters %v", rule.ID, rule.Filters)
					}
				}
			}
			if got := strings.Join(filtered, " "); got != tt.filtered {
				t.Errorf("filtered %q, want %q", got, tt.filtered)
			}
		})
	}
}

func TestOverrides(t *testing.T) {
	fsys := fstest.MapFS{
		"rules/a/one.yml": {Data: []byte(namedRule("one"))},
		"rules/b/two.yml": {Data: []byte(strings.Replace(namedRule("two"), "t1059.001", "t1102", 1))},
		"rules/b/six.yml": {Data: []byte(namedRule("six"))},
	}
	load := func(overrides ...sigma.Override) *sigma.Rules {
		for _, o := range overrides {
			if err := o.Validate(); err != nil {
				t.Fatal(err)
			}
		}
		return sigma.Load(fsys, []string{"rules"}, sigma.Options{Overrides: overrides})
	}
	if read := load(sigma.Override{IDs: []string{"one", "name-two"}, Disable: true}); ids(read.Rules) != "six" || read.Disabled != 2 {
		t.Errorf("by id and name: %s, %d disabled", ids(read.Rules), read.Disabled)
	}
	if read := load(sigma.Override{Tags: []string{"attack.t1059*"}, Disable: true}); ids(read.Rules) != "two" {
		t.Errorf("by tag: %s", ids(read.Rules))
	}
	if read := load(sigma.Override{Paths: []string{"rules/b"}, Disable: true}, sigma.Override{Paths: []string{"s*.yml"}, Enable: true}); ids(read.Rules) != "one six" {
		t.Errorf("by path: %s", ids(read.Rules))
	}
	read := load(sigma.Override{IDs: []string{"one"}, Level: "critical", Exclude: []string{`{User: svc, Host|startswith: 'b'}`, `{User: root}`}})
	one := read.Rules[0]
	if one.Level != "critical" || !holds(one, record("F=one; User=svc; Host=a")) || holds(one, record("F=one; User=svc; Host=b")) || holds(one, record("F=one; User=root")) {
		t.Errorf("level %s, or the exclusions do not exclude", one.Level)
	}
	for _, bad := range []sigma.Override{
		{},
		{IDs: []string{"x"}, Level: "hi"},
		{Paths: []string{"["}},
		{IDs: []string{"x"}, Exclude: []string{"{F|containz: x}"}},
		{IDs: []string{"x"}, Exclude: []string{"{"}},
		{IDs: []string{"x"}, Exclude: []string{""}},
	} {
		if bad.Validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}
