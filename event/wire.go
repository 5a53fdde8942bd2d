package event

import (
	"encoding/json"
	"net/netip"
)

// wireEvent has every attribute of every class; unmapped is merged into it,
// since there each stands at the same path.
type wireEvent struct {
	ClassUID     Class          `json:"class_uid"`
	ActivityID   Activity       `json:"activity_id"`
	SeverityID   Severity       `json:"severity_id"`
	StatusID     Status         `json:"status_id"`
	Time         int64          `json:"time"`
	StartTime    int64          `json:"start_time"`
	EndTime      int64          `json:"end_time"`
	Message      string         `json:"message"`
	RawData      string         `json:"raw_data"`
	RawEncoding  string         `json:"raw_encoding"`
	Records      int            `json:"records"`
	Metadata     wireMetadata   `json:"metadata"`
	Device       wireDevice     `json:"device"`
	Src          wireEndpoint   `json:"src_endpoint"`
	Dst          wireEndpoint   `json:"dst_endpoint"`
	Connection   wireConnection `json:"connection_info"`
	Traffic      *wireTraffic   `json:"traffic"`
	URL          wireURL        `json:"url"`
	HTTPRequest  wireRequest    `json:"http_request"`
	HTTPResponse struct {
		Code int `json:"code"`
	} `json:"http_response"`
	Query         wireQuery          `json:"query"`
	RCode         string             `json:"rcode"`
	Answers       []wireAnswer       `json:"answers"`
	Actor         wireActor          `json:"actor"`
	User          wireUser           `json:"user"`
	Session       wireSession        `json:"session"`
	Service       wireName           `json:"service"`
	API           wireAPI            `json:"api"`
	Resources     []wireName         `json:"resources"`
	Process       *wireProcess       `json:"process"`
	File          wireFile           `json:"file"`
	Justification *wireJustification `json:"justification"`
	Enrichments   []wireEnrichment   `json:"enrichments"`
	Unmapped      json.RawMessage    `json:"unmapped"`

	unmappedProcess *wireProcess
}

type wireMetadata struct {
	LogName      string     `json:"log_name"`
	UID          string     `json:"uid"`
	OriginalTime string     `json:"original_time"`
	Reporter     wireDevice `json:"reporter"`
}

type wireDevice struct {
	Hostname string     `json:"hostname"`
	IP       netip.Addr `json:"ip"`
}

type wireEndpoint struct {
	IP          netip.Addr `json:"ip"`
	Port        uint16     `json:"port"`
	Hostname    string     `json:"hostname"`
	MAC         string     `json:"mac"`
	Name        string     `json:"name"`
	TypeID      *int       `json:"type_id"`
	InstanceUID string     `json:"instance_uid"`
	Interface   string     `json:"interface_uid"`
	Service     string     `json:"svc_name"`
	Switch      string     `json:"switch"`
	SwitchPort  string     `json:"switch_port"`
	World       string     `json:"world"`
	Category    string     `json:"category"`
	HostnameVia string     `json:"hostname_via"`
	HostnameAge uint32     `json:"hostname_age_seconds"`
}

type wireConnection struct {
	Direction Direction `json:"direction_id"`
	Protocol  uint8     `json:"protocol_num"`
	TCPFlags  uint8     `json:"tcp_flags"`
}

type wireTraffic struct {
	BytesIn    int64 `json:"bytes_in"`
	BytesOut   int64 `json:"bytes_out"`
	PacketsIn  int64 `json:"packets_in"`
	PacketsOut int64 `json:"packets_out"`
}

type wireURL struct {
	Text string `json:"url_string"`
	Path string `json:"path"`
}

type wireRequest struct {
	Method    string  `json:"http_method"`
	URL       wireURL `json:"url"`
	UserAgent string  `json:"user_agent"`
	Version   string  `json:"version"`
}

// wireQuery has rcode and answers where it stands in unmapped.
type wireQuery struct {
	Hostname string       `json:"hostname"`
	Type     string       `json:"type"`
	RCode    string       `json:"rcode"`
	Answers  []wireAnswer `json:"answers"`
}

type wireAnswer struct {
	RData string `json:"rdata"`
}

type wireActor struct {
	User    wireUser     `json:"user"`
	Session wireSession  `json:"session"`
	Process *wireProcess `json:"process"`
}

type wireUser struct {
	Name   string `json:"name"`
	Domain string `json:"domain"`
	UID    string `json:"uid"`
	TypeID *int   `json:"type_id"`
}

type wireSession struct {
	UID string `json:"uid"`
}

type wireName struct {
	Name string `json:"name"`
}

type wireAPI struct {
	Operation string   `json:"operation"`
	Service   wireName `json:"service"`
}

type wireProcess struct {
	Name    string       `json:"name"`
	Path    string       `json:"path"`
	CmdLine string       `json:"cmd_line"`
	PID     int64        `json:"pid"`
	UID     string       `json:"uid"`
	Parent  *wireProcess `json:"parent_process"`
}

