package vsphere

import "github.com/vegress/vegress/event"

// Fields that records of several programs carry. docs/fields.md explains
// them.
var (
	FieldSub     = event.Intern("sub")
	FieldOpID    = event.Intern("opid")
	FieldSID     = event.Intern("sid")
	FieldReason  = event.Intern("reason")
	FieldModule  = event.Intern("module")
	FieldVM      = event.Intern("vm")
	FieldVMPath  = event.Intern("vm_path")
	FieldHost    = event.Intern("host")
	FieldEventID = event.Intern("event_id")
	FieldError   = event.Intern("error")
	FieldAddress = event.Intern("address")
	FieldRunAs   = event.Intern("run_as")

	FieldDatacenter = event.Intern("datacenter")
	FieldDuration   = event.Intern("duration_ms")

	fieldMAC        = event.Intern("mac")
	fieldCluster    = event.Intern("cluster")
	fieldEntity     = event.Intern("entity")
	fieldRole       = event.Intern("role")
	fieldGroup      = event.Intern("group")
	fieldTargetVM   = event.Intern("target_vm")
	fieldTargetHost = event.Intern("target_host")

	fieldAccount    = event.Intern("account")
	fieldAction     = event.Intern("action")
	fieldItem       = event.Intern("item")
	fieldErrorCode  = event.Intern("error_code")
	fieldErrorClass = event.Intern("error_class")
	fieldTask       = event.Intern("task")
	fieldLRO        = event.Intern("lro")
	fieldAPICalls   = event.Intern("api_calls")
	fieldLoginTime  = event.Intern("login_time")
	fieldTicketType = event.Intern("ticket_type")
	fieldGuestOp    = event.Intern("guest_operation")
	fieldStateFrom  = event.Intern("state_from")
	fieldStateTo    = event.Intern("state_to")
	fieldSnapshot   = event.Intern("snapshot")
	fieldValue      = event.Intern("value")
	fieldMalformed  = event.Intern("syslog_malformed")
	fieldPartial    = event.Intern("syslog_partial")
	fieldTruncated  = event.Intern("syslog_truncated")
)

// AddIf adds a string field that the record really has: value is not empty.
func AddIf(ev *event.Event, id event.FieldID, value string) {
	if value != "" {
		ev.Add(id, value)
	}
}

// AddNumber adds value as a number when it is one, else as a string; empty is
// not added.
func AddNumber(ev *event.Event, id event.FieldID, value string) {
	if _, ok := ParseUint(value); ok && (value[0] != '0' || value == "0") {
		ev.AddNumber(id, value)
		return
	}
	AddIf(ev, id, value)
}
