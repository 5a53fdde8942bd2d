package source_test

import (
	"bytes"
	"encoding/csv"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/source"
	"github.com/vegress/vegress/event"
)

// corpus gives the folder of SigmaHQ's rules, which lies beside the project
// where it is at all.
func corpus(t testing.TB) fs.FS {
	t.Helper()
	folder := os.Getenv("VEGRESS_CORPUS")
	if folder == "" {
		t.Skip("VEGRESS_CORPUS is not set: SigmaHQ's rules are not here")
	}
	folder = filepath.Join(folder, "sigma")
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("no Sigma corpus: %v", err)
	}
	return os.DirFS(folder)
}

// fires says that rule holds for ev through the table.
func fires(all *source.Table, rule *sigma.Rule, ev *event.Event) bool {
	matcher := sigma.Compile([]*sigma.Rule{rule}).NewMatcher()
	of := all.Select(source.Source{Product: rule.LogSource.Product, Category: rule.LogSource.Category, Service: rule.LogSource.Service})
	view, held := all.NewView(), false
	for _, id := range view.Look(ev) {
		for _, want := range of {
			if id == want {
				matcher.Match(&sigma.Record{Fields: ev.Fields, Typed: view.Typed(id), Text: ev.Raw}, func(*sigma.Hit) { held = true })
			}
		}
	}
	return held
}

// shellLines are lines for which a rule of SigmaHQ for esxcli fires, by its
// file's name, and near ones for which it does not.
var shellLines = map[string]struct{ hit, miss string }{
	"proc_creation_lnx_esxcli_network_discovery.yml":       {"esxcli network ip interface list", "esxcli network ip interface remove -i vmk3"},
	"proc_creation_lnx_esxcli_permission_change_admin.yml": {"esxcli system permission set --id helpdesk -r Admin", "esxcli system permission set --id helpdesk -r ReadOnly"},
	"proc_creation_lnx_esxcli_storage_discovery.yml":       {"esxcli storage filesystem list", "esxcli storage filesystem rescan"},
	"proc_creation_lnx_esxcli_syslog_config_change.yml":    {"esxcli system syslog config set --loghost=''", "esxcli system syslog reload"},
	"proc_creation_lnx_esxcli_system_discovery.yml":        {"esxcli system version get", "esxcli system shutdown reboot -r patch"},
	"proc_creation_lnx_esxcli_user_account_creation.yml":   {"esxcli system account add -i backupsvc -p x -c x", "esxcli system account list"},
	"proc_creation_lnx_esxcli_vm_discovery.yml":            {"esxcli vm process list", "esxcli vm process kill -t soft -w 21044"},
	"proc_creation_lnx_esxcli_vm_kill.yml":                 {"for w in $(esxcli vm process list | awk '/World ID/{print $3}'); do esxcli vm process kill --type=force -w $w; done", "ps -c | grep kill"},
	"proc_creation_lnx_esxcli_vsan_discovery.yml":          {"esxcli vsan cluster get", "esxcli vsan cluster leave"},
}

// TestEsxcliRules: SigmaHQ's rules for esxcli work on bare shell lines.
func TestEsxcliRules(t *testing.T) {
	rules := sigma.Load(corpus(t), []string{"rules.tar.gz"}, sigma.Options{})
	all := builtin(t)
	found := 0
	for _, rule := range rules.Rules {
		name := path.Base(rule.File)
		if !strings.Contains(name, "esxcli") {
			continue
		}
		found++
		lines, ok := shellLines[name]
		if !ok {
			t.Errorf("%s: no line to try", name)
			continue
		}
		for _, envelope := range []string{
			"<110>2026-11-02T09:15:01Z esx01 shell[2101]: [root]: ",
			"<14>1 2026-11-02T09:15:01.120Z esx01 shell 2101 - - [root]: ",
			"2026-11-02T09:15:01.120Z In(14) shell[2101]: [root]: ",
			"<14>2026-11-02T09:15:01Z esx01 shell[2101]: ",
		} {
			if !fires(all, rule, decode(envelope+lines.hit)) {
				t.Errorf("%s does not fire: %s%s", name, envelope, lines.hit)
			}
			if fires(all, rule, decode(envelope+lines.miss)) {
				t.Errorf("%s fires: %s%s", name, envelope, lines.miss)
			}
		}
	}
	if found != len(shellLines) {
		t.Errorf("%d rules for esxcli, want %d", found, len(shellLines))
	}
}

// TestCorpusCases: SigmaHQ's own cases fire, from both forms of JSON, through
// the log sources of the table.
func TestCorpusCases(t *testing.T) {
	fsys := corpus(t)
	index, err := fs.ReadFile(fsys, "INDEX.tsv")
	if err != nil {
		t.Fatal(err)
	}
	reader := csv.NewReader(bytes.NewReader(index))
	reader.Comma = '\t'
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	all, cases := builtin(t), 0
	for _, row := range rows[1:] {
		rules := sigma.Load(fsys, []string{row[3]}, sigma.Options{}).Rules
		if len(rules) != 1 {
			t.Errorf("%s: %d rules", row[3], len(rules))
			continue
		}
		for _, name := range row[4:6] {
			content, err := fs.ReadFile(fsys, name)
			if err != nil {
				t.Fatal(err)
			}
			hits := 0
			for record := range bytes.Lines(content) {
				var ev event.Event
				if err := source.ReadJSON(bytes.TrimSpace(record), &ev); err != nil {
					t.Fatal(err)
				}
				if fires(all, rules[0], &ev) {
					hits++
				}
			}
			if hits == 0 {
				t.Errorf("%s: no record of %s fires", row[2], name)
			}
			cases++
		}
	}
	t.Logf("%d files of records", cases)
}
