package windows

import (
	"strings"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// Bounds of the names that a Decoder remembers, others are looked up each time,
// and of the bytes of a path that is looked at.
const (
	maxCached = 4096
	maxPath   = 2 * endpoint.MaxName
)

var fieldOther = event.Intern("other") // of a path that is too long

// nameCache knows the field of a value's path in a record.
type nameCache map[string]cachedName

type cachedName struct {
	id   event.FieldID
	keep bool
}

func (c nameCache) id(path string) (id event.FieldID, keep bool) {
	if len(path) > maxPath {
		return fieldOther, true
	}
	if known, ok := c[path]; ok {
		return known.id, known.keep
	}
	name := fieldName(path)
	known := cachedName{keep: name != ""}
	if known.keep {
		known.id = endpoint.Name(name)
	}
	if len(c) < maxCached {
		c[strings.Clone(path)] = known
	}
	return known.id, known.keep
}

// fieldName is the name of the field for a value at that path, whose elements
// have dots between; empty: the value says nothing of the event.
func fieldName(path string) string {
	path = strings.TrimPrefix(path, "_source.") // as Elasticsearch exports documents
	path = strings.TrimPrefix(path, "Event.")
	if path == "xmlns" || strings.HasSuffix(path, ".xmlns") || strings.HasSuffix(path, "@xmlns") {
		return ""
	}
	path = strings.TrimSuffix(path, ".#text")
	if rest, ok := strings.CutPrefix(path, "EventData."); ok {
		if attribute, ok := strings.CutPrefix(rest, "#attributes."); ok {
			return "EventData_" + attribute
		}
		return strings.TrimPrefix(rest, "EventData.") // Sentinel's WindowsEvent has it twice
	}
	if rest, ok := strings.CutPrefix(path, "System."); ok {
		return joined(rest)
	}
	if rest, ok := strings.CutPrefix(path, "RenderingInfo."); ok {
		return "RenderingInfo_" + joined(rest)
	}
	if rest, ok := strings.CutPrefix(path, "UserData."); ok {
		if _, inner, ok := strings.Cut(rest, "."); ok {
			rest = inner
		}
		return joined(rest)
	}
	return winlogName(path)
}

// joined is the name of an element, with its attribute's behind an underscore:
// Provider.#attributes.Name is Provider_Name.
func joined(path string) string {
	parts := strings.Split(path, ".")
	kept := parts[:0]
	for _, part := range parts {
		if part = strings.TrimLeft(part, "@"); part != "#attributes" && part != "#text" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "_")
}

func winlogName(path string) string {
	rest, ok := strings.CutPrefix(path, "winlog.")
	if !ok {
		return path
	}
	for _, data := range []string{"event_data.", "user_data."} {
		if name, ok := strings.CutPrefix(rest, data); ok {
			return name
		}
	}
	if name, ok := winlogNames[rest]; ok {
		return name
	}
	return path
}

// winlogNames are the event log's names for what Winlogbeat has in winlog
// (https://www.elastic.co/guide/en/beats/winlogbeat/current/exported-fields-winlog.html).
var winlogNames = map[string]string{
	"channel":             "Channel",
	"computer_name":       "Computer",
	"event_id":            "EventID",
	"provider_name":       "Provider_Name",
	"provider_guid":       "Provider_Guid",
	"record_id":           "EventRecordID",
	"process.pid":         "Execution_ProcessID",
	"process.thread.id":   "Execution_ThreadID",
	"task":                "Task",
	"opcode":              "Opcode",
	"keywords":            "Keywords",
	"version":             "Version",
	"user.identifier":     "Security_UserID",
	"activity_id":         "Correlation_ActivityID",
	"related_activity_id": "Correlation_RelatedActivityID",
}

// aliases are the event log's names for those of other shippers. A field is
// renamed where the record has none of the event log's name, and is not in the
// event log's own form.
var aliases = map[string]string{
	// NXLog, https://docs.nxlog.co/refman/current/im/msvistalog.html
	"SourceName":         "Provider_Name",
	"ProviderGuid":       "Provider_Guid",
	"Hostname":           "Computer",
	"RecordNumber":       "EventRecordID",
	"ExecutionProcessID": "Execution_ProcessID",
	"ExecutionThreadID":  "Execution_ThreadID",
	"UserID":             "Security_UserID",

	// Fluent Bit, https://docs.fluentbit.io/manual/pipeline/inputs/windows-event-log-winevtlog
	"ProviderName": "Provider_Name",

	// Sentinel, https://learn.microsoft.com/azure/azure-monitor/reference/tables/event
	// and .../securityevent, .../windowsevent
	"EventLog":        "Channel",
	"EventLevel":      "Level",
	"EventSourceName": "Provider_Name",
	"Provider":        "Provider_Name",
	"SystemProcessId": "Execution_ProcessID",
	"SystemThreadId":  "Execution_ThreadID",
	"SystemUserId":    "Security_UserID",

	// ECS, https://www.elastic.co/guide/en/ecs/current/ecs-field-reference.html
	"event.code":     "EventID",
	"event.provider": "Provider_Name",
	"host.name":      "Computer",
	"log.level":      "Level",
	"message":        "Message",
}

// sysmonAliases are Sysmon's names for ECS's, for the shippers that move the
// values there (Elastic's Sysmon modules).
var sysmonAliases = map[string]string{
	"process.entity_id":             "ProcessGuid",
	"process.pid":                   "ProcessId",
	"process.executable":            "Image",
	"process.command_line":          "CommandLine",
	"process.working_directory":     "CurrentDirectory",
	"process.parent.entity_id":      "ParentProcessGuid",
	"process.parent.pid":            "ParentProcessId",
	"process.parent.executable":     "ParentImage",
	"process.parent.command_line":   "ParentCommandLine",
	"process.pe.company":            "Company",
	"process.pe.description":        "Description",
	"process.pe.file_version":       "FileVersion",
	"process.pe.original_file_name": "OriginalFileName",
	"process.pe.product":            "Product",
	"source.ip":                     "SourceIp",
	"source.port":                   "SourcePort",
	"source.domain":                 "SourceHostname",
	"destination.ip":                "DestinationIp",
	"destination.port":              "DestinationPort",
	"destination.domain":            "DestinationHostname",
	"network.transport":             "Protocol",
	"dns.question.name":             "QueryName",
	"sysmon.dns.status":             "QueryStatus",
	"registry.path":                 "TargetObject",
	"registry.data.strings":         "Details",
	"rule.name":                     "RuleName",
}

// powershellAliases are PowerShell's names for ECS's, and for those of older
// versions of NXLog.
var powershellAliases = map[string]string{
	"ProcessID": "Execution_ProcessID",

	"powershell.file.script_block_id":   "ScriptBlockId",
	"powershell.file.script_block_text": "ScriptBlockText",
	"powershell.sequence":               "MessageNumber",
	"powershell.total":                  "MessageTotal",
	"file.path":                         "Path",
}

// slot is the place of a value that typed members are made of.
type slot uint8

// A slot for each of slotNames; 0 is none.
const (
	slotNone slot = iota
	slotChannel
	slotEventID
	slotProvider
	slotComputer
	slotLevel
	slotExecution
	slotSecurityUser
	slotTimeCreated
	slotTimeCreatedFlat
	slotTimestamp
	slotTimeGenerated
	slotEventTime
	slotUtcTime
	slotMessage
	slotProcessID // Sysmon's ProcessId, and Security's
	slotProcessIDFilter
	slotCommandLine
	slotLogonID
	slotProtocol
	slotSourcePort
	slotNewProcessID
	slotNewProcessName
	slotProcessName
	slotParentProcessName
	slotSubjectUser
	slotSubjectDomain
	slotSubjectSID
	slotSubjectLogon
	slotTargetUser
	slotTargetDomain
	slotTargetSID
	slotTargetLogon
	slotDirection
	slotApplication
	slotSourceAddress
	slotDestAddress
	slotDestPort
	slotIPAddress
	slotIPPort
	slotWorkstation

	slots
)

// slotNames are the names of the slots' fields.
var slotNames = [slots]string{
	slotChannel:         "Channel",
	slotEventID:         "EventID",
	slotProvider:        "Provider_Name",
	slotComputer:        "Computer",
	slotLevel:           "Level",
	slotExecution:       "Execution_ProcessID",
	slotSecurityUser:    "Security_UserID",
	slotTimeCreated:     "TimeCreated_SystemTime",
	slotTimeCreatedFlat: "TimeCreated",
	slotTimestamp:       "@timestamp",
	slotTimeGenerated:   "TimeGenerated",
	slotEventTime:       "EventTime",
	slotUtcTime:         "UtcTime",
	slotMessage:         "Message",
	slotProcessID:       "ProcessId",
	slotProcessIDFilter: "ProcessID",
	slotCommandLine:     "CommandLine",
	slotLogonID:         "LogonId",

	slotProtocol:   "Protocol",
	slotSourcePort: "SourcePort",

	slotNewProcessID:      "NewProcessId",
	slotNewProcessName:    "NewProcessName",
	slotProcessName:       "ProcessName",
	slotParentProcessName: "ParentProcessName",
	slotSubjectUser:       "SubjectUserName",
	slotSubjectDomain:     "SubjectDomainName",
	slotSubjectSID:        "SubjectUserSid",
	slotSubjectLogon:      "SubjectLogonId",
	slotTargetUser:        "TargetUserName",
	slotTargetDomain:      "TargetDomainName",
	slotTargetSID:         "TargetUserSid",
	slotTargetLogon:       "TargetLogonId",
	slotDirection:         "Direction",
	slotApplication:       "Application",
	slotSourceAddress:     "SourceAddress",
	slotDestAddress:       "DestAddress",
	slotDestPort:          "DestPort",
	slotIPAddress:         "IpAddress",
	slotIPPort:            "IpPort",
	slotWorkstation:       "WorkstationName",
}

// knownName is what a Decoder knows of a field's name.
type knownName struct {
	slot  slot
	group aliasGroup
	to    event.FieldID // the event log's name, of an alias
}

// aliasGroup says for which records an alias holds.
type aliasGroup uint8

const (
	noAlias aliasGroup = iota
	anyRecord
	sysmonRecord
	powershellRecord
)

// known has what is known of each name, by its id.
var known = knownNames()

func knownNames() *[event.MaxFieldNames]knownName {
	list := new([event.MaxFieldNames]knownName)
	for s := slotNone + 1; s < slots; s++ {
		list[event.Intern(slotNames[s])].slot = s
	}
	for group, names := range map[aliasGroup]map[string]string{
		anyRecord: aliases, sysmonRecord: sysmonAliases, powershellRecord: powershellAliases,
	} {
		for from, to := range names {
			k := &list[event.Intern(from)]
			k.group, k.to = group, event.Intern(to)
		}
	}
	return list
}
