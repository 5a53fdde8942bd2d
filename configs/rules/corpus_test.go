package rules_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// onPublicRecords are the rules that hold for public records of ESXi and
// vCenter, how often, and whether that is right.
var onPublicRecords = map[string]int{
	// An attack replayed for a report on forensics: SSH switched on in the host
	// client, told by hostd and by the service itself.
	"hypervisor/esxi_ssh_enabled.yml": 2,
	// The same report: two commands run in a guest through the host.
	"hypervisor/esxi_guest_operation.yml": 2,
	// The group of administrators was changed, as in attacks on CVE-2024-37085.
	"hypervisor/esxi_esx_admins_group.yml": 1,
	// A record whose author wrote 1.2.3.4 for the client: public, as it stands.
	"hypervisor/esxi_login_from_public_address.yml": 1,
	// Parts of correlations, which raise nothing alone: a shell session that
	// lists what the host has (three commands of the five), SSH logins, a login
	// that failed.
	"hypervisor/esxi_discovery_burst.yml (part)":        3,
	"hypervisor/esxi_ssh_bruteforce_success.yml (part)": 3,
	"hypervisor/esxi_password_spray.yml (part)":         1,
}

// TestPublicRecords: on records that people published, mostly of outages and
// of parsers, rules are silent but for what they are meant for.
func TestPublicRecords(t *testing.T) {
	root := os.Getenv("VEGRESS_CORPUS")
	if root == "" {
		t.Skip("VEGRESS_CORPUS is not set: the corpus of public records is not here")
	}
	data, err := os.ReadFile(filepath.Join(root, "esxi", "records.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, load(t).Rules)
	found := map[string]int{}
	for line := range bytes.Lines(data) {
		var r struct{ Raw string }
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		for _, rule := range firing(b, decode(r.Raw)) {
			name := rule.File
			if rule.Silent {
				name += " (part)"
			}
			found[name]++
			t.Logf("%s: %.220s", name, r.Raw)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if found[name] != onPublicRecords[name] {
			t.Errorf("%s holds for %d records, want %d", name, found[name], onPublicRecords[name])
		}
	}
	for name := range onPublicRecords {
		if found[name] == 0 {
			t.Errorf("%s holds for no record, want %d", name, onPublicRecords[name])
		}
	}
}
