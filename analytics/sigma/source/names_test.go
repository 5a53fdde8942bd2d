package source_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vegress/vegress/analytics/sigma/source"
	"github.com/vegress/vegress/event"
)

var interned = regexp.MustCompile(`event\.Intern\("([^"]+)"\)`)

// TestNamesOfDecoders: for hosts and vCenters, the table has the names of all
// fields that their decoders put into an event, and no others.
func TestNamesOfDecoders(t *testing.T) {
	table := builtin(t)
	for product, rooms := range map[string][]string{
		"vmware_esxi": {"vsphere", "vsphere/esxi"}, "vmware_vcenter": {"vsphere", "vsphere/vcenter"},
	} {
		var want []string
		for _, room := range rooms {
			files, err := filepath.Glob(filepath.Join("..", "..", "..", filepath.FromSlash(room), "*.go"))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				for _, found := range interned.FindAllStringSubmatch(string(text), -1) {
					if !strings.HasSuffix(file, "_test.go") {
						want = append(want, found[1])
					}
				}
			}
		}
		slices.Sort(want)
		want = slices.Compact(want)
		for _, id := range table.Select(source.Source{Product: product}) {
			names, complete := table.Names(id)
			if !complete {
				t.Errorf("%v is not complete", table.Sources()[id])
			}
			for _, name := range want {
				if !slices.Contains(names, name) {
					t.Errorf("%v lacks %s", table.Sources()[id], name)
				}
			}
			if got := len(names) - len(table.Fields(id)); got != len(want) {
				t.Errorf("%v has %d names of its own, want %d", table.Sources()[id], got, len(want))
			}
		}
	}
}

// ofCollection are fields that the public collection of records added, and the
// shipper when it failed to read a record.
var ofCollection = []string{"type", "ERROR_EVT_UNRESOLVED"}

// TestNamesOfRecords: of real records, the table knows every field where it
// says that it does.
func TestNamesOfRecords(t *testing.T) {
	root := os.Getenv("VEGRESS_CORPUS")
	if root == "" {
		t.Skip("VEGRESS_CORPUS is not set: the corpus of real records is not here")
	}
	table := builtin(t)
	view := table.NewView()
	judged, strange := 0, map[string]string{}
	look := func(ev *event.Event) {
		for _, id := range slices.Clone(view.Look(ev)) {
			names, complete := table.Names(id)
			if !complete {
				continue
			}
			judged++
			for _, f := range ev.Fields {
				if name := strings.ReplaceAll(f.ID.Name(), " ", ""); !slices.Contains(names, name) && !slices.Contains(ofCollection, name) {
					strange[table.Sources()[id].String()+" "+name] = ev.Raw
				}
			}
		}
	}
	for _, pattern := range []string{"sigma/dev/flat/*.jsonl", "sigma/bench_events/*.jsonl"} {
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			eachLine(t, file, func(line string) {
				ev := new(event.Event)
				if err := source.ReadJSON([]byte(line), ev); err != nil {
					t.Fatal(err)
				}
				look(ev)
			})
		}
	}
	eachLine(t, filepath.Join(root, "esxi", "records.jsonl"), func(line string) {
		var r struct{ Raw string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		look(decode(r.Raw))
	})
	for field, raw := range strange {
		t.Errorf("%s is not known: %.300s", field, raw)
	}
	if judged < 2000 {
		t.Errorf("only %d records were of a source whose fields are known", judged)
	}
}

func eachLine(t *testing.T, file string, tell func(string)) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if lines.Text() != "" {
			tell(lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestNames(t *testing.T) {
	table, err := source.Load(fstest.MapFS{"a.yml": {Data: []byte(`
product: acme
own: [head]
complete: true
sources:
  - {service: a, when: {log: a}, own: [body], fields: {Text: message}}
  - {service: b, when: {log: b}, complete: false}
`)}})
	if err != nil {
		t.Fatal(err)
	}
	if names, complete := table.Names(0); !complete || !slices.Equal(names, []string{"Text", "head", "body"}) {
		t.Errorf("a: %v, %t", names, complete)
	}
	if names, complete := table.Names(1); complete || !slices.Equal(names, []string{"head"}) {
		t.Errorf("b: %v, %t", names, complete)
	}
}
