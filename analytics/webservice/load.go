package webservice

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// none is the category of what a later file takes out of the catalogue.
const none = "none"

// patterns are the names of files that are read in a folder.
var patterns = []string{"*.ini", "*.json"}

// bom is the mark that some programs of Windows put before UTF-8.
const bom = "\xEF\xBB\xBF"

// Options name the user's own catalogue files.
type Options struct {
	// Paths are files, or folders whose *.ini and *.json files are read, each
	// kind in the order of the names. What an INI file says of a suffix or
	// prefix replaces what the built-in catalogue, or an earlier path, says of
	// the same. JSON is a provider's published range file; what an INI file
	// says of a prefix goes before all that is in its range.
	Paths []string `mapstructure:"paths"`
}

// Load reads the built-in catalogue and then the user's files. A file is made
// of sections, one for each category, and lines of a service's name and its
// host suffixes (whole labels; '*' and '?' stand for characters of one label)
// and address prefixes:
//
//	[messaging]
//	Telegram = api.telegram.org t.me 149.154.160.0/20
//	# a comment; the section [none] takes out what it lists
//
// The same suffix twice in one layer is an error, which names file and line. A
// file that begins with a brace is a provider's (see providerRanges).
func Load(builtin fs.FS, opts Options) (*Catalogue, error) {
	l := loader{found: map[string]*entry{}, ranges: map[netip.Prefix]ranged{}, services: map[Service]*Service{}}
	if err := l.folder(builtin, "built-in catalogue"); err != nil {
		return nil, err
	}
	for _, path := range opts.Paths {
		l.layer++
		if err := l.path(path); err != nil {
			return nil, err
		}
	}
	return l.build(), nil
}

type loader struct {
	layer int
	found map[string]*entry // by suffix or prefix, as written out again
	order []string

	ranges   map[netip.Prefix]ranged // of providers' files
	services map[Service]*Service
}

type entry struct {
	service *Service
	prefix  netip.Prefix // zero: a suffix
	layer   int
	where   string
}

func (l *loader) path(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read catalogue: %w", err)
	}
	if info.IsDir() {
		return l.folder(os.DirFS(path), path)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read catalogue: %w", err)
	}
	defer f.Close()
	return l.read(f, path)
}

func (l *loader) folder(fsys fs.FS, name string) error {
	var files []string
	for _, pattern := range patterns {
		more, err := fs.Glob(fsys, pattern)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		files = append(files, more...)
	}
	for _, file := range files {
		f, err := fsys.Open(file)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		err = l.read(f, filepath.Join(name, file))
		_ = f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) read(r io.Reader, file string) error {
	b := bufio.NewReader(r)
	if front, _ := b.Peek(64); strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(string(front), bom), " \t\r\n"), "{") {
		return l.providerRanges(b, file)
	}
	return l.lines(b, file)
}

func (l *loader) lines(r io.Reader, file string) error {
	lines := bufio.NewScanner(r)
	category := ""
	for n := 1; lines.Scan(); n++ {
		where := fmt.Sprintf("%s:%d", file, n)
		text, _, _ := strings.Cut(lines.Text(), "#")
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		if strings.HasPrefix(text, "[") {
			category = strings.TrimSpace(strings.Trim(text, "[]"))
			if category == "" || strings.ContainsAny(category, " :[]") {
				return fmt.Errorf("%s: category %q: want one word, as in [file_share]", where, text)
			}
			continue
		}
		if err := l.line(text, category, where); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	return nil
}

func (l *loader) line(text, category, where string) error {
	name, list, ok := strings.Cut(text, "=")
	name = strings.TrimSpace(name)
	switch {
	case !ok || name == "":
		return fmt.Errorf("%s: %q: want \"service = suffix suffix prefix\"", where, text)
	case category == "":
		return fmt.Errorf("%s: %q stands before the first [category]", where, text)
	}
	s := &Service{Name: name, Category: category}
	for _, one := range strings.Fields(list) {
		if err := l.add(one, s, where); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) add(text string, s *Service, where string) error {
	e := &entry{service: s, layer: l.layer, where: where}
	key := strings.ToLower(strings.TrimSuffix(text, "."))
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("%s: prefix %q: %w", where, text, err)
		}
		e.prefix, key = p.Masked(), p.Masked().String()
	} else if err := checkSuffix(key); err != nil {
		return fmt.Errorf("%s: suffix %q: %w", where, text, err)
	}
	if old, ok := l.found[key]; !ok {
		l.order = append(l.order, key)
	} else if old.layer == l.layer {
		return fmt.Errorf("%s: %q is listed at %s already", where, text, old.where)
	}
	l.found[key] = e
	return nil
}

