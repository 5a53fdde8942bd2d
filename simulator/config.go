package simulator

import (
	"fmt"
	"strings"
)

// Names of the justifications in Config.
const (
	byBackup = "nightly backup"
	byPatch  = "update depot"
	byProxy  = "web proxy"
	byAdmins = "vendor support"
	byHosts  = "host updates"
	byPeople = "people at their desktops"
	byBuilds = "builds"

	// Work that vSphere itself reports.
	runBackup = "backup run"
	runPatch  = "patch run"
	runManual = "manual update"
)

// Config is what the site's admin would have written into vegress.yaml: who
// may talk to the outside, and when. It has the keys networks, roles,
// justifications, apiuse and rules; connecting to the vCenter is left to the caller.
func (s *Site) Config() string {
	var b strings.Builder
	b.WriteString("networks: {internal: []}\nroles:\n")
	for _, role := range s.roles() {
		fmt.Fprintf(&b, "  - {name: %s, %s}\n", role, s.members(role))
	}
	b.WriteString("justifications:\n")
	for _, j := range justifications() {
		fmt.Fprintf(&b, "  - {name: %s, role: %s, destinations: [%s], ports: [%s]%s}\n",
			j.name, j.role, quoted(j.destinations), j.ports, j.windowKey())
	}
	b.WriteString(apiConfig())
	b.WriteString(rulesConfig())
	return b.String()
}

// members says how the holders of a role are known: by their tag, or where the
// vCenter has no tags by their names.
func (s *Site) members(role string) string {
	if s.tagged {
		return fmt.Sprintf("tags: [%q]", RoleCategory+"/"+role)
	}
	var names []string
	for _, vm := range s.VMs {
		if vm.Role == role {
			names = append(names, vm.Name)
		}
	}
	return "names: [" + quoted(names) + "]"
}

// justification is an entry of that key. Role "hypervisor" is every ESXi host.
type justification struct {
	name, role, ports string
	destinations      []string
	window            string
}

func (j justification) windowKey() string {
	if j.window == "" {
		return ""
	}
	return fmt.Sprintf(", windows: [%q]", j.window)
}

func justifications() []justification {
	return []justification{
		{byBackup, "backup", "443", []string{"198.51.100.0/24", "2001:db8:51::/48"}, "mon-sun 22:00-06:00 UTC"},
		{byPatch, "patch", "80, 443", []string{"*.vmware.com", "*.ubuntu.com", "203.0.113.128/25"}, "mon-sun 21:00-23:00 UTC"},
		{byProxy, "proxy", "80, 443", []string{"any"}, ""},
		{byAdmins, "admin", "443", []string{"support.broadcom.com", "192.0.2.80/32"}, ""},
		{byHosts, "hypervisor", "443", []string{"hostupdate.vmware.com"}, ""},
		{byPeople, "desktop", "443", []string{"category:paste", "category:cloud_storage", "category:messaging"}, ""},
		{byBuilds, "ci", "443", []string{"*.githubusercontent.com"}, ""},
	}
}

func quoted(all []string) string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(out, ", ")
}
