package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Parse reads one event that Event.AppendJSON wrote. It gives back all that is
// on the wire: a slim context has no more than its few members (and so no
// VM.Key), and an event that was written as Base Event is one. A JSON object
// of another producer is read as far as it has the same form. The Event
// shares no memory with data.
func Parse(data []byte) (Event, error) {
	var w wireEvent
	if err := json.Unmarshal(data, &w); err != nil {
		return Event{}, fmt.Errorf("parse event: %w", err)
	}
	e := Event{Class: w.ClassUID, Activity: w.ActivityID, Severity: w.SeverityID, Status: w.StatusID}
	if w.ClassUID != BaseEvent && w.ClassUID.facts().places == 0 {
		return Event{}, fmt.Errorf("parse event: class_uid %d is not one of an event", w.ClassUID)
	}
	fields, err := w.mergeUnmapped()
	if err != nil {
		return Event{}, fmt.Errorf("parse event: unmapped: %w", err)
	}
	e.Fields = fields
	if e.Raw, err = decodeRaw(w.RawData, w.RawEncoding); err != nil {
		return Event{}, fmt.Errorf("parse event: %w", err)
	}
	w.fill(&e)
	return e, nil
}

// ParseFinding reads one finding that Finding.AppendJSON wrote; all that is on
// the wire comes back. The Finding shares no memory with data.
func ParseFinding(data []byte) (Finding, error) {
	var w wireFinding
	if err := json.Unmarshal(data, &w); err != nil {
		return Finding{}, fmt.Errorf("parse finding: %w", err)
	}
	if w.ClassUID != DetectionFinding {
		return Finding{}, fmt.Errorf("parse finding: class_uid %d is not that of a finding", w.ClassUID)
	}
	f := w.finding()
	for i := range w.Evidences {
		v, err := w.Evidences[i].evidence()
		if err != nil {
			return Finding{}, fmt.Errorf("parse finding: evidence %d: %w", i, err)
		}
		f.Evidence = append(f.Evidence, v)
	}
	return f, nil
}

func decodeRaw(text, encoding string) (string, error) {
	if encoding != "base64" {
		return text, nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("decode raw_data: %w", err)
	}
	return string(raw), nil
}

func parseTime(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// mergeUnmapped reads unmapped in its order: what the encoder put there is
// merged into w, all else comes back as fields.
func (w *wireEvent) mergeUnmapped() ([]Field, error) {
	if len(w.Unmapped) == 0 || w.Unmapped[0] != '{' {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(w.Unmapped))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var fields []Field
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		name := key.(string)
		if id, own := ownID(name); own && isOwn(id, value) {
			if err := w.merge(id, name, value); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			continue
		}
		fields = appendField(fields, Intern(sourceName(name)), value)
	}
	return fields, nil
}

// isOwn says that value, under the encoder's own name id, is the encoder's
// own: a field's value is no object, nor an array of them.
func isOwn(id FieldID, value []byte) bool {
	if id == idResources {
		value = bytes.TrimLeft(value, "[ \t\r\n")
	}
	return always&(1<<id) != 0 || len(value) > 0 && value[0] == '{'
}

func (w *wireEvent) merge(id FieldID, name string, value []byte) error {
	if id == idProcess {
		w.unmappedProcess = &wireProcess{}
		return json.Unmarshal(value, w.unmappedProcess)
	}
	object := append(append([]byte(`{"`), name...), `":`...)
	return json.Unmarshal(append(append(object, value...), '}'), w)
}

// appendField appends value's field; those of an array all have the same id.
func appendField(fields []Field, id FieldID, value json.RawMessage) []Field {
	if value[0] != '[' {
		return append(fields, scalar(id, value))
	}
	var list []json.RawMessage
	_ = json.Unmarshal(value, &list) // the decoder has checked it
	for _, v := range list {
		fields = append(fields, scalar(id, v))
	}
	return fields
}

// scalar is the field of one value. What is neither text, number, bool nor
// null does not come from the encoder, and is kept as its JSON text.
func scalar(id FieldID, value json.RawMessage) Field {
	switch value[0] {
	case '"':
		var s string
		_ = json.Unmarshal(value, &s) // the decoder has checked it
		return Field{ID: id, Value: s}
	case 'n':
		return Field{ID: id, Kind: KindNull}
	case 't', 'f':
		return Field{ID: id, Kind: KindBool, Value: string(value)}
	case '{', '[':
		return Field{ID: id, Value: string(value)}
	}
	return Field{ID: id, Kind: KindNumber, Value: string(value)}
}

