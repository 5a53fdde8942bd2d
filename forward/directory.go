package forward

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/event"
)

// Directory keeps InventoryBucket: the whole context of each VM, as JSON under
// the key "<vcenter>.<instance_uuid>". Events carry only the slim part of it.
// It is used from one goroutine.
type Directory struct {
	kv    jetstream.KeyValue
	known map[string]*event.VM // what is in the bucket; nil: from an earlier run
}

// NewDirectory opens the bucket that Ensure made.
func NewDirectory(ctx context.Context, nc *nats.Conn) (*Directory, error) {
	js, err := openJetStream(nc)
	if err != nil {
		return nil, err
	}
	kv, err := js.KeyValue(ctx, InventoryBucket)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", InventoryBucket, err)
	}
	d := &Directory{kv: kv, known: map[string]*event.VM{}}
	err = readBucket(ctx, js, InventoryBucket, ">", true, func(key string, _ []byte) { d.known[key] = nil })
	if err != nil {
		return nil, err
	}
	return d, nil
}

// readBucket hands on the keys of a bucket below filter, each with its value
// unless only the keys are wanted. A value that others had the server store is
// left out. Not by kv.ListKeys, which fails when others have all consumers.
func readBucket(ctx context.Context, js jetstream.JetStream, bucket, filter string, onlyKeys bool, found func(key string, value []byte)) error {
	prefix := "$KV." + bucket + "."
	r := reader{js: js, stream: "KV_" + bucket, config: jetstream.ConsumerConfig{
		FilterSubject: prefix + filter,
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
		HeadersOnly:   onlyKeys,
	}}
	err := r.toEnd(ctx, func(e entry) {
		if e.Header.Get("KV-Operation") != "" || !onlyKeys && isAnswer(e.Header) {
			return
		}
		found(strings.TrimPrefix(e.Subject, prefix), e.Data)
	})
	if err != nil {
		return fmt.Errorf("list bucket %s: %w", bucket, err)
	}
	return nil
}

// Update brings the bucket in line with vms, which are all there are: what
// changed is written, what is gone is deleted. After an error, the next Update
// goes on where this one ended.
func (d *Directory) Update(ctx context.Context, vms []*event.VM) (changed int, err error) {
	here := make(map[string]bool, len(vms))
	for _, vm := range vms {
		key := directoryKey(vm)
		here[key] = true
		if d.known[key] == vm {
			continue
		}
		if _, err := d.kv.Put(ctx, key, vm.AppendJSON(nil)); err != nil {
			return changed, fmt.Errorf("write %s to bucket %s: %w", key, InventoryBucket, err)
		}
		d.known[key] = vm
		changed++
	}
	for key := range d.known {
		if here[key] {
			continue
		}
		if err := d.kv.Delete(ctx, key); err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
			return changed, fmt.Errorf("delete %s from bucket %s: %w", key, InventoryBucket, err)
		}
		delete(d.known, key)
		changed++
	}
	return changed, nil
}

func directoryKey(vm *event.VM) string {
	if vm.InstanceUUID == "" {
		return vm.VCenter + "." + vm.MoRef
	}
	return vm.VCenter + "." + vm.InstanceUUID
}
