package event

import "strings"

// AppendJSON appends f to dst as one Detection Finding of OCSF 1.8.0, without
// a newline, and returns the extended buffer. ParseFinding is its inverse.
//
// Src, Dst and URL are unmapped.src_endpoint, dst_endpoint and url, and their
// contexts are in enrichments, whole. A record that f rests on is in
// evidences[].data.raw_data, in base64 when data.raw_encoding says so; the
// contexts of the endpoints of Evidence are not written. At most MaxEvidence
// records and MaxRelated uids are.
func (f *Finding) AppendJSON(dst []byte) []byte {
	dst = appendHead(dst, DetectionFinding, f.Activity, f.Severity, f.Time)
	if f.Status != 0 {
		dst = appendInt(dst, `"status_id":`, int64(knownOr(uint8(f.Status), 6)))
	}
	dst = appendInt(dst, `"confidence_id":`, int64(knownOr(f.Confidence, 3)))
	dst = appendInt(dst, `"risk_score":`, int64(f.Risk))
	dst = appendInt(dst, `"count":`, f.Count)
	dst = append(append(dst, metadataHead...), `"uid":`...)
	dst, _ = appendString(dst, f.UID+"-"+f.Revision)
	dst = closeMember(dst)
	dst = f.appendInfo(dst)
	if f.Device.identified() {
		dst = append(dst, `"device":{"type_id":0,`...)
		dst = closeMember(f.Device.appendMembers(dst))
	}
	dst = f.appendEvidences(dst)
	dst = f.appendEnrichments(dst)
	return closeObject(f.appendUnmapped(dst))
}

func (f *Finding) appendInfo(dst []byte) []byte {
	dst = append(dst, `"finding_info":{"uid":`...)
	dst, _ = appendString(dst, f.UID)
	dst = append(dst, ',')
	dst = appendText(dst, `"title":`, f.Title)
	dst = f.Analytic.append(dst)
	dst = f.Analytic.appendAttacks(dst)
	dst = appendTime(dst, `"first_seen_time":`, f.FirstSeen)
	dst = appendTime(dst, `"last_seen_time":`, f.LastSeen)
	if len(f.Related) > 0 {
		dst = append(dst, `"related_events":[`...)
		for _, uid := range f.Related[:min(len(f.Related), MaxRelated)] {
			dst = append(dst, `{"uid":`...)
			dst, _ = appendString(dst, uid)
			dst = append(dst, '}', ',')
		}
		dst = append(closeArray(dst), ',')
	}
	return closeMember(dst)
}

func (a *Analytic) append(dst []byte) []byte {
	if a.UID == "" && a.Name == "" {
		return dst
	}
	dst = append(dst, `"analytic":{`...)
	dst = appendText(dst, `"uid":`, a.UID)
	dst = appendText(dst, `"name":`, a.Name)
	if a.Rule {
		dst = append(dst, `"type_id":1,`...)
	} else {
		dst = append(dst, `"type_id":2,`...)
	}
	dst = appendText(dst, `"version":`, a.Version)
	return closeMember(appendText(dst, `"desc":`, a.Desc))
}

func (a *Analytic) appendAttacks(dst []byte) []byte {
	mark := len(dst)
	dst = append(dst, `"attacks":[`...)
	for i := range a.Attacks {
		if a.Attacks[i] != (Attack{}) {
			dst = a.Attacks[i].append(dst)
		}
	}
	if dst[len(dst)-1] == '[' {
		return dst[:mark]
	}
	return append(closeArray(dst), ',')
}

// append writes a technique such as T1102.002 where OCSF has it: as the
// sub-technique of T1102.
func (t *Attack) append(dst []byte) []byte {
	dst = append(dst, '{')
	dst = appendNamed(dst, `"tactic":{`, t.Tactic, t.TacticUID)
	if parent, _, sub := strings.Cut(t.TechniqueUID, "."); sub {
		dst = appendNamed(dst, `"technique":{`, "", parent)
		dst = appendNamed(dst, `"sub_technique":{`, t.Technique, t.TechniqueUID)
	} else {
		dst = appendNamed(dst, `"technique":{`, t.Technique, t.TechniqueUID)
	}
	return closeMember(dst)
}

