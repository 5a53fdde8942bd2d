package forward

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Streams and key-value buckets.
const (
	EventsStream    = "VEGRESS_EVENTS"
	FindingsStream  = "VEGRESS_FINDINGS"
	IngestStream    = "VEGRESS_INGEST"
	StateBucket     = "vegress_state"
	InventoryBucket = "vegress_inventory"
)

// Subjects of the streams.
const (
	eventSubjects   = "vegress.events.>"
	findingSubjects = "vegress.findings.>"
	hostSubjects    = "vegress.hosts.>"
	ingestSubjects  = "vegress.ingest.>"
)

// Limits of what has no key in the configuration.
const (
	ingestBytes    = 1 << 30
	stateBytes     = 64 << 20
	inventoryBytes = 256 << 20
)

// Capacity is what the streams were given.
type Capacity struct {
	Events, Findings int64 // bytes
	// Capped says that the disk has less room than is configured.
	Capped bool
}

// Ensure makes the streams and buckets that are missing, and brings the limits
// of those that are there in line with o; it deletes none. Together they get
// at most room bytes (broker.Server.Room): above that, all shrink alike.
func Ensure(ctx context.Context, nc *nats.Conn, o Options, room int64) (Capacity, error) {
	o = o.withDefaults()
	js, err := openJetStream(nc)
	if err != nil {
		return Capacity{}, err
	}
	s := sizes(o, room)
	for _, c := range o.streams(s) {
		if err := ensureStream(ctx, js, c); err != nil {
			return Capacity{}, err
		}
	}
	for bucket, size := range map[string]int64{StateBucket: s.state, InventoryBucket: s.inventory} {
		if err := ensureBucket(ctx, js, bucket, size); err != nil {
			return Capacity{}, err
		}
	}
	return Capacity{Events: s.events, Findings: s.findings, Capped: s.capped}, nil
}

type streamSizes struct {
	events, findings, ingest, state, inventory int64
	capped                                     bool
}

// sizes divides room: what has no key gets little of it, events and findings
// the rest, in the proportion in which they are wanted.
func sizes(o Options, room int64) streamSizes {
	s := streamSizes{
		ingest:    min(ingestBytes, room/16),
		state:     min(stateBytes, room/64),
		inventory: min(inventoryBytes, room/32),
	}
	rest := room - s.ingest - s.state - s.inventory
	s.events = orDefault(o.Events.MaxBytes, rest)
	s.findings = orDefault(o.Findings.MaxBytes, rest/8)
	if want := float64(s.events) + float64(s.findings); want > float64(rest) {
		share := float64(rest) / want
		s.events, s.findings = int64(float64(s.events)*share), int64(float64(s.findings)*share)
		s.capped = o.Events.MaxBytes > s.events || o.Findings.MaxBytes > s.findings
	}
	return s
}

func (o Options) streams(s streamSizes) []jetstream.StreamConfig {
	base := jetstream.StreamConfig{
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		Duplicates:  o.DuplicateWindow,
		AllowDirect: true,
	}
	events, findings, ingest := base, base, base
	events.Name, events.Subjects = EventsStream, []string{eventSubjects}
	events.Description = "OCSF events, packed"
	events.MaxAge, events.MaxBytes = o.Events.MaxAge, s.events
	findings.Name, findings.Subjects = FindingsStream, []string{findingSubjects, hostSubjects}
	findings.Description = "OCSF detection findings, every revision, and the state of hosts' log paths"
	findings.MaxAge, findings.MaxBytes = o.Findings.MaxAge, s.findings
	ingest.Name, ingest.Subjects = IngestStream, []string{ingestSubjects}
	ingest.Description = "telemetry that comes in, until it is read"
	ingest.Retention, ingest.Discard = jetstream.WorkQueuePolicy, jetstream.DiscardNew
	ingest.MaxBytes = s.ingest
	list := []jetstream.StreamConfig{events, findings, ingest}
	for i := range list {
		// The server wants a window no longer than the stream's age.
		if c := &list[i]; c.MaxAge > 0 && c.Duplicates > c.MaxAge {
			c.Duplicates = c.MaxAge
		}
	}
	return list
}

// ensureStream makes the stream of want, or changes of the one that is there
// only what the configuration rules.
func ensureStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) error {
	st, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if _, err = js.CreateStream(ctx, want); err != nil {
			return fmt.Errorf("make stream %s: %w", want.Name, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", want.Name, err)
	}
	have := st.CachedInfo().Config
	next := have
	next.MaxAge, next.MaxBytes, next.Duplicates = want.MaxAge, want.MaxBytes, want.Duplicates
	next.Subjects = want.Subjects
	if have.MaxAge == next.MaxAge && have.MaxBytes == next.MaxBytes &&
		have.Duplicates == next.Duplicates && slices.Equal(have.Subjects, next.Subjects) {
		return nil
	}
	if _, err := js.UpdateStream(ctx, next); err != nil {
		return fmt.Errorf("update the limits of stream %s: %w", want.Name, err)
	}
	return nil
}

func ensureBucket(ctx context.Context, js jetstream.JetStream, name string, size int64) error {
	_, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: name, History: 1, Storage: jetstream.FileStorage, MaxBytes: size,
	})
	if err != nil {
		return fmt.Errorf("make bucket %s: %w", name, err)
	}
	return nil
}