type wireFile struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

type wireJustification struct {
	Verdict string `json:"verdict"`
	Reason  string `json:"reason"`
	By      string `json:"by"`
	Window  struct {
		Start int64 `json:"start"`
		End   int64 `json:"end"`
	} `json:"window"`
	Evidence []string `json:"evidence"`
}

type wireEnrichment struct {
	Name string      `json:"name"`
	Type string      `json:"type"`
	Data wireContext `json:"data"`
}

// wireContext is the data of an enrichment: of a VM, of VMs that it may be,
// or of a host.
type wireContext struct {
	Name         string          `json:"name"`
	InstanceUUID string          `json:"instance_uuid"`
	Host         string          `json:"host"`
	Roles        []string        `json:"roles"`
	VCenter      string          `json:"vcenter"`
	MoRef        string          `json:"moref"`
	Cluster      string          `json:"cluster"`
	Folder       string          `json:"folder"`
	Pool         string          `json:"pool"`
	GuestOS      string          `json:"guest_os"`
	GuestName    string          `json:"guest_name"`
	Annotation   string          `json:"annotation"`
	PoweredOn    bool            `json:"powered_on"`
	Tags         []string        `json:"tags"`
	Attributes   []string        `json:"attributes"`
	Key          string          `json:"key"`
	Version      string          `json:"version"`
	Maintenance  bool            `json:"maintenance"`
	IsVCenter    bool            `json:"is_vcenter"`
	Via          string          `json:"via"`
	State        string          `json:"state"`
	AgeSeconds   int64           `json:"age_seconds"`
	Candidates   []wireCandidate `json:"candidates"`
}

// wireCandidate is a name in an event, an object in a finding.
type wireCandidate struct {
	Name         string `json:"name"`
	InstanceUUID string `json:"instance_uuid"`
	VCenter      string `json:"vcenter"`
	Folder       string `json:"folder"`
	Host         string `json:"host"`
}

// UnmarshalJSON reads a candidate, or only its name.
func (c *wireCandidate) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return json.Unmarshal(data, &c.Name)
	}
	type plain wireCandidate
	return json.Unmarshal(data, (*plain)(c))
}

type wireFinding struct {
	ClassUID     Class         `json:"class_uid"`
	ActivityID   Activity      `json:"activity_id"`
	SeverityID   Severity      `json:"severity_id"`
	StatusID     FindingStatus `json:"status_id"`
	ConfidenceID uint8         `json:"confidence_id"`
	RiskScore    int           `json:"risk_score"`
	Count        int64         `json:"count"`
	Time         int64         `json:"time"`
	Info         struct {
		UID       string       `json:"uid"`
		Title     string       `json:"title"`
		Analytic  wireAnalytic `json:"analytic"`
		Attacks   []wireAttack `json:"attacks"`
		FirstSeen int64        `json:"first_seen_time"`
		LastSeen  int64        `json:"last_seen_time"`
		Related   []struct {
			UID string `json:"uid"`
		} `json:"related_events"`
	} `json:"finding_info"`
	Device      wireDevice       `json:"device"`
	Evidences   []wireEvidence   `json:"evidences"`
	Enrichments []wireEnrichment `json:"enrichments"`
	Unmapped    struct {
		Explanation   []string           `json:"explanation"`
		Attack        string             `json:"attack_analytic"`
		Entity        string             `json:"entity"`
		Key           string             `json:"key"`
		Revision      string             `json:"revision"`
		BytesIn       int64              `json:"bytes_in"`
		BytesOut      int64              `json:"bytes_out"`
		Connections   int64              `json:"connections"`
		URL           string             `json:"url"`
		Justification *wireJustification `json:"justification"`
		Src           wireEndpoint       `json:"src_endpoint"`
		Dst           wireEndpoint       `json:"dst_endpoint"`
	} `json:"unmapped"`
}

type wireAnalytic struct {
	UID     string `json:"uid"`
	Name    string `json:"name"`
	TypeID  int    `json:"type_id"`
	Version string `json:"version"`
	Desc    string `json:"desc"`
}

type wireNamed struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

type wireAttack struct {
	Tactic       wireNamed  `json:"tactic"`
	Technique    wireNamed  `json:"technique"`
	SubTechnique *wireNamed `json:"sub_technique"`
}

type wireEvidence struct {
	UID  string       `json:"uid"`
	Src  wireEndpoint `json:"src_endpoint"`
	Dst  wireEndpoint `json:"dst_endpoint"`
	URL  wireURL      `json:"url"`
	Data struct {
		Time        int64           `json:"time"`
		LogName     string          `json:"log_name"`
		RawData     string          `json:"raw_data"`
		RawEncoding string          `json:"raw_encoding"`
		Src         json.RawMessage `json:"src_endpoint"`
		Dst         json.RawMessage `json:"dst_endpoint"`
	} `json:"data"`
}