func checkSuffix(s string) error {
	labels := strings.Split(s, ".")
	switch {
	case len(labels) < 2:
		return fmt.Errorf("want at least two labels")
	case len(labels) > maxLabels:
		return fmt.Errorf("want at most %d labels", maxLabels)
	case strings.ContainsAny(labels[len(labels)-1], "*?"):
		return fmt.Errorf("the last label must not have a wildcard")
	}
	for _, label := range labels {
		if label == "" {
			return fmt.Errorf("a label is empty (a suffix has no leading dot)")
		}
		if i := strings.IndexFunc(label, notInLabel); i >= 0 {
			return fmt.Errorf("character %q is not for host names", label[i])
		}
	}
	return nil
}

func notInLabel(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-_*?", r)
}

// build puts what was found where look-ups find it: the built-in prefixes, over
// them the providers', over them the user's own, which take the place of all
// that providers have in their range.
func (l *loader) build() *Catalogue {
	c := &Catalogue{suffixes: make(map[string]node, len(l.found))}
	for _, key := range l.order {
		switch e := l.found[key]; {
		case !e.prefix.IsValid():
			c.insert(key, e.service)
		case e.layer == 0:
			c.prefixes.Insert(e.prefix, e.service)
		}
	}
	for p, r := range l.ranges {
		c.prefixes.Insert(p, r.service)
	}
	for _, key := range l.order {
		if e := l.found[key]; e.prefix.IsValid() && e.layer > 0 {
			l.clear(c, e.prefix)
		}
	}
	for _, key := range l.order {
		if e := l.found[key]; e.prefix.IsValid() && e.layer > 0 {
			c.prefixes.Insert(e.prefix, e.service)
		}
	}
	c.services = l.listed()
	return c
}

// listed are all services that were found, each once, by name.
func (l *loader) listed() (all []Service) {
	known := map[Service]bool{}
	add := func(s *Service) {
		if s.Category != none && !known[*s] {
			known[*s] = true
			all = append(all, *s)
		}
	}
	for _, e := range l.found {
		add(e.service)
	}
	for _, r := range l.ranges {
		add(r.service)
	}
	slices.SortFunc(all, func(a, b Service) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Category, b.Category))
	})
	return all
}

// clear takes out what providers have in p.
func (l *loader) clear(c *Catalogue, p netip.Prefix) {
	var inside []netip.Prefix
	for q := range c.prefixes.Subnets(p) {
		if _, ok := l.ranges[q]; ok {
			inside = append(inside, q)
		}
	}
	for _, q := range inside {
		c.prefixes.Delete(q)
	}
}

func (c *Catalogue) insert(suffix string, s *Service) {
	tail, front := suffix, ""
	if wild := strings.LastIndexAny(suffix, "*?"); wild >= 0 {
		cut := wild + strings.IndexByte(suffix[wild:], '.')
		front, tail = suffix[:cut], suffix[cut+1:]
	}
	for i := len(tail) - 1; i > 0; i-- {
		if tail[i] == '.' {
			n := c.suffixes[tail[i+1:]]
			c.suffixes[tail[i+1:]] = n
		}
	}
	n := c.suffixes[tail]
	if front == "" {
		n.service = s
	} else {
		n.addPattern(front, s)
	}
	c.suffixes[tail] = n
}

func (n *node) addPattern(front string, s *Service) {
	labels := strings.Split(front, ".")
	slices.Reverse(labels)
	n.patterns = append(n.patterns, pattern{labels, s})
	slices.SortStableFunc(n.patterns, func(a, b pattern) int { return len(b.labels) - len(a.labels) })
}
