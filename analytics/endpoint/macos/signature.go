package macos

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// Fields of the code signature of the process that an event is about, or that
// acts, beside endpoint.Signature and endpoint.Signer: the same for all
// sources.
var (
	fieldSigningID = event.Intern("signing_id")
	fieldTeamID    = event.Intern("team_id")
	fieldCDHash    = event.Intern("cdhash")
	fieldPlatform  = event.Intern("platform_binary")
)

// Values of endpoint.Signature beside endpoint.Signed, by a developer, and
// endpoint.Unsigned.
const (
	platformBinary = "platform" // Apple's own, part of macOS
	adHoc          = "ad_hoc"   // by nobody: the hash of the code and no more
	modified       = "modified" // signed, but what runs is not what was signed
)

// apple is the signer of macOS itself, which has no team.
const apple = "Apple"

// Flags of a process's code signature
// (https://github.com/apple-oss-distributions/xnu, osfmk/kern/cs_blobs.h).
const (
	csValid    = 0x00000001
	csAdHoc    = 0x00000002
	csPlatform = 0x04000000
	csSigned   = 0x20000000
)

// signature is what is known of how a process is signed.
type signature struct {
	id, team, hash string
	flags          uint64
	flagged        bool // flags are known
	platform       bool
	invalid, adHoc bool // said in words
}

// signatureOf reads the signature of a process as Endpoint Security has it.
func signatureOf(process gjson.Result) signature {
	flags := process.Get("codesigning_flags")
	return signature{
		id:       process.Get("signing_id").Str,
		team:     process.Get("team_id").Str,
		hash:     process.Get("cdhash").Str,
		flags:    flags.Uint(),
		flagged:  flags.Type == gjson.Number,
		platform: process.Get("is_platform_binary").Bool(),
	}
}

// words reads the flags that osquery names: what is out of the ordinary.
func (s *signature) words(list string) {
	for word := range strings.SplitSeq(list, ",") {
		switch strings.TrimSpace(word) {
		case "NOT_VALID":
			s.invalid = true
		case "ADHOC":
			s.adHoc = true
		}
	}
}

// kind is the value of endpoint.Signature; empty when nothing is known.
func (s *signature) kind() string {
	switch {
	case s.flagged && s.flags&csSigned == 0 || !s.flagged && s.id == "" && s.team == "" && !s.platform && s.hash == emptyHash:
		return endpoint.Unsigned
	case s.flagged && s.flags&csValid == 0, s.invalid:
		return modified
	case s.platform, s.flags&csPlatform != 0:
		return platformBinary
	case s.flags&csAdHoc != 0, s.adHoc:
		return adHoc
	case s.team != "", s.id != "", s.flagged:
		return endpoint.Signed
	}
	return ""
}

// emptyHash is the hash of code that has no signature.
const emptyHash = "0000000000000000000000000000000000000000"

// signer is the team that signed, by its id.
func (s *signature) signer() string {
	if s.kind() == platformBinary {
		return apple
	}
	return s.team
}

// verdict adds what the records of all sources have in words of their own.
func (s *signature) verdict(ev *event.Event) {
	addText(ev, endpoint.Signature, s.kind())
	addText(ev, endpoint.Signer, s.signer())
}

// add adds the fields of a message of Endpoint Security.
func (s *signature) add(ev *event.Event) {
	s.verdict(ev)
	addText(ev, fieldSigningID, s.id)
	addText(ev, fieldTeamID, s.team)
	addText(ev, fieldCDHash, strings.ToLower(s.hash))
	if s.kind() != "" {
		ev.Fields = append(ev.Fields, event.Field{ID: fieldPlatform, Kind: event.KindBool, Value: strconv.FormatBool(s.platform)})
	}
}

func addText(ev *event.Event, id event.FieldID, value string) {
	if value != "" {
		ev.Add(id, value)
	}
}