func appendNamed(dst []byte, open, name, uid string) []byte {
	if name == "" && uid == "" {
		return dst
	}
	dst = append(dst, open...)
	dst = appendText(dst, `"name":`, name)
	return closeMember(appendText(dst, `"uid":`, uid))
}

func (f *Finding) appendEvidences(dst []byte) []byte {
	if len(f.Evidence) == 0 {
		return dst
	}
	dst = append(dst, `"evidences":[`...)
	for i := range f.Evidence[:min(len(f.Evidence), MaxEvidence)] {
		dst = f.Evidence[i].append(dst)
	}
	return append(closeArray(dst), ',')
}

func (v *Evidence) append(dst []byte) []byte {
	dst = append(dst, '{')
	dst = appendText(dst, `"uid":`, v.UID)
	dst = appendEndpoint(dst, `"src_endpoint":{`, &v.Src)
	dst = appendEndpoint(dst, `"dst_endpoint":{`, &v.Dst)
	dst = appendURL(dst, v.URL)
	dst = append(dst, `"data":{`...)
	dst = appendTime(dst, `"time":`, v.Time)
	dst = appendText(dst, `"log_name":`, v.LogName)
	dst, encoded := appendRaw(dst, `"raw_data":`, v.Raw)
	dst = appendFlag(dst, `"raw_encoding":"base64",`, encoded)
	dst = v.Src.appendRestObject(dst, `"src_endpoint":{`)
	dst = v.Dst.appendRestObject(dst, `"dst_endpoint":{`)
	return closeMember(closeMember(dst))
}

// appendRestObject appends what OCSF's endpoint has no place for.
func (e *Endpoint) appendRestObject(dst []byte, open string) []byte {
	mark := len(dst)
	dst = append(dst, open...)
	if !e.identified() {
		dst = e.appendMembers(dst)
	}
	if dst = e.appendRest(dst); dst[len(dst)-1] == '{' {
		return dst[:mark]
	}
	return closeMember(dst)
}

func (f *Finding) appendEnrichments(dst []byte) []byte {
	mark := len(dst)
	dst = append(dst, `"enrichments":[`...)
	dst = f.Src.appendContext(dst, "src_endpoint", true)
	dst = f.Dst.appendContext(dst, "dst_endpoint", true)
	if f.Device.Host != nil {
		device := Endpoint{IP: f.Device.IP, Hostname: f.Device.Hostname, Context: Context{Host: f.Device.Host}}
		dst = device.appendContext(dst, "device", true)
	}
	if dst[len(dst)-1] == '[' {
		return dst[:mark]
	}
	return append(closeArray(dst), ',')
}

func (f *Finding) appendUnmapped(dst []byte) []byte {
	mark := len(dst)
	u := openUnmapped(dst)
	u.dst = appendTexts(u.dst, `"explanation":`, f.Explanation)
	u.dst = appendText(u.dst, `"attack_analytic":`, f.Analytic.Attack)
	u.dst = appendText(u.dst, `"entity":`, f.Entity)
	u.dst = appendText(u.dst, `"key":`, f.Key)
	u.dst = appendText(u.dst, `"revision":`, f.Revision)
	u.dst = appendCount(u.dst, `"connections":`, f.Connections)
	u.dst = appendCount(u.dst, `"bytes_in":`, f.BytesIn)
	u.dst = appendCount(u.dst, `"bytes_out":`, f.BytesOut)
	u.dst = appendText(u.dst, `"url":`, f.URL)
	u.justification(&f.Justification)
	u.endpoint(idSrcEndpoint, &f.Src, 0)
	u.endpoint(idDstEndpoint, &f.Dst, 0)
	return u.end(mark)
}
