// Package syslog reads syslog as ESXi hosts, vCenter and the relays between
// really send it: it splits streams into records (Scanner), takes a record's
// envelope apart (Parser), and puts the pieces of one submission together
// (Assembler). What a record means is not its business.
package syslog

import (
	"net/netip"
	"time"
)

// Message is one syslog record. Its strings are parts of the record's text:
// they stay valid, and they keep that text alive.
type Message struct {
	Facility uint8 // 0 to 23; valid when HasPRI
	Severity uint8 // 0 emergency to 7 debug; valid when HasPRI
	HasPRI   bool

	Time     time.Time // zero: the record has none that can be read
	TimeText string    // the time as it stands in the record; empty: none

	Host   string // HOSTNAME; empty: none
	App    string // the program, without its pid and colon: "Hostd", "vmkernel", "vpxd"
	ProcID string
	MsgID  string
	Data   string // STRUCTURED-DATA of RFC 5424, or ESXi's Originator element where it stands in that place, brackets and all
	Text   string // what follows the header; pieces joined by "\n"

	Raw       string // the record, byte for byte; pieces joined by "\n"
	Records   int    // input records in Raw: 1, or the number of pieces put together
	Truncated bool   // cut at the size limit, here or by the sender
	Partial   bool   // a piece whose others did not come in time
	Continues bool   // the sender marked it as a further line of the submission before ("In(166)+ ...")

	Peer     netip.AddrPort // who sent it to us: the host, or a relay
	Received time.Time
	Ordinal  uint64 // the caller's number for the record; of pieces, the first one's

	Malformed Malformed
}

// Malformed says what is wrong with a record's envelope. A malformed record
// still is a Message: what cannot be read is Text.
type Malformed uint8

// Flaws of an envelope.
const (
	WellFormed  Malformed = iota
	BadPRI                // no PRI where one must be, or above 191
	BadTime               // a time stands there that cannot be read
	BadHeader             // the header breaks off or does not hold together
	BadEncoding           // Text is not valid UTF-8
	Empty                 // no text at all
)

// String is the flaw's name, as fields and metrics have it; empty for none.
func (f Malformed) String() string {
	switch f {
	case BadPRI:
		return "bad_pri"
	case BadTime:
		return "bad_time"
	case BadHeader:
		return "bad_header"
	case BadEncoding:
		return "bad_encoding"
	case Empty:
		return "empty"
	}
	return ""
}
