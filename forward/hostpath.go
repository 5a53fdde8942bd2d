package forward

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/event"
)

// hostPrefix begins the keys of hosts in StateBucket.
const hostPrefix = "host."

// MaxHostPaths bounds the hosts whose log path is kept in StateBucket, and
// what HostPaths gives back.
const MaxHostPaths = 20_000

func hostKey(host string) string { return hostPrefix + event.Slug(host) }

// HostPath sends the present state of a host's log path on
// vegress.hosts.<slug of the host's name>. It blocks as Finding does; of h
// nothing is kept.
func (p *Publisher) HostPath(h *event.HostPath) error {
	data, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encode the log path of %s: %w", h.Host, err)
	}
	sum := sha256.Sum256(data)
	m := &message{id: "host-" + hex.EncodeToString(sum[:16])}
	m.Subject, m.Data = strings.TrimSuffix(hostSubjects, ">")+event.Slug(h.Host), data
	m.Header = nats.Header{
		nats.MsgIdHdr:        {m.id},
		headerType:           {typeJSON},
		"ce-specversion":     {"1.0"},
		"ce-id":              {m.id},
		"ce-type":            {"vegress.host." + string(h.State)},
		"ce-source":          {"/vegress/" + p.collector},
		"ce-time":            {h.Time.UTC().Format(time.RFC3339Nano)},
		"ce-datacontenttype": {typeJSON},
	}
	return p.findings.send(m)
}

// HostBook keeps the log path of each host in StateBucket, as JSON under
// "host.<slug of the host's name>". It is used from one goroutine.
type HostBook struct {
	kv    jetstream.KeyValue
	known map[string]page // what is in the bucket
}

// page is what was written of one host; empty: by an earlier run.
type page struct {
	data  []byte
	state event.PathState
	at    time.Time // by the wall's clock
}

// refreshEvery is how long a host's entry stays as it is while only its
// numbers change. A change of its state is written at once.
const refreshEvery = 15 * time.Second

// NewHostBook opens the bucket that Ensure made.
func NewHostBook(ctx context.Context, nc *nats.Conn) (*HostBook, error) {
	js, err := openJetStream(nc)
	if err != nil {
		return nil, err
	}
	kv, err := js.KeyValue(ctx, StateBucket)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", StateBucket, err)
	}
	b := &HostBook{kv: kv, known: map[string]page{}}
	return b, readBucket(ctx, js, StateBucket, hostPrefix+">", true, func(key string, _ []byte) { b.known[key] = page{} })
}

// Update brings the bucket in line with paths, which are all there are: what
// changed is written, what is gone is deleted. Of paths with one slug the
// first counts, and only the first MaxHostPaths do. now is the wall's time.
// After an error, the next Update goes on where this one ended.
func (b *HostBook) Update(ctx context.Context, now time.Time, paths []event.HostPath) (changed int, err error) {
	here := make(map[string]bool, len(paths))
	for i := range paths {
		h := &paths[i]
		key := hostKey(h.Host)
		if here[key] || len(here) == MaxHostPaths {
			continue
		}
		here[key] = true
		old := b.known[key]
		if old.state == h.State && now.Sub(old.at) < refreshEvery {
			continue
		}
		data, err := json.Marshal(h)
		if err != nil {
			return changed, fmt.Errorf("encode the log path of %s: %w", h.Host, err)
		}
		if bytes.Equal(data, old.data) {
			continue
		}
		if _, err := b.kv.Put(ctx, key, data); err != nil {
			return changed, fmt.Errorf("write %s to bucket %s: %w", key, StateBucket, err)
		}
		b.known[key] = page{data, h.State, now}
		changed++
	}
	for key := range b.known {
		if here[key] {
			continue
		}
		if err := b.kv.Delete(ctx, key); err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
			return changed, fmt.Errorf("delete %s from bucket %s: %w", key, StateBucket, err)
		}
		delete(b.known, key)
		changed++
	}
	return changed, nil
}

// HostPaths reads the log paths of all hosts, by their names, at most
// MaxHostPaths. What is no log path under its host's own key is left out.
func HostPaths(ctx context.Context, nc *nats.Conn) ([]event.HostPath, error) {
	js, err := openJetStream(nc)
	if err != nil {
		return nil, err
	}
	var all []event.HostPath
	err = readBucket(ctx, js, StateBucket, hostPrefix+">", false, func(key string, value []byte) {
		var h event.HostPath
		if json.Unmarshal(value, &h) == nil && hostKey(h.Host) == key && len(all) < MaxHostPaths {
			all = append(all, h)
		}
	})
	slices.SortFunc(all, func(a, b event.HostPath) int { return strings.Compare(a.Host, b.Host) })
	return all, err
}
