package stream

import (
	"slices"
	"strings"

	"github.com/vegress/vegress/event"
)

// attackTag opens the tags that name tactics and techniques of MITRE ATT&CK.
const attackTag = "attack."

// tactic is one of ATT&CK 19; defense-evasion is what Stealth was called
// before, and older rules still do.
type tactic struct{ uid, name string }

var tactics = map[string]tactic{
	"reconnaissance":       {"TA0043", "Reconnaissance"},
	"resource-development": {"TA0042", "Resource Development"},
	"initial-access":       {"TA0001", "Initial Access"},
	"execution":            {"TA0002", "Execution"},
	"persistence":          {"TA0003", "Persistence"},
	"privilege-escalation": {"TA0004", "Privilege Escalation"},
	"stealth":              {"TA0005", "Stealth"},
	"defense-evasion":      {"TA0005", "Defense Evasion"},
	"defense-impairment":   {"TA0112", "Defense Impairment"},
	"credential-access":    {"TA0006", "Credential Access"},
	"discovery":            {"TA0007", "Discovery"},
	"lateral-movement":     {"TA0008", "Lateral Movement"},
	"collection":           {"TA0009", "Collection"},
	"command-and-control":  {"TA0011", "Command and Control"},
	"exfiltration":         {"TA0010", "Exfiltration"},
	"impact":               {"TA0040", "Impact"},
}

// techniques are the names of those that the built-in rules are about, and the
// tactics, by their tags, that they serve there. Those of other rules go by
// their ids alone.
var techniques = map[string]struct {
	name    string
	tactics string
}{
	"T1003":     {"OS Credential Dumping", "credential-access"},
	"T1003.003": {"NTDS", "credential-access"},
	"T1003.008": {"/etc/passwd and /etc/shadow", "credential-access"},
	"T1005":     {"Data from Local System", "collection"},
	"T1021.004": {"SSH", "lateral-movement"},
	"T1027":     {"Obfuscated Files or Information", "stealth"},
	"T1037.004": {"RC Scripts", "persistence privilege-escalation"},
	"T1040":     {"Network Sniffing", "credential-access discovery"},
	"T1048":     {"Exfiltration Over Alternative Protocol", "exfiltration"},
	"T1053.003": {"Cron", "execution persistence privilege-escalation"},
	"T1059":     {"Command and Scripting Interpreter", "execution"},
	"T1059.001": {"PowerShell", "execution"},
	"T1059.004": {"Unix Shell", "execution"},
	"T1059.012": {"Hypervisor CLI", "execution"},
	"T1070":     {"Indicator Removal", "stealth"},
	"T1070.003": {"Clear Command History", "stealth"},
	"T1070.006": {"Timestomp", "stealth"},
	"T1071.001": {"Web Protocols", "command-and-control"},
	"T1078.003": {"Local Accounts", "initial-access persistence privilege-escalation stealth"},
	"T1082":     {"System Information Discovery", "discovery"},
	"T1090":     {"Proxy", "command-and-control"},
	"T1090.004": {"Domain Fronting", "command-and-control"},
	"T1095":     {"Non-Application Layer Protocol", "command-and-control"},
	"T1098":     {"Account Manipulation", "persistence privilege-escalation"},
	"T1098.004": {"SSH Authorized Keys", "persistence privilege-escalation"},
	"T1098.007": {"Additional Local or Domain Groups", "persistence privilege-escalation"},
	"T1102":     {"Web Service", "command-and-control"},
	"T1102.001": {"Dead Drop Resolver", "command-and-control"},
	"T1102.002": {"Bidirectional Communication", "command-and-control"},
	"T1102.003": {"One-Way Communication", "command-and-control"},
	"T1105":     {"Ingress Tool Transfer", "command-and-control"},
	"T1110":     {"Brute Force", "credential-access"},
	"T1110.001": {"Password Guessing", "credential-access"},
	"T1110.003": {"Password Spraying", "credential-access"},
	"T1133":     {"External Remote Services", "initial-access persistence"},
	"T1136.001": {"Local Account", "persistence"},
	"T1190":     {"Exploit Public-Facing Application", "initial-access"},
	"T1485":     {"Data Destruction", "impact"},
	"T1486":     {"Data Encrypted for Impact", "impact"},
	"T1489":     {"Service Stop", "impact"},
	"T1490":     {"Inhibit System Recovery", "impact"},
	"T1491.001": {"Internal Defacement", "impact"},
	"T1496.001": {"Compute Hijacking", "impact"},
	"T1505.003": {"Web Shell", "persistence"},
	"T1505.006": {"vSphere Installation Bundles", "persistence"},
	"T1529":     {"System Shutdown/Reboot", "impact"},
	"T1531":     {"Account Access Removal", "impact"},
	"T1552.004": {"Private Keys", "credential-access"},
	"T1553":     {"Subvert Trust Controls", "stealth defense-impairment"},
	"T1553.006": {"Code Signing Policy Modification", "stealth defense-impairment"},
	"T1561":     {"Disk Wipe", "impact"},
	"T1564.006": {"Run Virtual Instance", "stealth"},
	"T1567":     {"Exfiltration Over Web Service", "exfiltration"},
	"T1567.002": {"Exfiltration to Cloud Storage", "exfiltration"},
	"T1572":     {"Protocol Tunneling", "command-and-control"},
	"T1578":     {"Modify Cloud Compute Infrastructure", "stealth"},
	"T1595.002": {"Vulnerability Scanning", "reconnaissance"},
	"T1673":     {"Virtual Machine Discovery", "discovery"},
	"T1675":     {"ESXi Administration Command", "execution"},
	"T1685":     {"Disable or Modify Tools", "defense-impairment"},
	"T1685.004": {"Disable or Modify Linux Audit System Log", "defense-impairment"},
	"T1685.006": {"Clear Linux or Mac System Logs", "defense-impairment"},
	"T1686":     {"Disable or Modify System Firewall", "defense-impairment"},
	"T1690":     {"Prevent Command History Logging", "defense-impairment"},
}

