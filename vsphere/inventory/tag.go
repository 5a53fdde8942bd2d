package inventory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"

	"github.com/vegress/vegress/vsphere/session"
)

// Bounds of tag polling.
const (
	tagTimeout = time.Minute
	maxTags    = 10_000           // in a vCenter that are looked at
	tagBatch   = 100              // tags whose objects are asked for in one call
	renameTurn = 30               // polls after which names of tags are read again
	deniedTags = 10 * time.Minute // without polls after a refused login: accounts get locked
)

// tagBook remembers the names of tags, which take a call each to read.
type tagBook struct {
	names      map[string]string // tag id -> "category/name"
	categories map[string]string
	polls      int
}

func newTagBook() *tagBook {
	return &tagBook{names: map[string]string{}, categories: map[string]string{}}
}

// followTags polls tags until ctx ends.
func (l *loop) followTags(ctx context.Context) {
	tick := time.NewTicker(l.opts.TagPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-l.kick:
		}
		l.pollTags(ctx)
	}
}

// pollTags reads which objects have the tags that roles ask for, or all with
// Options.AllTags. When that fails, the tags stay as they were.
func (l *loop) pollTags(ctx context.Context) {
	if l.inv.now().Before(l.noTagsBefore) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tagTimeout)
	defer cancel()
	l.inv.mu.Lock()
	r := l.inv.roles
	l.inv.mu.Unlock()
	found := map[string][]string{}
	if r.useTags() || l.inv.opts.AllTags {
		err := l.session.REST(ctx, func(c *rest.Client) error {
			clear(found)
			return l.readTags(ctx, tags.NewManager(c), r, found)
		})
		if err != nil {
			l.tagsFailed(ctx, err)
			return
		}
	}
	l.tagError = ""
	l.setTags(found)
}

func (l *loop) tagsFailed(ctx context.Context, err error) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	if session.Classify(err) == session.Denied {
		l.noTagsBefore = l.inv.now().Add(deniedTags)
	}
	l.inv.mu.Lock()
	l.stats.TagFailures++
	l.inv.mu.Unlock()
	level := slog.LevelWarn
	if err.Error() == l.tagError { // said before
		level = slog.LevelDebug
	}
	l.tagError = err.Error()
	l.log.Log(ctx, level, "tags could not be read; roles by tag stay as they were", "error", err)
}

// readTags fills found: the tags of each object, by its MoRef.
func (l *loop) readTags(ctx context.Context, m *tags.Manager, r *roles, found map[string][]string) error {
	ids, err := l.tagBook.wanted(ctx, m, func(name string) bool { return l.inv.opts.AllTags || r.usesTag(name) })
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(ids, tagBatch) {
		attached, err := m.ListAttachedObjectsOnTags(ctx, batch)
		if err != nil {
			return fmt.Errorf("list the objects of %d tags: %w", len(batch), err)
		}
		for _, a := range attached {
			name := l.tagBook.names[a.TagID]
			for _, o := range a.ObjectIDs {
				id := o.Reference().Value
				found[id] = append(found[id], name)
			}
		}
	}
	return nil
}

// wanted gives the ids of the tags whose "category/name" uses says yes to.
func (b *tagBook) wanted(ctx context.Context, m *tags.Manager, uses func(name string) bool) ([]string, error) {
	if b.polls++; b.polls%renameTurn == 0 {
		clear(b.names)
		clear(b.categories)
	}
	ids, err := m.ListTags(ctx)
	if err != nil {
		return nil, fmt.Errorf("list tags: %w", err)
	}
	var out []string
	for _, id := range ids[:min(len(ids), maxTags)] {
		name, err := b.name(ctx, m, id)
		if err != nil {
			return nil, err
		}
		if uses(name) {
			out = append(out, id)
		}
	}
	return out, nil
}

// name gives "category/name" of a tag.
func (b *tagBook) name(ctx context.Context, m *tags.Manager, id string) (string, error) {
	if name, ok := b.names[id]; ok {
		return name, nil
	}
	tag, err := m.GetTag(ctx, id)
	if err != nil {
		return "", fmt.Errorf("read tag %q: %w", id, err)
	}
	category, ok := b.categories[tag.CategoryID]
	if !ok {
		c, err := m.GetCategory(ctx, tag.CategoryID)
		if err != nil {
			return "", fmt.Errorf("read tag category %q: %w", tag.CategoryID, err)
		}
		category = c.Name
		b.categories[tag.CategoryID] = category
	}
	b.names[id] = category + "/" + tag.Name
	return b.names[id], nil
}

// setTags puts the tags that were found in place of those before, and
// publishes the objects whose tags changed.
func (s *source) setTags(found map[string][]string) {
	s.inv.mu.Lock()
	defer s.inv.mu.Unlock()
	sets := newStringSets()
	for id, list := range found {
		slices.Sort(list)
		found[id] = sets.share(slices.Compact(list))
	}
	old := s.tags
	s.tags = found
	for id := range old {
		s.retag(id, old[id], found[id])
	}
	for id := range found {
		s.retag(id, old[id], found[id])
	}
	s.commitNow(s.inv.now().UnixNano())
}

func (s *source) retag(id string, old, now []string) {
	if slices.Equal(old, now) {
		return
	}
	if o := s.vms[id]; o != nil {
		s.dirty[o] = struct{}{}
	}
	if h := s.hosts[id]; h != nil {
		s.hostsDirty = true
	}
}
