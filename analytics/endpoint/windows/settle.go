package windows

import (
	"strings"

	"github.com/vegress/vegress/event"
)

// Channels whose records have typed members.
const (
	channelSysmon     = "Microsoft-Windows-Sysmon/Operational"
	channelSecurity   = "Security"
	channelPowerShell = "Microsoft-Windows-PowerShell/Operational"
	channelClassic    = "Windows PowerShell"
)

// providerChannels are the channels of providers that write to one only, for
// records that do not say it.
var providerChannels = map[string]string{
	"Microsoft-Windows-Sysmon":            channelSysmon,
	"Microsoft-Windows-Security-Auditing": channelSecurity,
	"Microsoft-Windows-PowerShell":        channelPowerShell,
	"PowerShell":                          channelClassic,
}

var (
	idSource    = event.Intern("Source")
	idProvider  = event.Intern("Provider_Name")
	idEventType = event.Intern("EventType")
	idData      = event.Intern("Data")
	idEventLog  = event.Intern("EventLog")

	idUserName         = event.Intern("UserName")
	idSecurityUserName = event.Intern("Security_UserName")
)

// settle gives fields the event log's names where a shipper has others, finds
// the values that typed members are made of, and the channel.
func (d *Decoder) settle() {
	for _, f := range d.ev.Fields {
		if s := known[f.ID].slot; s != slotNone && d.values[s] == "" {
			d.values[s] = f.Value
		}
	}
	if _, row := d.ev.Field(idEventLog); row {
		d.rename(idSource, idProvider)
		d.unhideUserName()
	}
	if d.values[slotTimeCreated] == "" { // else it has the event log's own form
		d.renameGroup(anyRecord)
	}
	d.ev.LogName = d.values[slotChannel]
	if d.ev.LogName == "" {
		d.ev.LogName = providerChannels[d.values[slotProvider]]
	}
	switch d.ev.LogName {
	case channelSysmon:
		d.settleSysmon()
	case channelPowerShell:
		d.renameGroup(powershellRecord)
	case channelClassic:
		d.unname()
	}
}

// renameGroup renames the aliases of a group.
func (d *Decoder) renameGroup(group aliasGroup) {
	for i := range d.ev.Fields {
		if k := &known[d.ev.Fields[i].ID]; k.group == group {
			d.renameField(&d.ev.Fields[i], k.to)
		}
	}
}

func (d *Decoder) rename(from, to event.FieldID) {
	for i := range d.ev.Fields {
		if d.ev.Fields[i].ID == from {
			d.renameField(&d.ev.Fields[i], to)
		}
	}
}

// renameField gives f another name, if the record has no field of that name.
func (d *Decoder) renameField(f *event.Field, to event.FieldID) {
	if _, has := d.ev.Field(to); has {
		return
	}
	f.ID = to
	if s := known[to].slot; s != slotNone && d.values[s] == "" {
		d.values[s] = f.Value
	}
}

// unhideUserName renames Sentinel's column, which is who wrote the record: some
// records have a UserName of their own, and rules ask for that.
func (d *Decoder) unhideUserName() {
	for i := range d.ev.Fields {
		if d.ev.Fields[i].ID == idUserName && (i < d.inner[0] || i >= d.inner[1]) {
			d.ev.Fields[i].ID = idSecurityUserName
		}
	}
}

// unname gives the values of classic PowerShell the one name that the event
// log has for all of them. Winlogbeat numbers them.
func (d *Decoder) unname() {
	for i := range d.ev.Fields {
		if strings.HasPrefix(d.ev.Fields[i].ID.Name(), "param") {
			d.ev.Fields[i].ID = idData
		}
	}
}

// settleSysmon finds Sysmon's values where shippers keep them elsewhere.
func (d *Decoder) settleSysmon() {
	if d.values[slotTimestamp] != "" { // ECS, among others
		d.renameGroup(sysmonRecord)
		d.fromECS()
	}
	d.eventType()
}

// eventType puts Sysmon's EventType ("SetValue") in the place of NXLog's
// ("INFO"), which hides it: the rendered text still has it.
func (d *Decoder) eventType() {
	for i := range d.ev.Fields {
		f := &d.ev.Fields[i]
		if f.ID != idEventType {
			continue
		}
		switch f.Value {
		case "INFO", "WARNING", "ERROR", "VERBOSE", "CRITICAL":
			if _, rest, ok := strings.Cut(d.values[slotMessage], "\nEventType: "); ok {
				value, _, _ := strings.Cut(rest, "\n")
				f.Value = strings.TrimSpace(value)
			}
		}
		return
	}
}
