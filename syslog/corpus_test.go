package syslog_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/syslog"
)

// corpus reads a file of public records, one JSON object a line.
func corpus[T any](t *testing.T, name string) []T {
	t.Helper()
	dir := os.Getenv("VEGRESS_CORPUS")
	if dir == "" {
		t.Skip("VEGRESS_CORPUS is not set: public records are not tested")
	}
	f, err := os.Open(filepath.Join(dir, "esxi", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []T
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var v T
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	if sc.Err() != nil {
		t.Fatal(sc.Err())
	}
	return all
}

// TestCorpusRecords compares host and program of every public record with
// what was written down for it, by index and hash.
func TestCorpusRecords(t *testing.T) {
	type record struct{ Raw string }
	records := corpus[record](t, "records.jsonl")
	file, err := os.ReadFile("testdata/corpus_envelopes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")[1:]
	if len(lines) != len(records) {
		t.Fatalf("%d expectations for %d records", len(lines), len(records))
	}
	p := syslog.Parser{Reference: reference}
	right := 0
	for i, r := range records {
		var m syslog.Message
		p.Parse(r.Raw, &m)
		got := fmt.Sprintf("%d\t%.4x\t%s\t%s", i, sha256.Sum256([]byte(r.Raw)), m.Host, m.App)
		if got != lines[i] {
			t.Errorf("got  %s\nwant %s", got, lines[i])
			continue
		}
		right++
		if m.Raw != r.Raw || m.Text == "" {
			t.Errorf("record %d: text lost", i)
		}
	}
	t.Logf("host and program right: %d of %d", right, len(records))
}

// TestCorpusEnvelopes holds what each of the numbered envelope shapes must
// give. The lines share most of their parts, so that few of them are said.
func TestCorpusEnvelopes(t *testing.T) {
	type shape struct {
		Name string `json:"name"`
		Line []byte `json:"line_base64"` // encoding/json decodes it
	}
	type expect struct {
		pri             int // 0: 166; -1: none
		frac            time.Duration
		host, app, proc string // host "": esx01.lab.local; "-": none
		text, id, data  string // text: how it begins
		length          int    // of the text
		flaw            syslog.Malformed
		month, day      int // 0: 11-22
		hour, minute    int // 0: 06:00
		second          int
	}
	const ms, us = time.Millisecond, time.Microsecond
	info := "info hostd[2] text"
	want := map[string]expect{
		"01": {frac: 123 * ms, app: "Hostd", text: "info hostd[2099153] [Originator@6876 sub=Vimsvc", length: 98},
		"02": {pri: 38, app: "sshd", proc: "2101234", text: "Accepted keyboard-interactive/pam for root", length: 72},
		"03": {pri: 110, frac: ms, app: "shell", proc: "2101234", text: "[root]: esxcli", length: 33},
		"04": {pri: 181, frac: ms, app: "vmkernel", text: "cpu12:2097677)ScsiDeviceIO: ", length: 90},
		"05": {pri: 14, frac: ms, app: "vobd", text: "[netCorrelator] 123us: [esx.problem", length: 76},
		"06": {frac: ms, app: "Hostd", text: "--> (vim.event.EventEx) {", length: 25},
		"07": {frac: 123 * ms, app: "Hostd", text: info, length: 18, hour: 5},
		"08": {frac: 123456 * us, app: "Hostd", text: info, length: 18},
		"09": {frac: 123456789, app: "Hostd", text: info, length: 18},
		"10": {frac: 123 * ms, host: "10.20.30.40", app: "Hostd", text: info, length: 18},
		"11": {frac: 123 * ms, host: "2001:db8::15", app: "Hostd", text: info, length: 18},
		"12": {frac: 123 * ms, host: "-", app: "Hostd", text: info, length: 18},
		"13": {frac: 123 * ms, text: "last message repeated 3 times", length: 29},
		"14": {frac: 123 * ms, app: "hostd-probe", text: "info hostd-probe[2098] [Originator", length: 77},
		"15": {pri: 14, frac: 123 * ms, app: "/bin/vmware-x.sh", text: "started", length: 7},
		"16": {pri: 14, frac: 123 * ms, app: "backup.sh.2101", text: "Locking esx.conf", length: 16},
		"17": {frac: 123 * ms, app: "Hostd", text: "info hostd[2] VM \"Buchhaltung-S\u00fcd \u21165\" powered on", length: 51},
		"18": {frac: 123 * ms, app: "Hostd", text: "info\thostd[2]\ttext", length: 18},
		"19": {frac: 123 * ms, app: "Hostd", text: "VM S\xfcd", length: 6, flaw: syslog.BadEncoding},
		"20": {frac: 123 * ms, app: "Hostd", flaw: syslog.Empty},
		"21": {pri: -1, frac: 123 * ms, app: "Hostd", text: info, length: 18},
		"22": {host: "-", text: "vmfs/volumes. = 17", length: 18, month: 6, day: 29, hour: 11, minute: 27, second: 45},
		"23": {host: "esx01", app: "Hostd", text: info, length: 18},
		"24": {host: "esx01", app: "Hostd", text: info, length: 18, day: 2},
		"25": {frac: 123 * ms, app: "Hostd", proc: "2099153", text: "info text", length: 9},
		"26": {frac: 123 * ms, app: "Hostd", proc: "2099153", data: `[Originator@6876 sub="Vimsvc" opID="ab-1"]`, text: "info text", length: 9},
		"27": {frac: 123 * ms, app: "Hostd", proc: "2099153", data: `[Originator@6876 sub=Vimsvc opID=ab-1]`, text: "info text", length: 9},
		"28": {pri: 14, frac: 123456 * us, host: "vcsa01.lab.local", app: "vpxd", proc: "5123", text: "Event [123] [1-1] [2026-", length: 116},
		"29": {pri: 14, frac: 123 * ms, host: "vcsa01.lab.local", app: "vpxd", proc: "5123", text: "text without the dash", length: 21, flaw: syslog.BadHeader},
		"30": {
			pri: 182, frac: 786 * ms, host: "nsx01.lab", app: "NSXV", proc: "6152", data: `[nsxv@6876 comp="nsx-manager"]`, text: "Start", length: 5,
			month: 6, day: 29, hour: 9, minute: 52, second: 50,
		},
		"31": {frac: 123 * ms, app: "Hostd", text: "info text", length: 9},
		"32": {pri: -1, frac: 123 * ms, app: "Hostd", text: "text", length: 4, flaw: syslog.BadPRI},
	}
	or := func(v, def int) int {
		if v == 0 {
			return def
		}
		return v
	}
	shapes := corpus[shape](t, "envelopes.jsonl")
	for _, s := range shapes {
		t.Run(s.Name, func(t *testing.T) {
			w, ok := want[s.Name[:2]]
			if !ok {
				t.Fatal("no expectation")
			}
			w.pri = or(w.pri, 166)
			switch w.host {
			case "":
				w.host = "esx01.lab.local"
			case "-":
				w.host = ""
			}
			when := time.Date(2026, time.Month(or(w.month, 11)), or(w.day, 22), or(w.hour, 6), w.minute, w.second, int(w.frac), time.UTC)
			var m syslog.Message
			(&syslog.Parser{Reference: reference}).Parse(string(s.Line), &m)
			pri := -1
			if m.HasPRI {
				pri = int(m.Facility)*8 + int(m.Severity)
			}
			if pri != w.pri || !m.Time.Equal(when) || m.Host != w.host || m.App != w.app || m.ProcID != w.proc || m.MsgID != w.id ||
				m.Data != w.data || !strings.HasPrefix(m.Text, w.text) || len(m.Text) != w.length || m.Malformed != w.flaw {
				t.Errorf("got  PRI %d, %s, text of %d, %+v\nwant %s, %+v", pri, m.Time, len(m.Text), m, when, w)
			}
		})
	}
	if len(shapes) != len(want) {
		t.Errorf("%d shapes, %d expectations", len(shapes), len(want))
	}
}
