// Package ingest is the way in for telemetry of endpoints and network sensors:
// HTTP takes records and stores them in the stream VEGRESS_INGEST, where
// others may publish too, and Reader hands on what is in that stream, until it
// is said to be done with. What a record means is not known here.
package ingest

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/vegress/vegress/event"
)

// Options is what may be sent over HTTP, and by whom. The keys are those below
// ingest in the configuration file.
type Options struct {
	// HTTP: POST /ingest/<source> on listen.http is served.
	HTTP bool `mapstructure:"http"`
	// TokenFile holds the token that requests must bear; empty: none is asked
	// for, and only requests of this machine are served.
	TokenFile string `mapstructure:"token_file"`
	// MaxBody bounds a request's body as it is sent, MaxUnpacked what it is
	// unpacked, MaxRecord one record in it; in bytes.
	MaxBody     int64 `mapstructure:"max_body"`
	MaxUnpacked int64 `mapstructure:"max_unpacked"`
	MaxRecord   int64 `mapstructure:"max_record"`
}

// Bounds of the bounds. A record has to fit a NATS message of 1 MiB.
const (
	leastBody  = 1 << 10
	mostBody   = maxHeld
	mostRecord = 1<<20 - 32<<10
)

// Validate checks the options for a listener at that address ("host:port";
// empty: there is none). Its errors name the key and the value.
func (o Options) Validate(listen string) error {
	for _, size := range []struct {
		key         string
		value, most int64
	}{
		{"max_body", o.MaxBody, mostBody}, {"max_unpacked", o.MaxUnpacked, mostBody}, {"max_record", o.MaxRecord, mostRecord},
	} {
		if size.value < leastBody || size.value > size.most {
			return fmt.Errorf("ingest.%s is %d: must be from 1 KiB to %d KiB", size.key, size.value, size.most>>10)
		}
	}
	if o.HTTP && o.TokenFile == "" && isExposed(listen) {
		return fmt.Errorf("ingest.token_file is %q: must name a file with a token, since listen.http %q is no loopback address; or set ingest.http: false", o.TokenFile, listen)
	}
	return nil
}

// isExposed says that others than this machine reach an address; one that
// cannot be read is somebody else's fault.
func isExposed(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil || host == "localhost" {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err != nil || !ip.Unmap().IsLoopback()
}

const (
	subjectPrefix = "vegress.ingest."
	// headerHost is the machine's name, where its token in the subject is not
	// all of it.
	headerHost = "Vegress-Host"
	// noHost is the token of a machine that is not known.
	noHost = "_"
)

// Subject is where records of that source on that machine (empty: not known)
// are published.
func Subject(source, host string) string {
	return subjectPrefix + event.Slug(source) + "." + event.Slug(host)
}

// address takes a message's subject apart. The machine may have dots.
func address(subject string) (source, host string) {
	source, host, _ = strings.Cut(strings.TrimPrefix(subject, subjectPrefix), ".")
	if host == noHost {
		host = ""
	}
	return source, host
}
