package coverage

import (
	"slices"
	"strings"
)

// keywords is the common name of what has no field: any value of the record.
const keywords = "(keywords)"

// commonName is the name under which a field is counted: vendors call the same
// field by different names. Names of the Elastic Common Schema stand for
// all; a field that is not here keeps its own.
func commonName(field string) string {
	if field == "" {
		return keywords
	}
	if common, ok := commonNames[strings.ToLower(field)]; ok {
		return common
	}
	return field
}

// commonNames goes from a name, in lower case, to the common one.
var commonNames = func() map[string]string {
	names := map[string]string{}
	for common, vendors := range vendorNames {
		names[common] = common
		for _, vendor := range vendors {
			names[strings.ToLower(vendor)] = common
		}
	}
	return names
}()

// vendorNames are the names of fields in Sigma's taxonomy, Sysmon, Windows'
// logs, auditd, W3C's and Zeek's logs, cloud audit logs, and in the schemas of
// Splunk (CIM), Microsoft (ASIM, Defender) and osquery.
var vendorNames = map[string][]string{
	"process.executable":                  {"Image", "NewProcessName", "exe", "ProcessPath", "process_path", "Processes.process_path", "FolderPath", "InitiatingProcessFolderPath", "Application", "ApplicationPath", "image_path"},
	"process.name":                        {"ProcessName", "process_name", "Processes.process_name", "comm", "ImageName", "InitiatingProcessFileName", "ActingProcessName", "process"},
	"process.command_line":                {"CommandLine", "cmdline", "cmd_line", "ProcessCommandLine", "process.cmd_line", "Processes.process", "process.args", "InitiatingProcessCommandLine", "Command"},
	"process.working_directory":           {"CurrentDirectory", "cwd"},
	"process.pid":                         {"ProcessId", "pid", "process_id"},
	"process.pe.original_file_name":       {"OriginalFileName", "OriginalFilename", "process.original_file_name", "ProcessVersionInfoOriginalFileName"},
	"process.pe.product":                  {"Product"},
	"process.pe.description":              {"Description", "FileDescription"},
	"process.pe.company":                  {"Company", "CompanyName"},
	"process.pe.file_version":             {"FileVersion"},
	"process.integrity_level":             {"IntegrityLevel", "MandatoryLabel", "ProcessIntegrityLevel"},
	"process.hash":                        {"Hashes", "Hash", "sha256", "md5", "Imphash", "process.hash.sha256", "Processes.process_hash"},
	"process.code_signature.subject_name": {"Signature"},
	"process.code_signature.trusted":      {"Signed", "SignatureStatus"},
	"process.parent.executable":           {"ParentImage", "ParentProcessName", "ParentProcessPath", "parent_process_path", "Processes.parent_process_path", "InitiatingProcessParentFileName"},
	"process.parent.command_line":         {"ParentCommandLine", "parent_process", "Processes.parent_process", "parent_cmdline", "process.parent.cmd_line"},
	"process.parent.name":                 {"parent_process_name", "Processes.parent_process_name"},
	"process.parent.pid":                  {"ParentProcessId", "ppid"},
	"process.target":                      {"TargetImage"},
	"process.source":                      {"SourceImage"},
	"dll.path":                            {"ImageLoaded"},
	"file.path":                           {"TargetFilename", "FileName", "Filename", "file_path", "Filesystem.file_path", "path", "ObjectPath"},
	"registry.path":                       {"TargetObject", "registry_path", "Registry.registry_path", "RegistryKey"},
	"registry.data":                       {"Details", "registry_value_data", "RegistryValueData", "NewValue"},
	"pipe.name":                           {"PipeName"},
	"powershell.script":                   {"ScriptBlockText", "script_block_text"},
	"powershell.payload":                  {"Payload"},
	"service.name":                        {"ServiceName", "Service_Name", "Service"},
	"service.path":                        {"ImagePath", "ServiceFileName", "Service_File_Name"},
	"user.name":                           {"User", "UserName", "Username", "SubjectUserName", "AccountName", "cs-username", "user_name", "actor.alternateId", "userIdentity.userName"},
	"user.target.name":                    {"TargetUserName"},
	"user.domain":                         {"UserDomain", "SubjectDomainName"},
	"user.id":                             {"SubjectUserSid", "uid", "auid"},
	"source.ip":                           {"SourceIp", "SourceAddress", "IpAddress", "ClientAddress", "src_ip", "src", "c-ip", "sourceIPAddress", "callerIpAddress", "SrcIpAddr", "id.orig_h"},
	"source.port":                         {"SourcePort", "src_port", "IpPort", "SrcPortNumber", "id.orig_p"},
	"source.domain":                       {"SourceHostname", "WorkstationName", "Workstation", "SrcHostname"},
	"destination.ip":                      {"DestinationIp", "DestAddress", "dst_ip", "dest_ip", "RemoteIP", "DstIpAddr", "RemoteAddress", "id.resp_h"},
	"destination.port":                    {"DestinationPort", "DestPort", "dst_port", "dest_port", "RemotePort", "DstPortNumber", "id.resp_p"},
	"destination.domain":                  {"DestinationHostname", "dst_host", "dest_host", "RemoteUrl", "DstDomain"},
	"network.initiated":                   {"Initiated"},
	"network.direction":                   {"Direction", "NetworkDirection"},
	"network.protocol":                    {"Protocol", "proto", "NetworkProtocol"},
	"dns.question.name":                   {"QueryName", "query", "QNAME", "DNS.query", "DnsQuery"},
	"dns.question.type":                   {"record_type", "qtype_name", "QueryType", "DNS.record_type"},
	"dns.answers":                         {"answer", "answers", "QueryResults"},
	"url.full":                            {"c-uri", "cs-uri", "Url", "uri", "url", "url.original", "RequestURL", "UrlOriginal", "Web.url", "requestURI"},
	"url.path":                            {"c-uri-stem", "cs-uri-stem", "uri_path"},
	"url.query":                           {"c-uri-query", "cs-uri-query", "uri_query"},
	"url.extension":                       {"c-uri-extension"},
	"url.domain":                          {"cs-host", "r-dns", "host_header"},
	"user_agent":                          {"c-useragent", "cs-user-agent", "UserAgent", "user_agent.original", "http_user_agent", "HttpUserAgent", "HttpUserAgentOriginal"},
	"http.request.method":                 {"cs-method", "HttpRequestMethod", "RequestMethod", "http_method", "method"},
	"http.request.referrer":               {"cs-referer", "HttpReferrer", "http_referrer"},
	"http.response.status_code":           {"sc-status", "status_code", "HttpStatusCode"},
	"event.code":                          {"EventID", "EventCode", "event_id", "winlog.event_id", "event.id"},
	"event.provider":                      {"Provider_Name", "SourceName", "Source", "eventSource", "gcp.audit.service_name", "protoPayload.serviceName", "data.protoPayload.serviceName", "eventService"},
	"event.action":                        {"eventName", "gcp.audit.method_name", "data.protoPayload.methodName", "properties.message", "Operation", "operationName", "OperationName", "ActionType"},
	"event.type":                          {"type", "eventType", "EventType", "riskEventType", "event_type"},
	"log.channel":                         {"Channel", "winlog.channel"},
	"message":                             {"Message", "EventMessage"},
	"host.name":                           {"Computer", "ComputerName", "Hostname", "DeviceName", "host"},
}

// vendorsOf lists the names under which a field was met, in their order.
func vendorsOf(met map[string]bool) []string {
	names := make([]string, 0, len(met))
	for name := range met {
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
