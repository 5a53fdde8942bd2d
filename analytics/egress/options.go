package egress

import "time"

// Options is what a site configures. The members have their keys' names.
type Options struct {
	Networks       NetworkOptions  `mapstructure:"networks"`
	Egress         FlowOptions     `mapstructure:"egress"`
	Justifications []Justification `mapstructure:"justifications"`
	BusinessHours  HoursOptions    `mapstructure:"business_hours"`
}

// NetworkOptions are RemoteIPRange of AN1192.
type NetworkOptions struct {
	// Internal are the estate's own public address ranges (CIDR). What is not
	// public unicast is internal anyway.
	Internal []string `mapstructure:"internal"`
}

// FlowOptions say which connections are HTTP(S), and how long a finding stays
// open after the last one.
type FlowOptions struct {
	Ports      []int         `mapstructure:"ports"` // TCP; default 80, 443, 8080, 8443
	QUIC       bool          `mapstructure:"quic"`  // UDP 443 too
	QuietClose time.Duration `mapstructure:"quiet_close"`
}

// Justification is a rule that makes connections expected. All of its
// conditions must hold.
type Justification struct {
	Name string `mapstructure:"name"` // unique
	// Role that the machine must have (VMContext of AN1192); "any" for every
	// machine that the inventory knows. Hosts and vCenter have the built-in
	// role "management", hosts also "hypervisor", vCenter also "vcenter".
	Role string `mapstructure:"role"`
	// Destinations, one of which must fit: a host name ("www.example.com"),
	// all names below one ("*.example.com"), a CIDR or address,
	// "category:cloud_storage", "service:Amazon S3", or "any".
	Destinations []string `mapstructure:"destinations"`
	Ports        []int    `mapstructure:"ports"` // empty: all
	// Windows, in one of which it must happen: "mon-fri,sun 22:00-06:00
	// Europe/Berlin". Days and zone may be left out: every day, the zone of
	// the business hours. Empty: always. A window belongs to the day on which
	// it begins.
	Windows []string `mapstructure:"windows"`
	// MaxBytes that one machine may send in one window (without windows: in
	// one day, UTC): "500GB", "2GiB", "1000000". Empty: no limit.
	MaxBytes string `mapstructure:"max_bytes"`
	// Expires is the last day (in the zone of the business hours) on which it
	// holds, "2027-06-30", or a time, as string or as YAML date. Nil: never.
	Expires any    `mapstructure:"expires"`
	Ticket  string `mapstructure:"ticket"` // why it is so; named in the explanation
}

// HoursOptions are the business hours. Without days there are none, and
// nothing is off-hours.
type HoursOptions struct {
	Timezone string   `mapstructure:"timezone"` // IANA name; default UTC
	Days     string   `mapstructure:"days"`     // "mon-fri"
	From     string   `mapstructure:"from"`     // "07:00"
	To       string   `mapstructure:"to"`       // "19:00"
	Holidays []string `mapstructure:"holidays"` // "2026-12-25"
}

// Defaults are the options of a site that configures nothing.
func Defaults() Options {
	return Options{
		Egress:        FlowOptions{Ports: []int{80, 443, 8080, 8443}, QUIC: true, QuietClose: time.Hour},
		BusinessHours: HoursOptions{Timezone: "UTC", Days: "mon-fri", From: "07:00", To: "19:00"},
	}
}

// BuiltinJustifications are what Compile adds behind the configured ones,
// unless one of these has the same name: where hosts and vCenter fetch
// patches (Broadcom KB 390098; the names of vmware.com served until 2025), and
// where vCenter reports to when its administrator takes part in the Customer
// Experience Improvement Program.
func BuiltinJustifications() []Justification {
	return []Justification{
		{
			Name: "vmware update depots",
			Role: roleManagement,
			Destinations: []string{
				"hostupdate.vmware.com", "vapp-updates.vmware.com", "depot.vmware.com",
				"dl.broadcom.com", "depot.broadcom.com", "eapi.broadcom.com",
			},
		},
		{
			Name:         "vmware experience program",
			Role:         roleManagement,
			Destinations: []string{"vcsa.vmware.com", "phtransfer.vmware.com"},
		},
	}
}

// Built-in roles of management agents.
const (
	roleManagement = "management"
	roleHypervisor = "hypervisor"
	roleVCenter    = "vcenter"
	roleAny        = "any"
)
