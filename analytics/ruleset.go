package analytics

import (
	"strings"

	"github.com/vegress/vegress/event"
)

// RuleSetHTTPClient is the ESXi firewall's rule set that lets programs on the
// host reach any web server.
const RuleSetHTTPClient = "httpClient"

// RuleSetChange is what a record says was done to a rule set.
type RuleSetChange uint8

// Changes of a rule set.
const (
	RuleSetUntouched RuleSetChange = iota
	RuleSetOpened
	RuleSetClosed
)

// fieldFirewallOp is where the decoder puts what was done to the rule set,
// when the event's own operation does not say so.
var fieldFirewallOp = event.Intern("firewall_operation")

// HTTPClientChange reads what ev says was done to RuleSetHTTPClient: by
// vobd's or hostd's word (esx.audit.net.firewall.config.changed,
// HostFirewallSystem), or by the command that does it. That it was tried is
// enough: ev.Status says whether it failed.
func HTTPClientChange(ev *event.Event) RuleSetChange {
	if ev.Class == event.ProcessActivity {
		return changeByCommand(ev.Process.CmdLine)
	}
	return changeByEvent(ev)
}

// changeByEvent reads how vobd and hostd name what changed.
func changeByEvent(ev *event.Event) RuleSetChange {
	if !strings.EqualFold(ev.Resource, RuleSetHTTPClient) {
		return RuleSetUntouched
	}
	op := ev.Operation
	if f, ok := ev.Field(fieldFirewallOp); ok {
		op = f.Value
	}
	switch strings.ToLower(op[strings.LastIndexByte(op, '.')+1:]) {
	case "enable", "enableruleset", "add", "addip", "open", "allowall":
		return RuleSetOpened
	case "disable", "disableruleset", "remove", "close":
		return RuleSetClosed
	}
	return RuleSetUntouched
}

// changeByCommand reads "esxcli network firewall ruleset set -e true -r
// httpClient", in the ways that esxcli takes its options.
func changeByCommand(line string) RuleSetChange {
	if !strings.Contains(line, RuleSetHTTPClient) {
		return RuleSetUntouched
	}
	words := strings.Fields(strings.NewReplacer("=", " ", "'", " ", `"`, " ").Replace(line))
	if !hasRun(words, "firewall", "ruleset", "set") {
		return RuleSetUntouched
	}
	return switched(words)
}

// hasRun says that run stands in words, in that order and together.
func hasRun(words []string, run ...string) bool {
	for i := 0; i+len(run) <= len(words); i++ {
		match := true
		for j := range run {
			match = match && words[i+j] == run[j]
		}
		if match {
			return true
		}
	}
	return false
}

// switched finds the option that switches on or off; esxcli takes these words
// for a boolean.
func switched(words []string) RuleSetChange {
	for i, w := range words[:max(len(words)-1, 0)] {
		if w != "-e" && w != "--enabled" {
			continue
		}
		switch strings.ToLower(words[i+1]) {
		case "true", "t", "yes", "y", "1", "on":
			return RuleSetOpened
		case "false", "f", "no", "n", "0", "off":
			return RuleSetClosed
		}
	}
	return RuleSetUntouched
}
