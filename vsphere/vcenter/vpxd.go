package vcenter

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

var (
	fieldObjectID = event.Intern("object_id")
	fieldCluster  = event.Intern("cluster")
	fieldVCenter  = event.Intern("vcenter")
)

// vpxd knows what only vpxd.log has: the host that a line is about,
// "[vim.HostSystem:host-588,esx-3-23.example.com]".
func vpxd(text string, ev *event.Event) bool {
	host, ok := vsphere.Between(text, "[vim.HostSystem:", "]")
	if !ok {
		return false
	}
	moref, name, ok := strings.Cut(host, ",")
	if ok {
		ev.Add(fieldObjectID, moref)
		ev.Add(vsphere.FieldHost, name)
	}
	return ok
}

// adapter recognizes the events that the vSphere adapter of Aria Operations
// for Logs forwards, with all facts in structured data:
//
//	[Originator@6876 vmw_cluster="c" vc_event_type="com.vmware.vim25.TaskEvent" vc_username="u" vc_vm_name="v" ...]Task: ...
func adapter(m *syslog.Message, ev *event.Event) bool {
	data, text := m.Data, m.Text
	if data == "" {
		data = text
	}
	kind, ok := vsphere.Between(data, `vc_event_type="`, `"`)
	if !ok {
		return false
	}
	if i := strings.LastIndex(text, `"]`); i >= 0 && m.Data == "" {
		text = text[i+2:]
	}
	ev.Message = text
	ev.Add(fieldEventType, kind)
	name := kind[strings.LastIndexByte(kind, '.')+1:]
	if !vsphere.RecognizeEventText(text, ev) {
		ev.Class, ev.Service, ev.Activity = event.APIActivity, ev.LogName, activityOf(name)
	}
	if ev.Class == event.APIActivity && ev.Operation == "" {
		ev.Operation = name
	}
	adapterFacts(data, ev)
	return true
}

func adapterFacts(data string, ev *event.Event) {
	get := func(key string) string {
		value, _ := vsphere.Between(data, " "+key+`="`, `"`)
		return value
	}
	vsphere.SetUser(ev, get("vc_username"))
	if vm := get("vc_vm_name"); vm != "" {
		vsphere.SetVM(ev, vm)
	}
	vsphere.AddIf(ev, fieldObjectID, get("vmw_object_id"))
	vsphere.AddIf(ev, fieldCluster, get("vmw_cluster"))
	vsphere.AddIf(ev, vsphere.FieldDatacenter, get("vmw_datacenter"))
	vsphere.AddIf(ev, fieldVCenter, get("vmw_vcenter"))
	vsphere.AddIf(ev, vsphere.FieldHost, get("vc_host_name"))
}
