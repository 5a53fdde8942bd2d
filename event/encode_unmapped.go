package event

// appendUnmapped appends what the class has no place for, and the source's
// own fields.
func (e *Event) appendUnmapped(dst []byte, has place, encoded bool) []byte {
	mark := len(dst)
	u := openUnmapped(dst)
	u.justification(&e.Justification)
	u.endpoint(idSrcEndpoint, &e.Src, has)
	u.endpoint(idDstEndpoint, &e.Dst, has)
	if has&placeConnection == 0 {
		e.unmappedConnection(&u)
	}
	if e.HTTP != (HTTP{}) || e.URL != "" {
		e.unmappedHTTP(&u, has)
	}
	if has&placeQuery == 0 || e.DNS.Query == "" {
		e.unmappedDNS(&u, has)
	}
	e.unmappedActor(&u, has)
	e.unmappedCall(&u, has)
	e.unmappedProcess(&u, has)
	if e.Records > 1 {
		u.dst = appendInt(u.dst, `"records":`, int64(e.Records))
	}
	u.dst = appendFlag(u.dst, `"raw_encoding":"base64",`, encoded)
	u.fields(e.Fields)
	return u.end(mark)
}

func (u *unmapped) justification(j *Justification) {
	verdict := j.Verdict.String()
	if verdict == "" {
		return
	}
	u.open(idJustification)
	u.dst = appendText(u.dst, `"verdict":`, verdict)
	u.dst = appendText(u.dst, `"reason":`, j.Reason.String())
	u.dst = appendText(u.dst, `"by":`, j.By)
	if millis(j.From) != 0 || millis(j.To) != 0 {
		u.dst = append(u.dst, `"window":{`...)
		u.dst = appendTime(u.dst, `"start":`, j.From)
		u.dst = appendTime(u.dst, `"end":`, j.To)
		u.dst = closeMember(u.dst)
	}
	u.dst = appendTexts(u.dst, `"evidence":`, j.Evidence)
	u.close(idJustification)
}

func (u *unmapped) endpoint(id FieldID, p *Endpoint, has place) {
	placed := has&placeEndpoints != 0 && p.identified()
	if placed && !p.rest() {
		return
	}
	u.open(id)
	if !placed {
		u.dst = p.appendMembers(u.dst)
	}
	u.dst = p.appendRest(u.dst)
	u.close(id)
}

// text writes an object of one text.
func (u *unmapped) text(id FieldID, key, s string) {
	if s != "" {
		u.open(id)
		u.dst = appendText(u.dst, key, s)
		u.close(id)
	}
}

func (e *Event) unmappedConnection(u *unmapped) {
	if e.Direction != 0 || e.Protocol != 0 || e.TCPFlags != 0 {
		u.open(idConnection)
		u.dst = e.appendConnectionInfo(u.dst)
		u.close(idConnection)
	}
	if e.Traffic.Known {
		u.open(idTraffic)
		u.dst = e.Traffic.appendMembers(u.dst)
		u.close(idTraffic)
	}
}

func (e *Event) unmappedHTTP(u *unmapped, has place) {
	u.open(idHTTPRequest)
	if has&placeHTTP == 0 || !isMethod(e.HTTP.Method) {
		u.dst = appendText(u.dst, `"http_method":`, e.HTTP.Method)
	}
	if has&(placeHTTP|placeURL) == 0 {
		u.dst = appendURL(u.dst, e.URL)
	}
	if has&placeHTTP == 0 {
		u.dst = e.HTTP.appendRequest(u.dst)
	}
	u.close(idHTTPRequest)
	if has&placeHTTP == 0 && e.HTTP.Status != 0 {
		u.open(idHTTPResponse)
		u.dst = appendInt(u.dst, `"code":`, int64(e.HTTP.Status))
		u.close(idHTTPResponse)
	}
}

func (e *Event) unmappedDNS(u *unmapped, has place) {
	d := &e.DNS
	if d.Query == "" && d.Type == "" && d.RCode == "" && len(d.Answers) == 0 {
		return
	}
	u.open(idQuery)
	u.dst = d.appendQuery(u.dst)
	if has&placeQuery == 0 {
		u.dst = appendText(u.dst, `"rcode":`, d.RCode)
		u.dst = d.appendAnswers(u.dst)
	}
	u.close(idQuery)
}

func (e *Event) unmappedActor(u *unmapped, has place) {
	placed := has&(placeUser|placeActor) != 0
	if e.User != (User{}) && !(placed && e.User.identified()) {
		u.open(idUser)
		u.dst = e.User.appendMembers(u.dst)
		u.close(idUser)
	}
	if !placed {
		u.text(idSession, `"uid":`, e.Session)
	}
}

func (e *Event) unmappedCall(u *unmapped, has place) {
	if has&(placeUser|placeAPI) == 0 {
		u.text(idService, `"name":`, e.Service)
	}
	if has&placeAPI != 0 {
		return
	}
	u.text(idAPI, `"operation":`, e.Operation)
	if e.Resource != "" {
		u.dst = appendResources(u.dst, e.Resource)
		u.taken |= 1 << idResources
	}
}

func (e *Event) unmappedProcess(u *unmapped, has place) {
	if e.Process != (Process{}) {
		u.open(idProcess)
		if has&placeProcess != 0 || has&placeActor != 0 && e.Process.identified() {
			u.dst = e.Process.appendUnplaced(u.dst)
		} else {
			u.dst = e.Process.appendAll(u.dst, maxParents)
		}
		u.close(idProcess)
	}
	if has&placeFile == 0 && e.File != (File{}) {
		u.open(idFile)
		u.dst = appendText(u.dst, `"name":`, e.File.Name)
		u.dst = appendText(u.dst, `"path":`, e.File.Path)
		u.close(idFile)
	}
}
