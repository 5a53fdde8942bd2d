package forward

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/event"
)

// uidLength is that of a finding's uid: 128 bits in hex.
const uidLength = 32

// FindFindings reads the present state of the findings whose uid begins with
// prefix, at most limit of them. A whole uid is looked up by its subjects; for
// less, all findings are read.
func FindFindings(ctx context.Context, nc *nats.Conn, prefix string, limit int) ([]event.Finding, error) {
	js, err := openJetStream(nc)
	if err != nil {
		return nil, err
	}
	subjects := findingSubjects
	if len(prefix) == uidLength && event.Slug(prefix) == prefix {
		subjects = "vegress.findings.*.*." + prefix
	}
	r := reader{js: js, stream: FindingsStream, config: jetstream.ConsumerConfig{
		FilterSubject: subjects,
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
	}}
	var found []event.Finding
	place := map[string]int{}
	err = r.toEnd(ctx, func(e entry) {
		f, err := readFinding(e)
		if err != nil || !strings.HasPrefix(f.UID, prefix) {
			return // not ours, or another
		}
		// A finding whose severity rose stands under each: the later one holds.
		if i, ok := place[f.UID]; ok {
			found[i] = f
		} else if len(found) < limit {
			place[f.UID] = len(found)
			found = append(found, f)
		}
	})
	return found, err
}
