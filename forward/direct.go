package forward

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// consumersLimit is JetStream's code for a stream (or an account) that has all
// the consumers that it may have.
const consumersLimit = 10026

func isConsumerLimit(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == consumersLimit
}

// consumerLost says that reading failed for what others did: they have all
// consumers, or removed ours.
func consumerLost(err error) bool {
	return isConsumerLimit(err) || errors.Is(err, errGap) || errors.Is(err, jetstream.ErrConsumerNotFound) ||
		errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrNoHeartbeat) || errors.Is(err, nats.ErrNoResponders)
}

// direct hands on what lies behind r.after, up to the present end of the
// stream, without a consumer: a request for each message, and all revisions
// where a consumer would give the last. more is false when handle was.
func (r *reader) direct(ctx context.Context, handle func(entry) bool) (more bool, err error) {
	st, err := r.js.Stream(ctx, r.stream)
	if err != nil {
		return true, fmt.Errorf("read stream %s without a consumer: %w", r.stream, err)
	}
	info := st.CachedInfo()
	info.Config.AllowDirect = false // whose answer adds headers, which are those of a forgery
	last := info.State.LastSeq
	for r.after < last {
		m, err := st.GetMsg(ctx, r.after+1, jetstream.WithGetMsgSubject(r.filter()))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return true, nil
		}
		if err != nil {
			return true, fmt.Errorf("read stream %s without a consumer: %w", r.stream, err)
		}
		r.after = m.Sequence
		if since := r.config.OptStartTime; since != nil && m.Time.Before(*since) {
			continue
		}
		e := entry{Subject: m.Subject, Header: m.Header, Data: m.Data, Sequence: m.Sequence, Time: m.Time, Waiting: last - min(last, m.Sequence)}
		if !handle(e) {
			return false, nil
		}
	}
	return true, nil
}

// filter is one pattern for all that is wanted; more may match it.
func (r *reader) filter() string {
	switch len(r.config.FilterSubjects) {
	case 0:
		return r.config.FilterSubject
	case 1:
		return r.config.FilterSubjects[0]
	}
	return ">"
}
