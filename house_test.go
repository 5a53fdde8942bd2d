// Package vegress_test holds the rules of the house: which room may import
// which, and which foreign library lives where.
package vegress_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/vegress/vegress/"

// room says what a folder may import: ours by folder name, foreign by module
// path prefix. A room that is not listed here has no place in the house.
type room struct {
	ours    []string
	foreign []string
}

var std = []string(nil)

var rooms = map[string]room{
	"event":                {nil, std},
	"event/eventtest":      {[]string{"event"}, []string{"github.com/santhosh-tekuri/jsonschema/v6"}},
	"syslog":               {nil, []string{"github.com/influxdata/go-syslog/v3"}},
	"syslog/server":        {[]string{"syslog"}, std},
	"accesslog":            {nil, std},
	"capture":              {nil, std},
	"vsphere":              {[]string{"accesslog", "event", "syslog"}, std},
	"vsphere/esxi":         {[]string{"vsphere", "event", "syslog"}, std},
	"vsphere/vcenter":      {[]string{"vsphere", "event", "syslog"}, std},
	"vsphere/resolver":     {[]string{"vsphere", "event", "syslog"}, std},
	"vsphere/ipfix":        {[]string{"capture", "event"}, []string{"github.com/netsampler/goflow2/v2/decoders"}},
	"vsphere/proxy":        {[]string{"accesslog", "vsphere", "event", "syslog"}, std},
	"vsphere/session":      {nil, []string{"github.com/vmware/govmomi"}},
	"vsphere/inventory":    {[]string{"event", "vsphere/session"}, []string{"github.com/vmware/govmomi"}},
	"vsphere/loghost":      {[]string{"vsphere/session"}, []string{"github.com/vmware/govmomi"}},
	"analytics":            {[]string{"event"}, std},
	"analytics/names":      {[]string{"event"}, []string{"golang.org/x/net/publicsuffix"}},
	"analytics/webservice": {[]string{"event"}, []string{"github.com/gaissmai/bart"}},
	"analytics/egress":     {[]string{"analytics", "event"}, []string{"github.com/gaissmai/bart"}},
	"analytics/evidence":   {[]string{"analytics", "event"}, std},
	"analytics/suggest":    {[]string{"event"}, std},
	"analytics/apiuse":     {[]string{"analytics", "event"}, std},
	"analytics/behavior":   {[]string{"analytics", "event"}, std},
	"analytics/hosts":      {[]string{"analytics", "event"}, std},
	"analytics/risk":       {[]string{"analytics", "event"}, std},
	"analytics/webuse":     {[]string{"analytics", "event"}, std},
	"analytics/fusion":     {[]string{"analytics", "event"}, std},
	"analytics/sigma":      {[]string{"event"}, []string{"go.yaml.in/yaml/v3"}},
	"analytics/endpoint":   {[]string{"event"}, []string{"github.com/tidwall/gjson"}},
	"forward/broker":       {nil, []string{"github.com/nats-io/nats-server/v2", "golang.org/x/sys", "go.yaml.in/yaml/v3", "golang.org/x/crypto"}},
	"forward":              {[]string{"event", "forward/broker"}, []string{"github.com/nats-io/nats.go", "github.com/klauspost/compress"}},
	"configs":              {[]string{"syslog/server", "vsphere/session", "vsphere/inventory", "analytics/apiuse", "analytics/behavior", "analytics/fusion", "analytics/risk", "analytics/webuse", "analytics/egress", "analytics/evidence", "analytics/hosts", "analytics/sigma", "analytics/sigma/stream", "analytics/webservice", "forward", "forward/broker", "forward/ingest"}, []string{"github.com/spf13/viper", "github.com/go-viper/mapstructure/v2", "go.yaml.in/yaml/v3"}},
	"forward/ingest":       {[]string{"event", "forward"}, []string{"github.com/nats-io/nats.go"}},
	"configs/catalogue":    {nil, std},
	"simulator":            {nil, []string{"github.com/vmware/govmomi"}},
	"cmd/vegress":          {[]string{"cmd/internal/app"}, std},
	"cmd/internal/app":     {[]string{"*"}, []string{"*"}},

	"analytics/sigma/source":     {[]string{"event"}, []string{"go.yaml.in/yaml/v3"}},
	"analytics/sigma/stream":     {[]string{"analytics", "analytics/sigma", "analytics/sigma/source", "event"}, []string{"go.yaml.in/yaml/v3"}},
	"analytics/sigma/export":     {[]string{"analytics/sigma"}, []string{"go.yaml.in/yaml/v3"}},
	"analytics/sigma/ruletest":   {[]string{"analytics/sigma", "analytics/sigma/source", "event"}, []string{"go.yaml.in/yaml/v3"}},
	"analytics/endpoint/windows": {[]string{"analytics/endpoint", "event"}, []string{"github.com/tidwall/gjson"}},
	"analytics/endpoint/linux":   {[]string{"analytics/endpoint", "event"}, []string{"github.com/tidwall/gjson"}},
	"analytics/endpoint/macos":   {[]string{"analytics/endpoint", "event"}, []string{"github.com/tidwall/gjson"}},
	"analytics/endpoint/network": {[]string{"accesslog", "analytics/endpoint", "capture", "event"}, []string{"github.com/tidwall/gjson", "github.com/gopacket/gopacket"}},
	"configs/rules":              {nil, std},
	"configs/sigma":              {nil, std},
	"configs/sigma/export":       {nil, std},
	"analytics/sigma/coverage":   {[]string{"analytics/sigma", "analytics/sigma/source"}, []string{"go.yaml.in/yaml/v3"}},
}

// TestArrows fails on any import that the house does not have: arrows point
// from later to earlier in the flow, and siblings do not import each other.
func TestArrows(t *testing.T) {
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && file != "." || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") {
			checkArrows(t, filepath.ToSlash(file))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkArrows(t *testing.T, file string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	folder := path.Dir(file)
	r, known := rooms[folder]
	if !known {
		t.Errorf("%s: folder %s is no room of the house: add it to the list with its arrows", file, folder)
		return
	}
	for _, spec := range parsed.Imports {
		if target := strings.Trim(spec.Path.Value, `"`); !r.mayImport(target) {
			t.Errorf("%s imports %s: no such arrow", file, target)
		}
	}
}

func (r room) mayImport(target string) bool {
	if ours, ok := strings.CutPrefix(target, module); ok {
		return slices.Contains(r.ours, ours) || slices.Contains(r.ours, "*")
	}
	if first, _, _ := strings.Cut(target, "/"); !strings.Contains(first, ".") {
		return true // the standard library
	}
	return slices.ContainsFunc(r.foreign, func(prefix string) bool {
		return prefix == "*" || target == prefix || strings.HasPrefix(target, prefix+"/")
	})
}
