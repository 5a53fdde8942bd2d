package forward

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/event"
)

// errForeign says that a message in one of our streams is not what we wrote
// there. nats-server does not check the reply subject of a request against the
// rights of who makes it, so a user who may only read can have an answer of
// the server stored on any subject.
var errForeign = errors.New("not written by vegress: left out")

// answerHeaders are those of an answer of the server: to a direct get, or the
// end of a fetch.
var answerHeaders = []string{jetstream.StreamHeader, jetstream.SequenceHeader, jetstream.SubjectHeader, "Status"}

// isAnswer says that a stored message was an answer of the server.
func isAnswer(h nats.Header) bool {
	return slices.ContainsFunc(answerHeaders, func(key string) bool { return len(h[key]) > 0 })
}

// isForeign says that e is an answer, or has no id, which all that vegress
// writes has. What has none below vegress.hosts. may be of others' tools.
func isForeign(e entry) bool {
	return isAnswer(e.Header) ||
		e.Header.Get(nats.MsgIdHdr) == "" && !strings.HasPrefix(e.Subject, strings.TrimSuffix(hostSubjects, ">"))
}

func foreign(e entry) error {
	return fmt.Errorf("message %d on %s: %w", e.Sequence, e.Subject, errForeign)
}

// readFinding is the finding in e, if it stands where Publisher.Finding puts
// it, under its own id.
func readFinding(e entry) (f event.Finding, err error) {
	if isForeign(e) {
		return f, foreign(e)
	}
	if f, err = event.ParseFinding(e.Data); err != nil {
		return f, err
	}
	if e.Subject != findingSubject(&f) || e.Header.Get(nats.MsgIdHdr) != findingID(&f) {
		return f, foreign(e)
	}
	return f, nil
}

func findingID(f *event.Finding) string { return f.UID + "-" + f.Revision }