// fill gives e what is in w.
func (w *wireEvent) fill(e *Event) {
	e.Time, e.Start, e.End = parseTime(w.Time), parseTime(w.StartTime), parseTime(w.EndTime)
	e.OriginalTime, e.UID, e.LogName = w.Metadata.OriginalTime, w.Metadata.UID, w.Metadata.LogName
	e.Message, e.Records = w.Message, max(w.Records, 1)
	e.Device = w.device()
	e.Src, e.Dst = w.Src.endpoint(), w.Dst.endpoint()
	e.Direction, e.Protocol, e.TCPFlags = w.Connection.Direction, w.Connection.Protocol, w.Connection.TCPFlags
	if t := w.Traffic; t != nil {
		e.Traffic = Traffic{t.BytesIn, t.BytesOut, t.PacketsIn, t.PacketsOut, true}
	}
	e.URL = first(w.URL.url(), w.HTTPRequest.URL.url())
	e.HTTP = HTTP{w.HTTPRequest.Method, w.HTTPRequest.Version, w.HTTPResponse.Code, w.HTTPRequest.UserAgent}
	e.DNS = w.dns()
	e.User, e.Session = w.user(), first(w.Session.UID, w.Actor.Session.UID)
	e.Service = first(w.Service.Name, w.API.Service.Name)
	e.Operation, e.File = w.API.Operation, File(w.File)
	if len(w.Resources) > 0 {
		e.Resource = w.Resources[0].Name
	}
	e.Process = w.process()
	e.Justification = w.Justification.justification()
	for i := range w.Enrichments {
		w.Enrichments[i].apply(&e.Src, &e.Dst, nil)
	}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (w *wireEvent) device() Device {
	if w.Device != (wireDevice{}) {
		return w.Device.device()
	}
	return w.Metadata.Reporter.device()
}

func (d wireDevice) device() Device { return Device{Hostname: d.Hostname, IP: d.IP} }

// stands says that this is the encoder's mark for what a record does not say.
func stands(name string, typeID *int) bool { return typeID != nil && *typeID == 0 && name == "unknown" }

func (p *wireEndpoint) endpoint() Endpoint {
	if stands(p.Name, p.TypeID) {
		p.Name = ""
	}
	return Endpoint{
		IP: p.IP, Port: p.Port, Hostname: p.Hostname, MAC: p.MAC,
		VIF: p.Interface, Switch: p.Switch, SwitchPort: p.SwitchPort, World: p.World,
		VMName: p.Name, VMUUID: p.InstanceUID,
		Service: p.Service, Category: p.Category, NameVia: p.HostnameVia, NameAge: p.HostnameAge,
	}
}

func (u *wireURL) url() string { return first(u.Text, u.Path) }

func (w *wireEvent) dns() DNS {
	q := DNS{Query: w.Query.Hostname, Type: w.Query.Type, RCode: first(w.RCode, w.Query.RCode)}
	for _, a := range append(w.Answers, w.Query.Answers...) {
		ip, err := netip.ParseAddr(a.RData)
		if err == nil || a.RData == "" {
			q.Answers = append(q.Answers, ip)
		}
	}
	return q
}

func (w *wireEvent) user() User {
	u := w.Actor.User
	if w.User != (wireUser{}) && !stands(w.User.Name, w.User.TypeID) {
		u = w.User
	}
	if stands(u.Name, u.TypeID) {
		u.Name = ""
	}
	return User{Name: u.Name, Domain: first(u.Domain, w.User.Domain), UID: u.UID}
}

// process puts together what OCSF has a place for, and the ancestors without
// an id, which are in unmapped.
func (w *wireEvent) process() Process {
	p := w.Process
	if p == nil {
		p = w.Actor.Process
	}
	if p == nil {
		return w.unmappedProcess.process(maxParents)
	}
	if w.ClassUID == ProcessActivity && p.PID == 0 && p.known() && p.UID == w.Metadata.UID {
		p.UID = ""
	}
	if rest := w.unmappedProcess; rest != nil {
		oldest := p
		for oldest.Parent != nil {
			oldest = oldest.Parent
		}
		oldest.Parent = rest.Parent
	}
	return p.process(maxParents)
}

func (p *wireProcess) known() bool { return p.Name != "" || p.Path != "" || p.CmdLine != "" }

func (p *wireProcess) process(depth int) Process {
	if p == nil {
		return Process{}
	}
	out := Process{Name: p.Name, Path: p.Path, CmdLine: p.CmdLine, PID: p.PID, UID: p.UID}
	if p.Parent != nil && depth > 0 {
		parent := p.Parent.process(depth - 1)
		out.Parent = &parent
	}
	return out
}

func (j *wireJustification) justification() Justification {
	if j == nil {
		return Justification{}
	}
	return Justification{
		Verdict:  Verdict(captioned(verdicts, j.Verdict)),
		Reason:   Reason(captioned(reasons, j.Reason)),
		By:       j.By,
		From:     parseTime(j.Window.Start),
		To:       parseTime(j.Window.End),
		Evidence: j.Evidence,
	}
}

// apply gives what the inventory said back to the endpoint or device that it
// said it of.
func (n *wireEnrichment) apply(src, dst *Endpoint, device *Device) {
	what, _, _ := strings.Cut(n.Name, ".")
	switch {
	case what == "src_endpoint":
		n.context(&src.Context)
	case what == "dst_endpoint":
		n.context(&dst.Context)
	case what == "device" && device != nil && n.Type == "host":
		device.Host = n.Data.host()
	}
}

func (n *wireEnrichment) context(c *Context) {
	d := &n.Data
	c.Via, c.State = Via(captioned(vias, d.Via)), State(captioned(states, d.State))
	c.Age = time.Duration(d.AgeSeconds) * time.Second
	switch n.Type {
	case "host":
		c.Host = d.host()
	case "vm":
		if d.Candidates == nil {
			c.VM = d.vm()
			return
		}
		for _, vm := range d.Candidates {
			c.Candidates = append(c.Candidates, &VM{
				Name: vm.Name, InstanceUUID: vm.InstanceUUID, VCenter: vm.VCenter, Folder: vm.Folder, Host: vm.Host,
			})
		}
	}
}

func (d *wireContext) vm() *VM {
	return &VM{
		VCenter: d.VCenter, MoRef: d.MoRef, InstanceUUID: d.InstanceUUID, Name: d.Name, Host: d.Host,
		Cluster: d.Cluster, Folder: d.Folder, Pool: d.Pool,
		GuestOS: d.GuestOS, GuestName: d.GuestName, Annotation: d.Annotation, PoweredOn: d.PoweredOn,
		Tags: d.Tags, Attributes: d.Attributes, Roles: d.Roles, Key: d.Key,
	}
}

func (d *wireContext) host() *Host {
	return &Host{
		VCenter: d.VCenter, MoRef: d.MoRef, Name: d.Name, Cluster: d.Cluster, Version: d.Version,
		Maintenance: d.Maintenance, IsVCenter: d.IsVCenter, Roles: d.Roles, Key: d.Key,
	}
}

// finding is w without its evidence.
func (w *wireFinding) finding() Finding {
	i, u := &w.Info, &w.Unmapped
	f := Finding{
		UID: i.UID, Revision: u.Revision, Activity: w.ActivityID, Status: w.StatusID,
		Analytic: i.Analytic.analytic(), Title: i.Title,
		Severity: w.SeverityID, Confidence: w.ConfidenceID, Risk: w.RiskScore,
		Entity: u.Entity, Key: u.Key,
		Time: parseTime(w.Time), FirstSeen: parseTime(i.FirstSeen), LastSeen: parseTime(i.LastSeen),
		Count: w.Count, BytesIn: u.BytesIn, BytesOut: u.BytesOut, Connections: u.Connections, Explanation: u.Explanation,
		Device: w.Device.device(), Src: u.Src.endpoint(), Dst: u.Dst.endpoint(), URL: u.URL,
		Justification: u.Justification.justification(),
	}
	f.Analytic.Attack = u.Attack
	for _, a := range i.Attacks {
		f.Analytic.Attacks = append(f.Analytic.Attacks, a.attack())
	}
	for _, r := range i.Related {
		f.Related = append(f.Related, r.UID)
	}
	for n := range w.Enrichments {
		w.Enrichments[n].apply(&f.Src, &f.Dst, &f.Device)
	}
	return f
}

func (a *wireAnalytic) analytic() Analytic {
	return Analytic{UID: a.UID, Name: a.Name, Version: a.Version, Desc: a.Desc, Rule: a.TypeID == 1}
}

func (a *wireAttack) attack() Attack {
	technique := a.Technique
	if a.SubTechnique != nil {
		technique = *a.SubTechnique
	}
	return Attack{a.Tactic.Name, a.Tactic.UID, technique.Name, technique.UID}
}

func (v *wireEvidence) evidence() (Evidence, error) {
	raw, err := decodeRaw(v.Data.RawData, v.Data.RawEncoding)
	if err != nil {
		return Evidence{}, err
	}
	out := Evidence{UID: v.UID, Time: parseTime(v.Data.Time), LogName: v.Data.LogName, Raw: raw, URL: v.URL.url()}
	if out.Src, err = v.Src.with(v.Data.Src); err != nil {
		return Evidence{}, fmt.Errorf("src_endpoint: %w", err)
	}
	if out.Dst, err = v.Dst.with(v.Data.Dst); err != nil {
		return Evidence{}, fmt.Errorf("dst_endpoint: %w", err)
	}
	return out, nil
}

// with is p and what OCSF's endpoint has no place for.
func (p *wireEndpoint) with(rest json.RawMessage) (Endpoint, error) {
	if len(rest) > 0 {
		if err := json.Unmarshal(rest, p); err != nil {
			return Endpoint{}, err
		}
	}
	return p.endpoint(), nil
}