// attacks makes of a rule's tags the techniques that a finding names, each with
// one tactic: the first of the rule's tactics that the technique serves, else
// the one that stands before it among the tags, else the first. Tactics that
// are left stand alone.
func attacks(tags []string) []event.Attack {
	var named []string // the rule's tactics
	for _, tag := range tags {
		if name := attackName(tag); tactics[name] != (tactic{}) {
			named = append(named, name)
		}
	}
	var all []event.Attack
	used, last := map[string]bool{}, ""
	for _, tag := range tags {
		name := attackName(tag)
		if slices.Contains(named, name) {
			last = name
		}
		if !isTechnique(name) {
			continue
		}
		id := strings.ToUpper(name)
		serves := tacticOf(strings.Fields(techniques[id].tactics), named, last)
		used[serves] = true
		of := tactics[serves]
		all = append(all, event.Attack{Tactic: of.name, TacticUID: of.uid, Technique: techniques[id].name, TechniqueUID: id})
	}
	for _, name := range named {
		if of := tactics[name]; !used[name] {
			used[name] = true
			all = append(all, event.Attack{Tactic: of.name, TacticUID: of.uid})
		}
	}
	return all
}

// attackName is what a tag names of ATT&CK; empty: nothing.
func attackName(tag string) string {
	name, ok := strings.CutPrefix(strings.ToLower(tag), attackTag)
	if !ok {
		return ""
	}
	return strings.ReplaceAll(name, "_", "-")
}

func tacticOf(serves, named []string, last string) string {
	for _, name := range named {
		if slices.Contains(serves, name) {
			return name
		}
	}
	switch {
	case last != "":
		return last
	case len(named) > 0:
		return named[0]
	case len(serves) > 0:
		return serves[0]
	}
	return ""
}

// isTechnique says that a name is like t1102 or t1102.001.
func isTechnique(name string) bool {
	whole, sub, cut := strings.Cut(strings.TrimPrefix(name, "t"), ".")
	return len(name) > 0 && name[0] == 't' && len(whole) == 4 && digits(whole) && (!cut || len(sub) == 3 && digits(sub))
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }
