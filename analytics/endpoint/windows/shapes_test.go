package windows_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// source is a record of the event log before a shipper has it.
type source struct {
	channel, provider, id string
	data                  []datum
}

type datum struct{ name, value string }

const (
	sysmonChannel  = "Microsoft-Windows-Sysmon/Operational"
	sysmonProvider = "Microsoft-Windows-Sysmon"
	computer       = "ws-014.corp.example"
	created        = "2026-11-02T09:15:01.1201234Z"
)

// quote is s as JSON.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// members are the data as members of a JSON object.
func (s source) members() string {
	var list []string
	for _, d := range s.data {
		list = append(list, quote(d.name)+":"+quote(d.value))
	}
	return strings.Join(list, ",")
}

func (s source) value(name string) string {
	for _, d := range s.data {
		if d.name == name {
			return d.value
		}
	}
	return ""
}

var escapeXML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func (s source) dataXML() string {
	var b strings.Builder
	for _, d := range s.data {
		fmt.Fprintf(&b, "<Data Name='%s'>%s</Data>", d.name, escapeXML.Replace(d.value))
	}
	return b.String()
}

func (s source) xml() string {
	return "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='" + s.provider + "' Guid='{5770385f-c22a-43e0-bf4c-06f5698ffbd9}'/>" +
		"<EventID>" + s.id + "</EventID><Version>5</Version><Level>4</Level><Task>1</Task><Opcode>0</Opcode><Keywords>0x8000000000000000</Keywords>" +
		"<TimeCreated SystemTime='" + created + "'/><EventRecordID>90210</EventRecordID><Correlation/><Execution ProcessID='3308' ThreadID='4008'/>" +
		"<Channel>" + s.channel + "</Channel><Computer>" + computer + "</Computer><Security UserID='S-1-5-18'/></System><EventData>" + s.dataXML() + "</EventData></Event>"
}

