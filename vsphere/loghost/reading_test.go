package loghost

import (
	"slices"
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"
)

// TestTake: what a server leaves out for want of a right is a note on the one
// host.
func TestTake(t *testing.T) {
	option := `config.option["` + keyLogHost + `"]`
	prop := func(name string, val any) types.DynamicProperty { return types.DynamicProperty{Name: name, Val: val} }
	up := prop("runtime.connectionState", types.HostSystemConnectionStateConnected)
	missing := func(path string, fault types.BaseMethodFault) types.MissingProperty {
		return types.MissingProperty{Path: path, Fault: types.LocalizedMethodFault{Fault: fault}}
	}
	tests := []struct {
		name    string
		props   []types.DynamicProperty
		missing []types.MissingProperty
		read    bool
		rules   Switch
		targets int
		note    string
		keyless bool
	}{
		{"nothing", nil, nil, false, NotKnown, 0, "not connected", false},
		{"no such option", []types.DynamicProperty{up}, nil, true, NotKnown, 0, "", false},
		{"by key", []types.DynamicProperty{
			up, prop(option, types.OptionValue{Key: keyLogHost, Value: "udp://a,udp://b"}),
			prop(`config.firewall.ruleset["syslog"]`, types.HostFirewallRuleset{Key: "syslog"}),
		}, nil, true, Off, 2, "", false},
		{"whole lists", []types.DynamicProperty{
			up, prop("config.option", types.ArrayOfOptionValue{OptionValue: []types.BaseOptionValue{
				&types.OptionValue{Key: "Annotations.WelcomeMessage", Value: "x"}, &types.OptionValue{Key: keyLogHost, Value: "udp://a"},
			}}),
			prop("config.firewall.ruleset", types.ArrayOfHostFirewallRuleset{HostFirewallRuleset: []types.HostFirewallRuleset{
				{Key: "sshServer"}, {Key: "syslog", Enabled: true},
			}}),
		}, nil, true, On, 1, "", false},
		{"no right to options", []types.DynamicProperty{up}, []types.MissingProperty{missing(option, &types.NoPermission{PrivilegeId: "System.Read"})}, false, NotKnown, 0, "System.Read", false},
		{"no right to the firewall", []types.DynamicProperty{up}, []types.MissingProperty{missing(`config.firewall.ruleset["syslog"]`, &types.NoPermission{})}, true, NotKnown, 0, "System.Read", false},
		{"session lost", []types.DynamicProperty{up}, []types.MissingProperty{missing(option, &types.NotAuthenticated{})}, false, NotKnown, 0, "session", false},
		{"no keys", []types.DynamicProperty{up}, []types.MissingProperty{missing(option, &types.InvalidProperty{})}, true, NotKnown, 0, "", true},
		{"strange value", []types.DynamicProperty{up, prop(option, types.OptionValue{Key: keyLogHost, Value: 7})}, nil, true, NotKnown, 0, "no text", false},
	}
	for _, tt := range tests {
		r := reading{clusters: map[string]string{}}
		r.take(&types.ObjectContent{Obj: types.ManagedObjectReference{Type: "HostSystem", Value: "host-1"}, PropSet: tt.props, MissingSet: tt.missing})
		h := r.finish()[0]
		if h.Read != tt.read || h.RuleSet != tt.rules || len(h.Targets) != tt.targets || r.keyless != tt.keyless || h.Name != "host-1" {
			t.Errorf("%s: %+v, keyless %t", tt.name, h, r.keyless)
		}
		if notes := strings.Join(h.Notes, "\n"); !strings.Contains(notes, tt.note) || tt.note == "" && notes != "" {
			t.Errorf("%s: notes %q, want %q", tt.name, notes, tt.note)
		}
	}
}

// TestHostPaths: both ways of asking name the same things.
func TestHostPaths(t *testing.T) {
	for _, want := range []string{`config.option["Syslog.global.logHost"]`, `config.firewall.ruleset["syslog"]`, "name"} {
		if !slices.Contains(hostPaths(false), want) {
			t.Errorf("%s is not asked for", want)
		}
	}
	if whole := hostPaths(true); !slices.Contains(whole, "config.option") || slices.ContainsFunc(whole, func(p string) bool { return strings.Contains(p, `"`) }) {
		t.Errorf("got %q", whole)
	}
}
