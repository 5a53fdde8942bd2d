package event

import "time"

// maxCandidates bounds the VMs that an ambiguous endpoint names in an event;
// maxWhole bounds them in a finding.
const (
	maxCandidates = 5
	maxWhole      = 20
)

// appendEnrichments appends what the inventory says of the endpoints, slim:
// enough to know the VM and how sure that is. A finding says all.
func (e *Event) appendEnrichments(dst []byte) []byte {
	if !e.Src.Context.answered() && !e.Dst.Context.answered() {
		return dst
	}
	dst = append(dst, `"enrichments":[`...)
	dst = e.Src.appendContext(dst, "src_endpoint", false)
	dst = e.Dst.appendContext(dst, "dst_endpoint", false)
	return append(closeArray(dst), ',')
}

// answered says that the inventory had something to say.
func (c *Context) answered() bool { return c.VM != nil || c.Host != nil || len(c.Candidates) > 0 }

// appendContext appends an enrichment for the VM (or those that it may be),
// and one for the host. In whole form a context without either is written
// too, for its state.
func (e *Endpoint) appendContext(dst []byte, name string, whole bool) []byte {
	c := &e.Context
	if c.VM != nil || len(c.Candidates) > 0 {
		dst = e.openEnrichment(dst, name, `,"type":"vm","provider":"vcenter","data":{`)
		dst = c.appendVM(dst, whole)
		dst = closeMember(closeMember(c.appendHow(dst, whole)))
	}
	if c.Host != nil {
		dst = e.openEnrichment(dst, name, `,"type":"host","provider":"vcenter","data":{`)
		dst = c.Host.appendData(dst, whole)
		dst = closeMember(closeMember(c.appendHow(dst, whole)))
	}
	if whole && !c.answered() && c.State.String() != "" {
		dst = e.openEnrichment(dst, name, `,"type":"unresolved","provider":"vcenter","data":{`)
		dst = closeMember(closeMember(c.appendHow(dst, whole)))
	}
	return dst
}

// openEnrichment names the attribute that the inventory was asked for.
func (e *Endpoint) openEnrichment(dst []byte, name, rest string) []byte {
	dst = append(append(dst, `{"name":"`...), name...)
	attribute, value := e.asked()
	dst = append(append(dst, attribute...), `","value":`...)
	if e.IP.IsValid() {
		dst = append(appendAddrText(append(dst, '"'), e.IP), '"')
	} else {
		dst, _ = appendString(dst, value)
	}
	return append(dst, rest...)
}

func (e *Endpoint) asked() (attribute, value string) {
	switch {
	case e.IP.IsValid():
		return ".ip", ""
	case e.Hostname != "":
		return ".hostname", e.Hostname
	case e.VMUUID != "":
		return ".instance_uid", e.VMUUID
	case e.VMName != "":
		return ".name", e.VMName
	case e.VIF != "":
		return ".interface_uid", e.VIF
	case e.MAC != "":
		return ".mac", e.MAC
	}
	return "", ""
}

func (c *Context) appendVM(dst []byte, whole bool) []byte {
	if c.VM == nil {
		return c.appendCandidates(dst, whole)
	}
	vm := c.VM
	dst = appendText(dst, `"name":`, vm.Name)
	dst = appendText(dst, `"instance_uuid":`, vm.InstanceUUID)
	dst = appendText(dst, `"host":`, vm.Host)
	dst = appendTexts(dst, `"roles":`, vm.Roles)
	if !whole {
		return dst
	}
	dst = appendText(dst, `"vcenter":`, vm.VCenter)
	dst = appendText(dst, `"moref":`, vm.MoRef)
	dst = appendText(dst, `"cluster":`, vm.Cluster)
	dst = appendText(dst, `"folder":`, vm.Folder)
	dst = appendText(dst, `"pool":`, vm.Pool)
	dst = appendText(dst, `"guest_os":`, vm.GuestOS)
	dst = appendText(dst, `"guest_name":`, vm.GuestName)
	dst = appendText(dst, `"annotation":`, vm.Annotation)
	dst = appendFlag(dst, `"powered_on":true,`, vm.PoweredOn)
	dst = appendTexts(dst, `"tags":`, vm.Tags)
	dst = appendTexts(dst, `"attributes":`, vm.Attributes)
	return appendText(dst, `"key":`, vm.Key)
}

// AppendJSON appends all that is known of vm as a JSON object: what stands in
// the enrichments of a finding, and in the inventory's bucket.
func (vm *VM) AppendJSON(dst []byte) []byte {
	c := Context{VM: vm}
	return closeObject(c.appendVM(append(dst, '{'), true))
}

func appendFlag(dst []byte, member string, set bool) []byte {
	if !set {
		return dst
	}
	return append(dst, member...)
}

// appendCandidates names the VMs that the endpoint may be, best first: their
// names in an event, in a finding also what tells them apart.
func (c *Context) appendCandidates(dst []byte, whole bool) []byte {
	if len(c.Candidates) == 0 {
		return dst
	}
	dst = append(dst, `"candidates":[`...)
	for _, vm := range c.Candidates[:min(len(c.Candidates), c.limit(whole))] {
		if whole {
			dst = append(dst, '{')
			dst = appendText(dst, `"name":`, vm.Name)
			dst = appendText(dst, `"instance_uuid":`, vm.InstanceUUID)
			dst = appendText(dst, `"vcenter":`, vm.VCenter)
			dst = appendText(dst, `"folder":`, vm.Folder)
			dst = closeMember(appendText(dst, `"host":`, vm.Host))
			continue
		}
		dst, _ = appendString(dst, vm.Name)
		dst = append(dst, ',')
	}
	dst = append(closeArray(dst), ',')
	return appendFlag(dst, `"ambiguous":true,`, c.Ambiguous())
}

func (c *Context) limit(whole bool) int {
	if whole {
		return maxWhole
	}
	return maxCandidates
}

// appendHow appends how the answer came about.
func (c *Context) appendHow(dst []byte, whole bool) []byte {
	dst = appendText(dst, `"via":`, c.Via.String())
	dst = appendText(dst, `"state":`, c.State.String())
	if whole {
		dst = appendCount(dst, `"age_seconds":`, int64(c.Age/time.Second))
	}
	return dst
}

func (h *Host) appendData(dst []byte, whole bool) []byte {
	dst = appendText(dst, `"name":`, h.Name)
	dst = appendTexts(dst, `"roles":`, h.Roles)
	dst = appendFlag(dst, `"is_vcenter":true,`, h.IsVCenter)
	if !whole {
		return dst
	}
	dst = appendText(dst, `"vcenter":`, h.VCenter)
	dst = appendText(dst, `"moref":`, h.MoRef)
	dst = appendText(dst, `"cluster":`, h.Cluster)
	dst = appendText(dst, `"version":`, h.Version)
	dst = appendFlag(dst, `"maintenance":true,`, h.Maintenance)
	return appendText(dst, `"key":`, h.Key)
}
