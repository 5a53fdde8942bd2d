package vsphere_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
	"github.com/vegress/vegress/vsphere/esxi"
	"github.com/vegress/vegress/vsphere/proxy"
	"github.com/vegress/vegress/vsphere/resolver"
	"github.com/vegress/vegress/vsphere/vcenter"
)

var update = flag.Bool("update", false, "write what is found as what is expected")

func newDecoder() *vsphere.Decoder {
	programs := vsphere.Programs(esxi.Recognizers(), vcenter.Recognizers(), resolver.Recognizers(), proxy.Recognizers())
	return vsphere.NewDecoder(programs, vsphere.Options{Replay: true})
}

// corpusRecords reads the public records that VEGRESS_CORPUS names.
func corpusRecords(t testing.TB) []string {
	t.Helper()
	root := os.Getenv("VEGRESS_CORPUS")
	if root == "" {
		t.Skip("VEGRESS_CORPUS is not set: the corpus of public records is not here")
	}
	data, err := os.ReadFile(filepath.Join(root, "esxi", "records.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var records []string
	for line := range bytes.Lines(data) {
		var r struct{ Raw string }
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r.Raw)
	}
	return records
}

func decode(d *vsphere.Decoder, raw string) *event.Event {
	var m syslog.Message
	p := syslog.Parser{Reference: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}
	p.Parse(raw, &m)
	ev := new(event.Event)
	d.Decode(&m, ev)
	return ev
}

// columns of testdata/corpus_expect.tsv. A record's text is not in it.
var columns = []string{"index", "sha", "class", "activity", "status", "host", "program", "src", "dst", "direction", "proto", "bytes", "user", "url", "operation", "object"}

func row(index int, raw string, ev *event.Event) []string {
	sum := sha256.Sum256([]byte(raw))
	r := []string{
		strconv.Itoa(index), hex.EncodeToString(sum[:4]),
		strconv.Itoa(int(ev.Class)), strconv.Itoa(int(ev.Activity)), strconv.Itoa(int(ev.Status)),
		ev.Device.Hostname, ev.LogName, end(&ev.Src), end(&ev.Dst),
		[]string{"", "in", "out", "lateral"}[ev.Direction], number(int64(ev.Protocol)), traffic(ev.Traffic),
		account(ev.User), ev.URL, ev.Operation, ev.Resource,
	}
	for i := range r {
		r[i] = strings.NewReplacer("\t", " ", "\n", " ").Replace(r[i])
		if r[i] == "" {
			r[i] = "-"
		}
	}
	return r
}

func end(e *event.Endpoint) string {
	var parts []string
	if e.IP.IsValid() {
		parts = append(parts, "ip="+e.IP.String())
	}
	add := func(key, value string) {
		if value != "" {
			parts = append(parts, key+"="+value)
		}
	}
	add("name", e.Hostname)
	add("port", number(int64(e.Port)))
	add("mac", e.MAC)
	add("vif", e.VIF)
	add("vm", e.VMName)
	add("swport", e.SwitchPort)
	return strings.Join(parts, ",")
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func traffic(t event.Traffic) string {
	if !t.Known {
		return ""
	}
	return fmt.Sprintf("out=%d/%d,in=%d/%d", t.BytesOut, t.PacketsOut, t.BytesIn, t.PacketsIn)
}

func account(u event.User) string {
	if u.Domain != "" {
		return u.Domain + `\` + u.Name
	}
	return u.Name
}

// TestCorpus holds every event made of a public record against what a reader
// of the record expects: class, host, program, endpoints, direction, counts,
// user, URL.
func TestCorpus(t *testing.T) {
	records := corpusRecords(t)
	d := newDecoder()
	got := make([][]string, len(records))
	for i, raw := range records {
		ev := decode(d, raw)
		if ev.Raw != raw {
			t.Errorf("record %d: raw_data is not the record", i)
		}
		got[i] = row(i, raw, ev)
	}
	const path = "testdata/corpus_expect.tsv"
	if *update {
		writeRows(t, path, got)
	}
	want := readRows(t, path)
	if len(want) != len(got) {
		t.Fatalf("%d expectations for %d records", len(want), len(got))
	}
	fields, right, whole := 0, 0, 0
	for i := range got {
		before := right
		for c := range columns {
			fields++
			if got[i][c] == want[i][c] {
				right++
				continue
			}
			t.Errorf("record %d %s: got %q, want %q", i, columns[c], got[i][c], want[i][c])
		}
		if right-before == len(columns) {
			whole++
		}
	}
	t.Logf("score: %d of %d records, %d of %d members right", whole, len(records), right, fields)
}

func writeRows(t *testing.T, path string, rows [][]string) {
	t.Helper()
	var b strings.Builder
	b.WriteString(strings.Join(columns, "\t") + "\n")
	for _, r := range rows {
		b.WriteString(strings.Join(r, "\t") + "\n")
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readRows(t *testing.T, path string) (rows [][]string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	scanner.Scan() // the head
	for scanner.Scan() {
		r := strings.Split(scanner.Text(), "\t")
		if len(r) != len(columns) {
			t.Fatalf("%s: %d columns in %q", path, len(r), scanner.Text())
		}
		rows = append(rows, r)
	}
	return rows
}

var (
	anAddress = regexp.MustCompile(`(?:^|[^0-9.A-Za-z_-])((?:[0-9]{1,3}\.){3}[0-9]{1,3})(?:[^0-9.]|\.?$|\.[^0-9])`)
	aURL      = regexp.MustCompile(`https?://[^ "')\]]+`)
)

// TestCorpusFacts looks for addresses and URLs in the public records with
// other means than the recognizers have, and for each of them in the event's
// members; the text of the record does not count.
func TestCorpusFacts(t *testing.T) {
	d := newDecoder()
	facts, found := 0, 0
	for i, raw := range corpusRecords(t) {
		ev := decode(d, raw)
		members := memberText(ev)
		var want []string
		for _, m := range anAddress.FindAllStringSubmatch(raw, -1) {
			want = append(want, m[1])
		}
		want = append(want, aURL.FindAllString(raw, -1)...)
		for _, fact := range want {
			facts++
			if strings.Contains(members, fact) {
				found++
				continue
			}
			t.Errorf("record %d: %q is in no member of %s", i, fact, members)
		}
	}
	t.Logf("score: %d of %d addresses and URLs", found, facts)
}

// memberText is the event without its record and its message.
func memberText(ev *event.Event) string {
	e := *ev
	e.Raw, e.Message = "", ""
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %s %s %s %s %s", end(&e.Src), end(&e.Dst), e.URL, account(e.User), e.Process.CmdLine, e.Operation, e.Resource, e.HTTP.UserAgent)
	for _, f := range e.Fields {
		b.WriteString(" " + f.ID.Name() + "=" + f.Value)
	}
	return b.String()
}
