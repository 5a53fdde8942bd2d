package esxi

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere"
)

var fieldNFSVolume = event.Intern("nfs_volume")

// hostd knows what only hostd and vpxa write; what they share with vCenter's
// programs is vsphere.Agent's.
func hostd(text string, ev *event.Event) bool {
	switch {
	case strings.HasPrefix(text, "TSM-SSH "), strings.HasPrefix(text, "TSM "):
		return service(text, ev)
	case strings.HasPrefix(text, "Could not get state for NFS volume "):
		ev.Add(fieldNFSVolume, text[len("Could not get state for NFS volume "):])
		return true
	}
	return false
}

// unnamed knows the text of a body whose program is not known.
func unnamed(text string, ev *event.Event) bool {
	return hostd(text, ev) || proxy(text, ev) || strings.HasPrefix(text, "VasaSession") && vasa(text, ev)
}

// service: "TSM-SSH running status is true": SSH on the host was started.
func service(text string, ev *event.Event) bool {
	name, status, ok := strings.Cut(text, " running status is ")
	if !ok {
		return false
	}
	ev.Class, ev.Activity, ev.Status = event.APIActivity, event.APIUpdate, event.StatusSuccess
	ev.Resource, ev.Service = name, ev.LogName
	ev.Operation = "service stopped"
	if status == "true" {
		ev.Operation = "service started"
	}
	return true
}

var fieldConnectionState = event.Intern("connection_state")

// vasa takes the calls of VVold, which are HTTPS to a storage provider:
// "VasaSession::DoSetContext: setContext for VP X (url: https://...) failed
// [connectionState: TransportError]: TRANSPORT_FAULT (...)".
func vasa(text string, ev *event.Event) bool {
	url := vsphere.FindURL(text)
	if url == "" {
		return false
	}
	ev.Class, ev.Activity = event.HTTPActivity, event.ActivityOther
	ev.Src, ev.Direction, ev.Protocol = vsphere.DeviceEndpoint(ev), event.DirectionOutbound, vsphere.ProtocolTCP
	vsphere.SetURL(ev, &ev.Dst, url)
	if _, failure, ok := strings.Cut(text, " failed "); ok {
		ev.Status = event.StatusFailure
		if state, ok := vsphere.Between(failure, "[connectionState: ", "]"); ok {
			ev.Add(fieldConnectionState, state)
		}
		if _, reason, ok := strings.Cut(failure, "]: "); ok {
			failure = reason
		}
		ev.Add(vsphere.FieldError, failure)
	}
	return true
}
