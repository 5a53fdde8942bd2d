package windows

import (
	"strings"

	"github.com/vegress/vegress/event"
)

// ECS's names of what Sysmon has under a name that depends on the event, or in
// another form (https://www.elastic.co/guide/en/ecs/current/ecs-field-reference.html).
var (
	idFilePath  = event.Intern("file.path")
	idDirection = event.Intern("network.direction")
	idECSUser   = event.Intern("user.name")
	idECSDomain = event.Intern("user.domain")
	idResolved  = event.Intern("dns.resolved_ip")

	idTargetFilename = event.Intern("TargetFilename")
	idImageLoaded    = event.Intern("ImageLoaded")
	idInitiated      = event.Intern("Initiated")
	idUser           = event.Intern("User")
	idHashes         = event.Intern("Hashes")
	idQueryResults   = event.Intern("QueryResults")
)

// hashes are the algorithms of Sysmon's Hashes and ECS's names for them.
var hashes = []struct {
	id        event.FieldID
	algorithm string
}{
	{event.Intern("process.hash.sha1"), "SHA1="},
	{event.Intern("process.hash.md5"), "MD5="},
	{event.Intern("process.hash.sha256"), "SHA256="},
	{event.Intern("process.pe.imphash"), "IMPHASH="},
}

// fromECS adds Sysmon's fields that are made of ECS's.
func (d *Decoder) fromECS() {
	switch d.values[slotEventID] {
	case "6", "7":
		d.rename(idFilePath, idImageLoaded)
	default:
		d.rename(idFilePath, idTargetFilename)
	}
	if f, ok := d.ev.Field(idDirection); ok {
		switch f.Value {
		case "egress", "outbound":
			d.addMissing(idInitiated, "true")
		case "ingress", "inbound":
			d.addMissing(idInitiated, "false")
		}
	}
	if name, ok := d.ev.Field(idECSUser); ok {
		account := name.Value
		if domain, ok := d.ev.Field(idECSDomain); ok {
			account = domain.Value + `\` + account
		}
		d.addMissing(idUser, account)
	}
	if _, ok := d.ev.Field(idHashes); !ok {
		for _, h := range hashes {
			if f, ok := d.ev.Field(h.id); ok {
				d.ev.Add(idHashes, h.algorithm+strings.ToUpper(f.Value))
			}
		}
	}
	d.resolved()
}

func (d *Decoder) addMissing(id event.FieldID, value string) {
	if _, has := d.ev.Field(id); has {
		return
	}
	d.ev.Add(id, value)
	if s := known[id].slot; s != slotNone {
		d.values[s] = value
	}
}

// resolved makes Sysmon's QueryResults of ECS's addresses.
func (d *Decoder) resolved() {
	if _, has := d.ev.Field(idQueryResults); has {
		return
	}
	var b strings.Builder
	for _, f := range d.ev.Fields {
		if f.ID == idResolved {
			b.WriteString(f.Value + ";")
		}
	}
	if b.Len() > 0 {
		d.addMissing(idQueryResults, b.String())
	}
}
