package simulator

import (
	"fmt"
	"strings"
	"time"
)

func vcenterKinds() []utterance {
	return []utterance{
		{6, (*voice).vpxdLRO},
		{5, (*voice).vpxdSession},
		{3, (*voice).vpxdPower},
		{2, (*voice).vpxdSSO},
		{2, (*voice).envoy},
		{2, (*voice).vmon},
		{2, (*voice).applmgmt},
		{1, (*voice).vmcad},
		{1, (*voice).updatemgr},
	}
}

// eventSize is where vpxd cuts an event that it forwards: each part is a
// record of its own.
const eventSize = 1016

// vcEvent is an event that vCenter forwards to syslog, in as many parts as its
// text needs: "Event [ID] [1-3] [TIME] [TYPE] [SEVERITY] [USER] [DATACENTER] [CHAIN] [TEXT]".
func (v *voice) vcEvent(kind, user, text string) []message {
	id := v.between(500000, 9999999)
	full := fmt.Sprintf("[%s] [vim.event.%s] [info] [%s] [Lab] [%d] [%s]",
		v.at.UTC().Format("2006-01-02T15:04:05.999999Z"), kind, user, id, text)
	var parts []string
	for len(full) > eventSize {
		parts, full = append(parts, full[:eventSize]), full[eventSize:]
	}
	parts = append(parts, full)
	out := make([]message, len(parts))
	for i, part := range parts {
		out[i] = message{pri: 14, prog: "vpxd", pid: 58650, text: fmt.Sprintf("Event [%d] [%d-%d] %s", id, i+1, len(parts), part)}
	}
	return out
}

// event is one that fits in one record.
func (v *voice) event(kind, user, text string) message { return v.vcEvent(kind, user, text)[0] }

func (v *voice) vpxdSession() message {
	agent := pick(v, "Go-http-client/1.1", "VMware vim-java 1.0", "pyvmomi Python/3.8.13 (VMkernel; 7.0.3; x86_64)", "VMware-client/6.5.0")
	user := pick(v, `VSPHERE.LOCAL\vpxd-extension-3876e603-9146-4105-90ff-075afdf17160`, adminName, `VSPHERE.LOCAL\svc-backup`)
	from := pick(v, "127.0.0.1", adminAddress)
	if v.rng.IntN(2) == 0 {
		return v.event("UserLoginSessionEvent", user, fmt.Sprintf("User %s@%s logged in as %s", user, from, agent))
	}
	return v.event("UserLogoutSessionEvent", user, fmt.Sprintf("User %s@%s logged out (login time: %s, number of API invocations: %d, user agent: %s)",
		user, from, v.at.UTC().Format("Monday, 02 January, 2006 03:04:05 PM"), v.between(0, 900), agent))
}

func (v *voice) vpxdPower() message {
	vm := v.vm()
	return pick(v,
		v.event("VmPoweredOnEvent", adminName, fmt.Sprintf("%s on %s in Lab is powered on", vm.Name, vm.Host)),
		v.event("TaskEvent", adminName, "Task: Create virtual machine snapshot"),
		v.event("AlarmStatusChangedEvent", "", fmt.Sprintf("Alarm 'Virtual machine CPU usage' on %s changed from Green to Gray", vm.Name)))
}

func (v *voice) vpxdSSO() message {
	return v.event("EventEx", "ops.admin@lab.example", fmt.Sprintf("Successful login ops.admin@lab.example from %s at %s GMT in SSO", adminAddress, v.at.UTC().Format("01/02/2006 15:04:05")))
}

// reconfigured is an event so long that vpxd sends it in parts.
func (v *voice) reconfigured(vm *VM) []message {
	var b strings.Builder
	fmt.Fprintf(&b, "Reconfigured %s on %s in Lab.  Modified:  config.hardware.device(2000).backing: ", vm.Name, vm.Host)
	for i := range 6 {
		fmt.Fprintf(&b, `(fileName = "ds://%s/%s/%s_%d.vmdk", datastore = 'vim.Datastore:d6543eda-9347-4b38-b803-6f5048248ea8:datastore-28', backingObjectId = "", diskMode = "independent_nonpersistent", split = <unset>, writeThrough = <unset>, thinProvisioned = false, eagerlyScrub = false, uuid = "6000C299-dd5c-07cb-b868-%s", contentId = "%s%s", changeId = <unset>, parent = null); `,
			v.volume(), vm.Name, vm.Name, i, v.hex(12), v.hex(16), v.hex(16))
	}
	return v.vcEvent("VmReconfiguredEvent", adminName, b.String())
}

func (v *voice) vpxdLRO() message {
	lro := v.between(1000, 999999)
	text := pick(v,
		fmt.Sprintf("[VpxLRO] -- BEGIN lro-%d -- SessionManager -- vim.SessionManager.sessionIsActive -- 52bb5d24-2497-10d0-569c-%s(52206be5-10b9-e40f-c7cf-%s)", lro, v.hex(12), v.hex(12)),
		fmt.Sprintf("[VpxLRO] -- FINISH lro-%d", lro))
	return message{pri: 14, prog: "vpxd-main", text: fmt.Sprintf("%s info vpxd[58650] [Originator@6876 sub=vpxLro opID=%s] %s",
		v.at.UTC().Format(millis), v.hex(8), text)}
}

func (v *voice) vmon() message {
	return message{pri: 13, prog: "vmon", pid: 2120, text: pick(v,
		"<vpxd-healthcmd> Constructed command: /usr/bin/python /usr/lib/vmware-vmon/vmonApiHealthCmd.py -n vpxd -f /etc/vmware-sca/health/vmware-vpxd-health-status.xml",
		"Successfully executed service batch operation API_HEALTH.", "<analytics> Reset fail counters of service.")}
}

func (v *voice) applmgmt() message {
	return message{pri: 14, prog: "applmgmt-audit", text: v.at.UTC().Format("2006-01-02T15:04:05.000") + ": INFO AuthorizationResponse = { authorized=True, method=LOCAL }"}
}

func (v *voice) vmcad() message {
	return message{pri: 30, prog: "vmcad", text: "t@140161560082176: VMCACheckAccessKrb: Authenticated user " + v.site.VCenter + "@vsphere.local"}
}

func (v *voice) updatemgr() message {
	return message{pri: 14, prog: "updatemgr", text: v.at.UTC().Format("2006-01-02T15:04:05:000Z") + " 'Activation' 140154046465792 INFO  [activationValidator, 368] Leave Validate. Succeeded for integrity.VcIntegrity.retrieveHostIPAddresses on target: Integrity.VcIntegrity"}
}

// backupNote is how a backup product tells vCenter of its job: what is
// "started" or "finished".
func (v *voice) backupNote(job, what string) message {
	return v.event("GeneralUserEvent", `VSPHERE.LOCAL\svc-backup`, fmt.Sprintf("User logged event: Source: Veeam Backup Action: Job \"%s\" %s %s", job, what, v.at.UTC().Format(time.Kitchen)))
}