// writers make the record of a source as its shippers do.
var writers = map[string]func(s source) string{
	"xml": source.xml,
	"evtx": func(s source) string {
		return `{"Event":{"#attributes":{"xmlns":"http://schemas.microsoft.com/win/2004/08/events/event"},"System":{"Provider":{"#attributes":{"Name":"` + s.provider +
			`","Guid":"5770385F-C22A-43E0-BF4C-06F5698FFBD9"}},"EventID":` + s.id + `,"Version":5,"Level":4,"Task":1,"Opcode":0,"Keywords":"0x8000000000000000",` +
			`"TimeCreated":{"#attributes":{"SystemTime":"` + created + `"}},"EventRecordID":90210,"Correlation":null,"Execution":{"#attributes":{"ProcessID":3308,"ThreadID":4008}},` +
			`"Channel":"` + s.channel + `","Computer":"` + computer + `","Security":{"#attributes":{"UserID":"S-1-5-18"}}},"EventData":{` + s.members() + `}}}`
	},
	"xmltodict": func(s source) string {
		var list []string
		for _, d := range s.data {
			text := ""
			if d.value != "" {
				text = `,"#text":` + quote(d.value)
			}
			list = append(list, `{"@Name":`+quote(d.name)+text+`}`)
		}
		return `{"Event":{"@xmlns":"http://schemas.microsoft.com/win/2004/08/events/event","System":{"Provider":{"@Name":"` + s.provider + `"},"EventID":{"@Qualifiers":"","#text":"` + s.id +
			`"},"Level":"4","TimeCreated":{"@SystemTime":"` + created + `"},"Execution":{"@ProcessID":"3308","@ThreadID":"4008"},"Channel":"` + s.channel + `","Computer":"` + computer +
			`","Security":{"@UserID":"S-1-5-18"}},"EventData":{"Data":[` + strings.Join(list, ",") + `]}}}`
	},
	"nxlog": func(s source) string {
		return `{"EventTime":"2026-11-02T09:15:01.120123Z","Hostname":"` + computer + `","Keywords":"9223372036854775808","LevelValue":4,"EventType":"INFO","SeverityValue":2,"Severity":"INFO","EventID":` + s.id +
			`,"SourceName":"` + s.provider + `","ProviderGuid":"{5770385F-C22A-43E0-BF4C-06F5698FFBD9}","Version":5,"TaskValue":1,"OpcodeValue":0,"RecordNumber":90210,"ExecutionProcessID":3308,"ExecutionThreadID":4008,` +
			`"Channel":"` + s.channel + `","Domain":"NT AUTHORITY","AccountName":"SYSTEM","UserID":"S-1-5-18","AccountType":"User",` + s.members() +
			`,"Message":"A title:\r\nEventType: ` + s.value("EventType") + `\r\n","EventReceivedTime":"2026-11-02T09:15:02.000000Z","SourceModuleName":"in","SourceModuleType":"im_msvistalog"}`
	},
	"fluentbit": func(s source) string {
		return `{"System":` + quote(s.xml()) + `,"Message":"A title:","StringInserts":["-"]}`
	},
	"winlogbeat": func(s source) string {
		return `{"@timestamp":"2026-11-02T09:15:01.120Z","event":{"code":"` + s.id + `","kind":"event","provider":"` + s.provider + `"},"host":{"name":"ws-014"},"log":{"level":"information"},"message":"A title:",` +
			`"winlog":{"api":"wineventlog","channel":"` + s.channel + `","computer_name":"` + computer + `","event_id":"` + s.id + `","provider_name":"` + s.provider +
			`","provider_guid":"{5770385f-c22a-43e0-bf4c-06f5698ffbd9}","process":{"pid":3308,"thread":{"id":4008}},"record_id":90210,"task":"A task","opcode":"Info","version":5,` +
			`"user":{"identifier":"S-1-5-18","domain":"NT AUTHORITY","name":"SYSTEM","type":"User"},"event_data":{` + s.members() + `}},"agent":{"type":"winlogbeat","version":"8.15.0"},"ecs":{"version":"8.0.0"}}`
	},
	"elasticsearch": func(s source) string {
		var list []string
		for _, d := range s.data {
			list = append(list, quote("winlog.event_data."+d.name)+":"+quote(d.value))
		}
		return `{"_index":"logs","_source":{"@timestamp":"2026-11-02T09:15:01.120Z","event.code":"` + s.id + `","winlog.channel":"` + s.channel + `","winlog.computer_name":"` + computer + `","winlog.process.pid":3308,` +
			`"winlog.user.identifier":"S-1-5-18","winlog.provider_name":"` + s.provider + `",` + strings.Join(list, ",") + `}}`
	},
	"sentinel event": func(s source) string {
		return `{"TenantId":"t","SourceSystem":"OpsManager","TimeGenerated":"2026-11-02T09:15:01.12Z","Source":"` + s.provider + `","EventLog":"` + s.channel + `","Computer":"` + computer +
			`","EventLevel":4,"EventLevelName":"Information","ParameterXml":"<Param>-</Param>","EventData":` +
			quote(`<DataItem type="System.XmlData" time="2026-11-02T09:15:01.1201234+00:00" sourceHealthServiceId="x"><EventData xmlns="http://schemas.microsoft.com/win/2004/08/events/event">`+s.dataXML()+`</EventData></DataItem>`) +
			`,"EventID":` + s.id + `,"RenderedDescription":"A title:","EventCategory":1,"UserName":"NT AUTHORITY\\SYSTEM","SystemProcessId":3308,"SystemUserId":"S-1-5-18","Type":"Event"}`
	},
	"sentinel windowsevent": func(s source) string {
		return `{"TimeGenerated":"2026-11-02T09:15:01.12Z","Provider":"` + s.provider + `","Channel":"` + s.channel + `","Computer":"` + computer + `","Task":1,"EventLevel":4,"EventID":` + s.id +
			`,"SystemProcessId":3308,"SystemUserId":"S-1-5-18","EventData":{` + s.members() + `},"Type":"WindowsEvent"}`
	},
	"sentinel windowsevent text": func(s source) string {
		return `{"TimeGenerated":"2026-11-02T09:15:01.12Z","Provider":"` + s.provider + `","Channel":"` + s.channel + `","Computer":"` + computer + `","EventID":` + s.id +
			`,"SystemProcessId":3308,"SystemUserId":"S-1-5-18","EventData":` + quote(`{`+s.members()+`}`) + `,"Type":"WindowsEvent"}`
	},
	"sentinel securityevent": func(s source) string {
		return `{"TimeGenerated":"2026-11-02T09:15:01.12Z","EventSourceName":"` + s.provider + `","Channel":"` + s.channel + `","Computer":"` + computer + `","Task":13312,"Level":"8","EventID":` + s.id +
			`,"Activity":"an activity","SystemProcessId":3308,"SystemUserId":"S-1-5-18",` + s.members() + `,"Type":"SecurityEvent"}`
	},
}

// shapes gives the records of a process creation and a connection, by shape.
func shapes(testing.TB) map[string][]string {
	records := map[string][]string{}
	for shape, write := range writers {
		for _, m := range meanings[:2] {
			records[shape] = append(records[shape], write(m.source))
		}
	}
	return records
}
