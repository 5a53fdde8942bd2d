package event

// place is a set of attributes that an OCSF class has. What an event says
// and its class has no place for is written at the same path below unmapped:
// a Base Event's source is unmapped.src_endpoint.
type place uint16

const (
	placeEndpoints  place = 1 << iota // src_endpoint, dst_endpoint
	placeConnection                   // connection_info, traffic
	placeURL                          // url
	placeHTTP                         // http_request, http_response
	placeQuery                        // query, answers, rcode
	placeUser                         // user, session, service
	placeActor                        // actor
	placeAPI                          // api, resources
	placeDevice                       // device
	placeProcess                      // process
	placeFile                         // file
)

// classFacts is what the encoder knows of a class.
type classFacts struct {
	name   string   // its OCSF name
	head   string   // how an event of it begins
	places place    // what its schema, without profiles, has
	last   Activity // the highest of its own activities
}

const network = placeEndpoints | placeConnection

var (
	baseFacts           = classFacts{name: "base_event", head: `{"class_uid":0,"category_uid":0,"activity_id":`}
	fileFacts           = classFacts{"file_activity", `{"class_uid":1001,"category_uid":1,"activity_id":`, placeActor | placeDevice | placeFile, 14}
	processFacts        = classFacts{"process_activity", `{"class_uid":1007,"category_uid":1,"activity_id":`, placeActor | placeDevice | placeProcess, 5}
	findingFacts        = classFacts{"detection_finding", `{"class_uid":2004,"category_uid":2,"activity_id":`, 0, 3}
	authenticationFacts = classFacts{"authentication", `{"class_uid":3002,"category_uid":3,"activity_id":`, placeEndpoints | placeHTTP | placeUser | placeActor, 7}
	networkFacts        = classFacts{"network_activity", `{"class_uid":4001,"category_uid":4,"activity_id":`, network | placeURL, 7}
	httpFacts           = classFacts{"http_activity", `{"class_uid":4002,"category_uid":4,"activity_id":`, network | placeHTTP | placeFile, 9}
	dnsFacts            = classFacts{"dns_activity", `{"class_uid":4003,"category_uid":4,"activity_id":`, network | placeQuery, 2}
	sshFacts            = classFacts{"ssh_activity", `{"class_uid":4007,"category_uid":4,"activity_id":`, network | placeFile, 7}
	apiFacts            = classFacts{"api_activity", `{"class_uid":6003,"category_uid":6,"activity_id":`, placeEndpoints | placeHTTP | placeActor | placeAPI, 4}
)

// facts are those of c; of a class that vegress does not write, BaseEvent's.
func (c Class) facts() *classFacts {
	switch c {
	case FileActivity:
		return &fileFacts
	case ProcessActivity:
		return &processFacts
	case DetectionFinding:
		return &findingFacts
	case Authentication:
		return &authenticationFacts
	case NetworkActivity:
		return &networkFacts
	case HTTPActivity:
		return &httpFacts
	case DNSActivity:
		return &dnsFacts
	case SSHActivity:
		return &sshFacts
	case APIActivity:
		return &apiFacts
	}
	return &baseFacts
}

// Name is the OCSF name of c: "network_activity". A class that vegress does
// not write is "base_event".
func (c Class) Name() string { return c.facts().name }

// activity is a, or ActivityOther where class c has no such activity.
func (c Class) activity(a Activity) Activity {
	if a > c.facts().last && !(c == DNSActivity && a == NetworkTraffic) {
		return ActivityOther
	}
	return a
}

// WireClass is the class that e is written as: its own, or BaseEvent when e
// lacks what makes an event of that class: an endpoint in network, DNS and SSH
// activity, an operation in API activity, a process or a file in their
// activities.
func (e *Event) WireClass() Class {
	fits := false
	switch e.Class {
	case HTTPActivity, Authentication:
		fits = true
	case NetworkActivity, DNSActivity, SSHActivity:
		fits = e.Src.identified() || e.Dst.identified()
	case APIActivity:
		fits = e.Operation != ""
	case ProcessActivity:
		fits = e.Process.identified() || e.Process.known() && e.UID != ""
	case FileActivity:
		fits = e.File.Name != "" || e.File.Path != ""
	}
	if fits {
		return e.Class
	}
	return BaseEvent
}
