package simulator

import (
	"fmt"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// LogHost is how a host is set up to send its syslog.
type LogHost struct {
	Targets string // Syslog.global.logHost: a comma-separated list
	Absent  bool   // the host has no such option at all, as vcsim's own hosts
	RuleSet bool   // its firewall lets syslog out
}

// Keys of a host's advanced options.
const (
	optionLogHost   = "Syslog.global.logHost"
	optionMaxLength = "Syslog.global.remoteHost.maxMsgLen"
	optionLogLevel  = "Syslog.global.logLevel"
	optionCheckCert = "Syslog.global.certificate.checkSSLCerts"

	// ruleSetSyslog is the rule set of a host's firewall that lets its syslog
	// out.
	ruleSetSyslog = "syslog"
)

// Collectors that the hosts of a plan may send to.
const (
	elsewhere = "udp://siem.lab.example:514"
	here      = "tcp://vegress.lab.example:1514"
)

// planLogHost gives the host at place i one of the states in which hosts are
// found.
func planLogHost(i int) LogHost {
	states := [...]LogHost{
		{Targets: elsewhere, RuleSet: true},
		{},
		{Absent: true},
		{Targets: here + "," + elsewhere, RuleSet: true},
		{Targets: "siem.lab.example"}, // as ESXi 4 and 5 had it
		{Targets: here + "?formatter=RFC_5424&framing=octet_counting", RuleSet: true},
	}
	return states[i%len(states)]
}

// setUpLog gives a host its log options, and a firewall of its own: vcsim's
// hosts share the state of rule sets.
func (b *builder) setUpLog(host *simulator.HostSystem, plan *Host) error {
	firewall, err := entity[*simulator.HostFirewallSystem](b.model, *host.ConfigManager.FirewallSystem)
	if err != nil {
		return err
	}
	firewall.FirewallInfo = host.Config.Firewall // a copy that the host has alone
	setRuleSet(host.Config.Firewall, plan.LogHost.RuleSet)
	options := []types.BaseOptionValue{
		&types.OptionValue{Key: optionLogLevel, Value: "info"},
		&types.OptionValue{Key: optionMaxLength, Value: int64(1024)},
		&types.OptionValue{Key: optionCheckCert, Value: true},
	}
	if !plan.LogHost.Absent {
		options = append(options, &types.OptionValue{Key: optionLogHost, Value: plan.LogHost.Targets})
	}
	return b.setOptions(host, options)
}

func (b *builder) setOptions(host *simulator.HostSystem, options []types.BaseOptionValue) error {
	manager, err := entity[*simulator.OptionManager](b.model, *host.ConfigManager.AdvancedOption)
	if err != nil {
		return err
	}
	if fault := manager.UpdateOptions(&types.UpdateOptions{ChangedValue: options}).Fault(); fault != nil {
		return fmt.Errorf("set options of host %s: %s", host.Name, fault.String)
	}
	return nil
}

func setRuleSet(info *types.HostFirewallInfo, open bool) {
	if open {
		simulator.EnableRuleset(info, ruleSetSyslog)
	} else {
		simulator.DisableRuleset(info, ruleSetSyslog)
	}
}

// withHost calls do with the host of that name, while nobody else changes it.
func (e *Estate) withHost(name string, do func(*simulator.HostSystem)) {
	for _, obj := range e.model.Map().All("HostSystem") {
		host, ok := obj.(*simulator.HostSystem)
		if ok && host.Name == name {
			e.model.Map().WithLock(new(simulator.Context), host.ConfigManager.AdvancedOption, func() { do(host) })
			return
		}
	}
	panic("the simulated vCenter has no host " + name)
}

// LogHost is how the host of that name sends its syslog now. It panics when
// there is no such host.
func (e *Estate) LogHost(name string) LogHost {
	now := LogHost{Absent: true}
	e.withHost(name, func(host *simulator.HostSystem) {
		for _, o := range host.Config.Option {
			if v := o.GetOptionValue(); v.Key == optionLogHost {
				now.Targets, now.Absent = fmt.Sprint(v.Value), false
			}
		}
		for _, r := range host.Config.Firewall.Ruleset {
			if r.Key == ruleSetSyslog {
				now.RuleSet = r.Enabled
			}
		}
	})
	return now
}

// SetLogHost gives the host of that name other targets, as another
// administrator would. It panics when there is no such host.
func (e *Estate) SetLogHost(name, targets string) {
	e.withHost(name, func(host *simulator.HostSystem) {
		b := builder{model: e.model}
		if err := b.setOptions(host, []types.BaseOptionValue{&types.OptionValue{Key: optionLogHost, Value: targets}}); err != nil {
			panic(err)
		}
	})
}

// SetHostState takes the host of that name off the vCenter, or into
// maintenance mode, and back. It panics when there is no such host.
func (e *Estate) SetHostState(name string, connected, maintenance bool) {
	e.withHost(name, func(host *simulator.HostSystem) {
		host.Runtime.ConnectionState = types.HostSystemConnectionStateConnected
		if !connected {
			host.Runtime.ConnectionState = types.HostSystemConnectionStateDisconnected
		}
		host.Runtime.InMaintenanceMode = maintenance
	})
}

// Refuse makes the vCenter answer calls of a method with a fault of type
// NoPermission, so many times (0: always) after it has let pass others: those
// that concern the host of that name, or all with an empty name.
func (e *Estate) Refuse(method, host string, pass, times int) {
	rule := &simulator.FaultInjectionRule{
		MethodName: method, ObjectType: "*", ObjectName: "*", Probability: 1, Enabled: true,
		FaultType: simulator.FaultTypeNoPermission, SkipCount: pass, MaxCount: times,
	}
	if host != "" {
		var own []types.ManagedObjectReference
		e.withHost(host, func(h *simulator.HostSystem) {
			own = []types.ManagedObjectReference{h.Self, *h.ConfigManager.AdvancedOption, *h.ConfigManager.FirewallSystem}
		})
		rule.InclusionPropertyFilter = func(obj mo.Reference) bool {
			for _, ref := range own {
				if obj.Reference() == ref {
					return true
				}
			}
			return false
		}
	}
	e.model.Service.AddFaultRule(rule)
}

// Calls counts the requests to the vCenter's SOAP API, and to its appliance,
// since its start.
func (e *Estate) Calls() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls
}

// countCalls counts SOAP calls by what vcsim offers for their interception.
func (e *Estate) countCalls() {
	e.model.Map().Handler = func(*simulator.Context, *simulator.Method) (mo.Reference, types.BaseMethodFault) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.calls++
		return nil, nil
	}
}

// OpenRuleSet lets syslog out of the host of that name. It panics when there is
// no such host.
func (e *Estate) OpenRuleSet(name string) {
	e.withHost(name, func(host *simulator.HostSystem) { setRuleSet(host.Config.Firewall, true) })
}
