// Package esxi recognizes what the programs of an ESXi host write to syslog,
// one file for each program or family. Programs that run on hosts and on
// vCenter alike (envoy, sshd, sudo) are here.
package esxi

import "github.com/vegress/vegress/vsphere"

// Recognizers gives the recognizers of this package by program: lower case,
// without path. They are safe for concurrent use.
func Recognizers() map[string]vsphere.Recognizer {
	all := make(map[string]vsphere.Recognizer)
	put := func(r vsphere.Recognizer, programs ...string) {
		for _, p := range programs {
			all[p] = r
		}
	}
	put(vsphere.RecognizerFunc(firewall), "dfwpktlogs", "firewall-pktlog", "firewall_pktlog")
	put(vsphere.RecognizerFunc(nsx), "nsx", "nsxa", "nsx-sha", "nsxv", "nsx-proxy", "nsx-opsagent", "cfgagent",
		"nsx-nestdb", "nsx-mpa", "nsx-cfgagent", "nsx-exporter", "nsx-vdpi", "nsx-datapath")
	put(vsphere.RecognizerFunc(vmkernel), "vmkernel", "vmkwarning", "vmkalert")
	put(vsphere.RecognizerFunc(vobd), "vobd")
	put(vsphere.Recognizers{vsphere.Agent(hostd), vsphere.RecognizerFunc(auth)}, "hostd", "vmware-hostd", "vpxa")
	put(vsphere.Recognizers{vsphere.RecognizerFunc(access), vsphere.Agent(unnamed)}, "")
	put(vsphere.Agent(nil), "hostd-probe", "fdm", "vsansystem", "vsanmgmtd", "vsand", "vsan-mgmt",
		"healthd", "settingsd", "hbrsrv")
	put(vsphere.Recognizers{vsphere.RecognizerFunc(access), vsphere.Agent(proxy)},
		"rhttpproxy", "envoy", "envoy-access", "rhttpproxy-access")
	put(vsphere.RecognizerFunc(shell), "shell", "esxishell", "esxshell")
	put(vsphere.RecognizerFunc(auth), "sshd", "ssh", "dcui", "login", "dropbear", "su", "vmauthd", "vmware-authd",
		"sshd-session", "sshd-auth", "sftp-server", "internal-sftp", "pam")
	put(vsphere.RecognizerFunc(sudo), "sudo")
	put(vsphere.RecognizerFunc(update), "esxupdate", "lifecycle", "esxcli")
	put(vsphere.Agent(vasa), "vvold")
	put(vsphere.RecognizerFunc(iscsi), "iscsid")
	put(vsphere.RecognizerFunc(dhcp), "dhclient", "dhclient-uw")
	put(vsphere.RecognizerFunc(clock), "ntpd", "chronyd", "ptpd", "systemd-timesyncd")
	put(vsphere.RecognizerFunc(logHost), "vmsyslogd")
	put(vsphere.RecognizerFunc(audit), "audispd", "auditd", "audit", "kauditd")
	put(vsphere.RecognizerFunc(snmp), "snmpd")
	put(vsphere.RecognizerFunc(netfilter), "kernel")
	put(vsphere.RecognizerFunc(cron), "crond")
	return all
}
