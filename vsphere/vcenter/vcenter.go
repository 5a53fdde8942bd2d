// Package vcenter recognizes what the programs of a vCenter Server write to
// syslog, one file for each program or family. Programs that ESXi hosts run
// too are in package esxi.
package vcenter

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
	put(vsphere.Recognizers{vsphere.RecognizerFunc(vpxdEvent), vsphere.Agent(vpxd)},
		"vpxd", "vpxd-main", "vpxd-profiler", "vpxd-event")
	put(vsphere.RecognizerFunc(adapter), "vcenter-server")
	put(vsphere.Recognizers{vsphere.RecognizerFunc(updateManager), vsphere.Agent(manager)},
		"updatemgr", "vmware-vum-server", "vlcm", "vmware-updatemgr")
	put(vsphere.RecognizerFunc(websso), "websso", "sso", "ssoadminserver", "vmware-sts-idmd", "sts", "vmware-identity-sts",
		"audit_events", "audit-events", "tokenservice")
	put(vsphere.Recognizers{vsphere.RecognizerFunc(java), vsphere.Agent(nil)},
		"java", "trustmanagement", "vpxd-svcs", "vpxd-svcs-main", "vmware-sps", "sps", "sca", "vapi-endpoint", "eam", "wcp",
		"vsan-health", "content-library", "vsphere-ui", "api", "analytics", "statsmonitor", "perfcharts", "vdtc")
	put(vsphere.RecognizerFunc(appliance), "applmgmt", "applmgmt-audit", "vherd", "vmon", "vmcad", "vmdird", "vmafdd",
		"rbd", "pod")
	put(vsphere.RecognizerFunc(postgres), "postgres", "postgresql", "vpostgres", "vmware-vpostgres")
	put(vsphere.RecognizerFunc(tomcat), "tomcat", "vpxd-svcs-access", "vsphere-ui-access", "localhost_access")
	return all
}
