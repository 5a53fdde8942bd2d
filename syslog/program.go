package syslog

// knownProgram says that app is a program of ESXi, vCenter or NSX.
func knownProgram(app string) bool {
	if continues(app) {
		return true
	}
	switch app {
	case "vmkernel", "vmkwarning", "vobd", "dfwpktlogs", "FIREWALL-PKTLOG", "FIREWALL_PKTLOG", "NSX", "NSXV", "nsx-sha", "nsxa",
		"shell", "SSH", "sshd", "DCUI", "dropbear", "login", "vmauthd", "vmware-authd", "crond", "root", "localcli",
		"storageRM", "sdrsInjector", "clomd", "cmmdsTimeMachineDump", "iscsid", "VVold", "usbarb", "settingsd", "ConfigStore",
		"vmsyslogd", "smartd", "ntpd", "snmpd", "sfcb", "sfcbd", "dhclient", "dhclient-uw", "jumpstart", "backup.sh",
		"vmon", "vmcad", "applmgmt", "applmgmt-audit", "vpxd-svcs", "vcenter-server", "updatemgr", "vmafdd", "vmdird",
		"ssoadminserver", "websso", "vapi-endpoint", "envoy", "envoy-access", "eam", "wcp", "vlcm", "rbd":
		return true
	}
	return false
}

// continues says that app is known to spread one submission over several
// records. Only these are held back for a while; the firewall's never are.
func continues(app string) bool {
	switch app {
	case "Hostd", "hostd", "hostd-probe", "Vpxa", "vpxa", "Rhttpproxy", "rhttpproxy", "Fdm", "fdm",
		"vpxd", "vpxd-main", "vpxd-profiler", "vmware-vum-server", "vmware-sps", "sps",
		"vsansystem", "vsanmgmtd", "vsan-health", "healthd", "hostprofile", "esxupdate", "lifecycle", "vvold":
		return true
	}
	return false
}
