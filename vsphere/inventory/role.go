package inventory

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vegress/vegress/event"
)

// Role says which VMs and hosts play a part in the estate that justifies some
// of their traffic: backup proxies, patch servers. A VM has the role when any
// one of the patterns fits. Patterns are globs: '*' is any text, '?' any one
// character, and case does not count.
type Role struct {
	Name string `mapstructure:"name"`
	// Tags are "category/name". vSphere tags of the VM or host itself count,
	// not those of its folder.
	Tags []string `mapstructure:"tags"`
	// Names are matched against the name in vCenter, never against the host
	// name that the guest reports: a guest can say what it likes.
	Names []string `mapstructure:"names"`
	// Folders are paths below the datacenter ("Infra/Backup"). A folder's
	// pattern also fits all below it.
	Folders []string `mapstructure:"folders"`
	// Pools are resource pool paths below the cluster, with all below them.
	Pools []string `mapstructure:"pools"`
	// Attributes are custom attributes, "key=value".
	Attributes []string `mapstructure:"attributes"`
	// Annotation is matched against the VM's notes; empty: not at all.
	Annotation string `mapstructure:"annotation"`
}

// Validate reports the first thing in the role that cannot work, by key and
// value.
func (r *Role) Validate() error {
	if r.Name == "" {
		return errors.New("name of a role is empty")
	}
	lists := []struct {
		key      string
		patterns []string
	}{{"tags", r.Tags}, {"names", r.Names}, {"folders", r.Folders}, {"pools", r.Pools}, {"attributes", r.Attributes}}
	total := len(r.Annotation)
	for _, l := range lists {
		total += len(l.patterns)
		for _, p := range l.patterns {
			if err := checkPattern(l.key, p); err != nil {
				return fmt.Errorf("role %q: %w", r.Name, err)
			}
		}
	}
	if total == 0 {
		return fmt.Errorf("role %q has no tags, names, folders, pools, attributes or annotation: nothing can have it", r.Name)
	}
	return nil
}

func checkPattern(key, p string) error {
	switch {
	case p == "":
		return fmt.Errorf("%s has an empty pattern", key)
	case key == "tags" && !strings.ContainsAny(p, "/*"):
		return fmt.Errorf("tags pattern %q: want category/name", p)
	case key == "attributes" && !strings.ContainsAny(p, "=*"):
		return fmt.Errorf("attributes pattern %q: want key=value", p)
	}
	return nil
}

// roles is a set of roles ready for matching. It never changes, apart from
// its memory of role sets, which the inventory's lock guards.
type roles struct {
	list []Role
	sets *stringSets
}

func newRoles(list []Role) (*roles, error) {
	r := &roles{sets: newStringSets()}
	for _, role := range list {
		if err := role.Validate(); err != nil {
			return nil, err
		}
		r.list = append(r.list, role.folded())
	}
	slices.SortStableFunc(r.list, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
	return r, nil
}

// folded is a copy with its patterns in lower case.
func (r Role) folded() Role {
	for _, l := range []*[]string{&r.Tags, &r.Names, &r.Folders, &r.Pools, &r.Attributes} {
		lower := make([]string, len(*l))
		for i, p := range *l {
			lower[i] = strings.ToLower(strings.Trim(p, "/"))
		}
		*l = lower
	}
	r.Annotation = strings.ToLower(r.Annotation)
	return r
}

// traits is what roles are told by.
type traits struct {
	name, folder, pool, annotation string
	tags, attributes               []string
}

func vmTraits(v *event.VM) traits {
	return traits{v.Name, v.Folder, v.Pool, v.Annotation, v.Tags, v.Attributes}
}

// of gives the names of the roles that t has, sorted, as a shared slice.
func (r *roles) of(t traits) []string {
	if len(r.list) == 0 {
		return nil
	}
	t = t.folded()
	var names []string
	for i := range r.list {
		if !slices.Contains(names, r.list[i].Name) && r.list[i].fits(&t) {
			names = append(names, r.list[i].Name)
		}
	}
	return r.sets.share(names)
}

func (t traits) folded() traits {
	lower := func(list []string) []string {
		out := make([]string, len(list))
		for i, s := range list {
			out[i] = strings.ToLower(s)
		}
		return out
	}
	return traits{
		strings.ToLower(t.name), strings.ToLower(t.folder), strings.ToLower(t.pool),
		strings.ToLower(t.annotation), lower(t.tags), lower(t.attributes),
	}
}

func (r *Role) fits(t *traits) bool {
	switch {
	case anyGlob(r.Names, t.name), underGlob(r.Folders, t.folder), underGlob(r.Pools, t.pool):
		return true
	case r.Annotation != "" && t.annotation != "" && glob(r.Annotation, t.annotation):
		return true
	case slices.ContainsFunc(t.tags, func(tag string) bool { return anyGlob(r.Tags, tag) }):
		return true
	}
	return slices.ContainsFunc(t.attributes, func(a string) bool { return anyGlob(r.Attributes, a) })
}

func anyGlob(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return glob(p, s) })
}

// underGlob says that a pattern fits the path or one above it.
func underGlob(patterns []string, path string) bool {
	for len(patterns) > 0 && path != "" {
		if anyGlob(patterns, path) {
			return true
		}
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
	}
	return false
}

// usesTag says that some role asks for this tag, "category/name".
func (r *roles) usesTag(tag string) bool {
	tag = strings.ToLower(tag)
	return slices.ContainsFunc(r.list, func(role Role) bool { return anyGlob(role.Tags, tag) })
}

// useTags says that some role asks for tags at all.
func (r *roles) useTags() bool {
	return slices.ContainsFunc(r.list, func(role Role) bool { return len(role.Tags) > 0 })
}

// glob says whether all of s fits the pattern. It takes time in proportion to
// len(pattern)*len(s) at most: only the last '*' is ever tried again.
func glob(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == '?':
			p++
			i += runeLen(s[i:])
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// runeLen is the number of bytes of the first character of s.
func runeLen(s string) int {
	for i := range s {
		if i > 0 {
			return i
		}
	}
	return len(s)
}

// stringSets keeps one copy of each set of strings that many VMs have.
type stringSets struct{ sets map[string][]string }

func newStringSets() *stringSets { return &stringSets{map[string][]string{}} }

// share gives the one copy of set.
func (s *stringSets) share(set []string) []string {
	if len(set) == 0 {
		return nil
	}
	k := strings.Join(set, "\xff")
	if got, ok := s.sets[k]; ok {
		return got
	}
	s.sets[k] = slices.Clip(set)
	return s.sets[k]
}
