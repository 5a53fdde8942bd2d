package sigma_test

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/event"
)

// corpus gives the folder of real rules and events, which lies beside the
// project where it is at all.
func corpus(t testing.TB) fs.FS {
	t.Helper()
	folder := os.Getenv("VEGRESS_CORPUS")
	if folder == "" {
		t.Skip("VEGRESS_CORPUS does not name the corpus of real rules and events")
	}
	folder = filepath.Join(folder, "sigma")
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("no Sigma corpus: %v", err)
	}
	return os.DirFS(folder)
}

var realRules = sync.OnceValues(func() (*sigma.Rules, *sigma.Rules) {
	fsys := os.DirFS(filepath.Join(os.Getenv("VEGRESS_CORPUS"), "sigma"))
	return sigma.Load(fsys, []string{"rules.tar.gz"}, sigma.Options{}),
		sigma.Load(fsys, []string{"rules.tar.gz"}, sigma.Options{Placeholders: placeholderValues()})
})

// allRules gives all of SigmaHQ, with values for its placeholders.
func allRules(t testing.TB) *sigma.Rules {
	corpus(t)
	_, rules := realRules()
	return rules
}

// readRecords reads events as JSON lines, values as they are in JSON.
func readRecords(t testing.TB, fsys fs.FS, name string) []sigma.Record {
	t.Helper()
	file, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var records []sigma.Record
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if len(lines.Bytes()) > 0 {
			records = append(records, sigma.Record{Fields: fieldsOf(t, lines.Bytes())})
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return records
}

func fieldsOf(t testing.TB, line []byte) []event.Field {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(line)))
	decoder.UseNumber()
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	var fields []event.Field
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		f := event.Field{ID: event.Intern(name.(string))}
		switch v := value.(type) {
		case nil:
			f.Kind = event.KindNull
		case bool:
			f.Kind, f.Value = event.KindBool, map[bool]string{true: "true", false: "false"}[v]
		case json.Number:
			f.Kind, f.Value = event.KindNumber, v.String()
		case string:
			f.Value = v
		default:
			text, _ := json.Marshal(v)
			f.Value = string(text)
		}
		fields = append(fields, f)
	}
	return fields
}

// devCase is one line of INDEX.tsv.
type devCase struct {
	id, rule, flat string
	mustFire       int
	atLeast        bool
}

func devCases(t testing.TB) []devCase {
	t.Helper()
	content, err := fs.ReadFile(corpus(t), "INDEX.tsv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	column := map[string]int{}
	for i, name := range strings.Split(lines[0], "\t") {
		column[name] = i
	}
	var cases []devCase
	for _, line := range lines[1:] {
		parts := strings.Split(line, "\t")
		get := func(name string) string { return parts[column[name]] }
		c := devCase{id: get("rule_id"), rule: get("rule_path"), flat: get("event_file_flat")}
		if err := json.Unmarshal([]byte(get("docs_that_fire_reference")), &c.mustFire); err != nil {
			t.Fatal(err)
		}
		c.atLeast = get("expected_matches") != get("docs_that_fire_reference")
		cases = append(cases, c)
	}
	return cases
}

func TestCorpusRulesLoad(t *testing.T) {
	corpus(t)
	without, with := realRules()
	for _, refusal := range with.Refusals {
		t.Errorf("refused: %v", refusal)
	}
	if len(with.Rules) != 3780 {
		t.Errorf("loaded %d rules with placeholders set, want 3780", len(with.Rules))
	}
	for _, refusal := range without.Refusals {
		if !strings.Contains(refusal.Reason, "placeholder %") || refusal.Line == 0 {
			t.Errorf("refused: %v", refusal)
		}
	}
	if got := len(without.Rules) + len(without.Refusals); got != 3780 {
		t.Errorf("loaded and refused together %d, want 3780", got)
	}
	t.Logf("%d of 3780 rules without placeholders, %d with", len(without.Rules), len(with.Rules))
}

// TestDevCases: each rule fires for its documents, with all other rules of
// SigmaHQ loaded beside it.
func TestDevCases(t *testing.T) {
	fsys := corpus(t)
	engine := sigma.Compile(allRules(t).Rules)
	m := engine.NewMatcher()
	for _, c := range devCases(t) {
		fired := 0
		for _, record := range readRecords(t, fsys, c.flat) {
			m.Match(&record, func(h *sigma.Hit) {
				if h.Rule.ID == c.id {
					fired++
					if len(h.Evidence()) == 0 {
						t.Errorf("%s: a hit without evidence", c.id)
					}
				}
			})
		}
		if fired != c.mustFire && !(c.atLeast && fired > 0) {
			t.Errorf("%s (%s) fires for %d documents, want %d", c.id, c.rule, fired, c.mustFire)
		}
	}
}

// placeholderNames are the placeholders that SigmaHQ's rules have.
var placeholderNames = strings.Fields(`
	Administrators Admins_Workstations ApprovedUserUpn Approved_Inviters DomainControllers HomeTenantID Important_AppIds
	KNOWN_LOCATION Known_Location Legitimate_Countries Legitimate_IP_Ranges ServerSystems UnApprovedDevice UnApprovedIp
	UnLegitCountries Workstations dc_ip_addresses dc_machine_accounts domain_controller_hostnames internal_domains known_cdcs
	legit_ips legtimate_identifiers userdomain`)
