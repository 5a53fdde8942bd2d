package loghost

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

// Host is one ESXi host: where it sends its syslog, and whether that can work.
type Host struct {
	VCenter string `json:"vcenter"`
	Name    string `json:"host"`
	MoRef   string `json:"moref"`
	Cluster string `json:"cluster,omitempty"`
	Version string `json:"version,omitempty"` // "8.0.3"
	Build   string `json:"build,omitempty"`

	Connection  string `json:"connection"` // connected, disconnected, notResponding
	Maintenance bool   `json:"maintenance"`

	// LogHost is Syslog.global.logHost as it is; an option that is empty and
	// one that the host does not have are both "not set".
	LogHost string   `json:"log_host"`
	Targets []Target `json:"targets"`
	// Read says that the option could be read, or that the host has none.
	Read bool `json:"read"`

	RuleSet   Switch `json:"rule_set"`             // its firewall's "syslog"
	LogLevel  string `json:"log_level,omitempty"`  // Syslog.global.logLevel
	MaxLength int    `json:"max_length,omitempty"` // bytes of a remote message over TCP; 0: not known
	CheckCert Switch `json:"check_cert"`           // Syslog.global.certificate.checkSSLCerts

	// Notes say what could not be read, and why.
	Notes []string `json:"notes,omitempty"`

	answered          bool // an option came
	options, firewall types.ManagedObjectReference
}

// Switch is a setting that is on, off, or not known.
type Switch string

// Positions of a Switch.
const (
	On         Switch = "on"
	Off        Switch = "off"
	NotKnown   Switch = "unknown"
	connected         = "connected"
	keyLogHost        = "Syslog.global.logHost"
)

func switched(on bool) Switch {
	if on {
		return On
	}
	return Off
}

// Connected says that vCenter can talk to the host.
func (h *Host) Connected() bool { return h.Connection == connected }

// keys of advanced options that are read.
var keys = []string{
	keyLogHost, "Syslog.global.logLevel", "Syslog.global.remoteHost.maxMsgLen", "Syslog.global.certificate.checkSSLCerts",
}

const ruleSetKey = "syslog"

// set takes a property of the host.
func (h *Host) set(name string, val types.AnyType) {
	switch v := val.(type) {
	case types.HostSystemConnectionState:
		h.Connection = string(v)
	case types.ManagedObjectReference:
		h.setReference(name, v)
	case types.OptionValue:
		h.setOption(v.Key, v.Value)
	case types.ArrayOfOptionValue:
		for _, o := range v.OptionValue {
			h.setOption(o.GetOptionValue().Key, o.GetOptionValue().Value)
		}
	case types.HostFirewallRuleset:
		h.RuleSet = switched(v.Enabled)
	case types.ArrayOfHostFirewallRuleset:
		for _, r := range v.HostFirewallRuleset {
			if r.Key == ruleSetKey {
				h.RuleSet = switched(r.Enabled)
			}
		}
	case bool:
		h.Maintenance = v
	case string:
		h.setText(name, v)
	}
}

func (h *Host) setReference(name string, ref types.ManagedObjectReference) {
	switch name {
	case "parent":
		h.Cluster = ref.Value // its name takes the place when all is read
	case "configManager.advancedOption":
		h.options = ref
	case "configManager.firewallSystem":
		h.firewall = ref
	}
}

func (h *Host) setText(name, text string) {
	switch name {
	case "name":
		h.Name = strings.ReplaceAll(text, "%2f", "/")
	case "summary.config.product.version":
		h.Version = text
	case "summary.config.product.build":
		h.Build = text
	}
}

func (h *Host) setOption(key string, value any) {
	text := fmt.Sprint(value)
	h.answered = true
	switch key {
	case keyLogHost:
		if list, ok := value.(string); ok {
			h.LogHost, h.Targets = list, ParseTargets(list)
		} else if value != nil {
			h.note(keyLogHost + " is no text")
		}
	case "Syslog.global.logLevel":
		h.LogLevel = text
	case "Syslog.global.remoteHost.maxMsgLen":
		h.MaxLength, _ = strconv.Atoi(text)
	case "Syslog.global.certificate.checkSSLCerts":
		h.CheckCert = switched(strings.EqualFold(text, "true"))
	}
}

// missing takes what the account may not read, or the host does not have.
func (h *Host) missing(m *types.MissingProperty) {
	switch fault := m.Fault.Fault.(type) {
	case *types.NoPermission:
		if strings.HasPrefix(m.Path, "config.option") {
			h.Read = false
		}
		privilege := fault.PrivilegeId
		if privilege == "" {
			privilege = "System.Read"
		}
		h.note("the account lacks " + privilege + " for " + m.Path)
	case *types.NotAuthenticated:
		h.Read = false
		h.note("the session ended while " + m.Path + " was read")
	}
}

// maxNotes bounds the notes of one host, and of one vCenter.
const maxNotes = 16

func (h *Host) note(text string) {
	if len(h.Notes) < maxNotes {
		h.Notes = append(h.Notes, text)
	}
}

// atLeast says that the host's version is major.minor or later.
func (h *Host) atLeast(major int) bool {
	first, _, _ := strings.Cut(h.Version, ".")
	n, err := strconv.Atoi(first)
	return err == nil && n >= major
}
