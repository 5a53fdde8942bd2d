package egress

import (
	"strings"

	"github.com/vegress/vegress/event"
)

// actor is who made a connection, as far as the event says.
type actor struct {
	ctx    *event.Context // of the source
	vm     *event.VM
	host   *event.Host // the machine is this host or vCenter
	agent  agentKind   // a management agent of the machine that reports
	device string      // that machine's name
}

// agentKind tells management agents from everything else.
type agentKind uint8

const (
	noAgent agentKind = iota
	hypervisorAgent
	vcenterAgent
)

// agentOf knows the programs that log what they themselves do, by the names
// that ESXi and vCenter give their logs.
func agentOf(logName string) agentKind {
	switch logName {
	case "hostd", "vmware-hostd", "vpxa", "esxupdate", "lifecycle", "shell", "esxishell", "esxcli", "localcli",
		"vobd", "vvold", "vsanmgmtd", "vsansystem", "fdm", "settingsd", "configstore", "kmxa", "healthd",
		"vmauthd", "dcui", "crond":
		return hypervisorAgent
	case "vpxd", "vpxd-main", "vpxd-profiler", "vpxd-event", "vpxd-svcs", "vpxd-svcs-main", "vcenter-server",
		"updatemgr", "vmware-updatemgr", "vmware-vum-server", "vlcm", "applmgmt", "applmgmt-audit",
		"vapi-endpoint", "content-library", "sps", "vmware-sps", "eam", "vsan-health", "analytics", "wcp",
		"trustmanagement", "vsphere-ui", "vmon":
		return vcenterAgent
	}
	return noAgent
}

// who finds the actor of ev. ok is false when there is no machine at all that
// it could be.
func who(ev *event.Event) (a actor, ok bool) {
	a = actor{ctx: &ev.Src.Context, vm: ev.Src.Context.VM, host: ev.Src.Context.Host, device: ev.Device.Hostname}
	if a.vm != nil {
		if a.host != nil && a.host.IsVCenter { // the appliance is a VM of its own inventory
			a.agent = vcenterAgent
		}
		return a, true
	}
	a.agent = agentOf(ev.LogName)
	unnamed := !ev.Src.IP.IsValid() || ev.Src.IP == ev.Device.IP
	switch {
	case a.host != nil:
	case a.agent != noAgent, ev.Device.Host != nil && unnamed:
		a.host = ev.Device.Host
	default:
		return a, !unnamed
	}
	if a.host != nil {
		a.agent = kindOf(a.host)
	}
	return a, true
}

func kindOf(h *event.Host) agentKind {
	if h.IsVCenter {
		return vcenterAgent
	}
	return hypervisorAgent
}

// known says that it is clear which machine it is.
func (a *actor) known() bool { return a.vm != nil || a.host != nil || a.agent != noAgent }

// kind is the machine in words.
func (a *actor) kind() string {
	switch {
	case a.vm != nil:
		return "VM"
	case a.agent == vcenterAgent:
		return "vCenter"
	case a.agent == hypervisorAgent:
		return "ESXi host"
	}
	return "machine"
}

// name is the machine's name, else its address.
func (a *actor) name(ev *event.Event) string {
	switch {
	case a.vm != nil:
		return a.vm.Name
	case a.host != nil:
		return a.host.Name
	case a.agent != noAgent && a.device != "":
		return a.device
	case ev.Src.IP.IsValid():
		return ev.Src.IP.String()
	case ev.Src.Hostname != "":
		return strings.Clone(ev.Src.Hostname)
	}
	return "an unknown machine"
}

// candidates names the VMs of an ambiguous match, at most five of them.
func (a *actor) candidates() string {
	names := make([]string, 0, 6)
	for i, vm := range a.ctx.Candidates {
		if i == 5 {
			names = append(names, "and others")
			break
		}
		names = append(names, vm.Name)
	}
	return strings.Join(names, ", ")
}

// roles are those of the inventory and the built-in ones of agents.
func (a *actor) roles() []string {
	switch {
	case a.vm != nil:
		return a.vm.Roles
	case a.host != nil:
		return a.host.Roles
	}
	return nil
}

// builtin are the roles that an agent has whatever the inventory says.
func (a *actor) builtin() []string {
	switch a.agent {
	case hypervisorAgent:
		return hypervisorRoles
	case vcenterAgent:
		return vcenterRoles
	}
	return nil
}

var (
	hypervisorRoles = []string{roleManagement, roleHypervisor}
	vcenterRoles    = []string{roleManagement, roleVCenter}
)
