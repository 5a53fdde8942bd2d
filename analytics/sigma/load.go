package sigma

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Bounds of what is read. What is larger is refused.
const (
	maxFileBytes    = 8 << 20
	maxArchiveBytes = 256 << 20 // an archive's own size
	maxTotalBytes   = 512 << 20 // of all rule files of one Load
	maxFiles        = 200_000
)

// Rules is what Load read.
type Rules struct {
	Rules        []*Rule
	Correlations []*Correlation // each after those that it refers to
	Refusals     []Refusal      // in the order of files and lines
	Deprecated   int            // rules left out because their status is deprecated
	Disabled     int            // rules and correlations left out by an override
	Skipped      int            // documents in folders and archives that are not about Sigma
}

// Load reads the rules, filters and correlations of files, folders and
// archives (.tar.gz, .tgz, .tar, .zip), each a path in fsys. In folders and
// archives it looks for *.yml and *.yaml, passes over names with a leading
// dot, and passes over documents that are not about Sigma. A document that
// cannot be used is refused, alone; so is a path that cannot be read.
func Load(fsys fs.FS, paths []string, options Options) *Rules {
	l := newLoader(options)
	for _, name := range paths {
		l.load(fsys, name)
	}
	return l.finish()
}

// Parse reads the documents of one file that the caller has.
func Parse(name string, content []byte, options Options) *Rules {
	l := newLoader(options)
	l.parseFile(name, content, true)
	return l.finish()
}

type loader struct {
	options      Options
	result       Rules
	filters      []*rawFilter
	correlations []*rawCorrelation
	byID, byName map[string]reference
	files, bytes int
}

func newLoader(options Options) *loader {
	return &loader{options: options, byID: map[string]reference{}, byName: map[string]reference{}}
}

func (l *loader) refuse(d *document, line int, err error) {
	var there *placed
	if errors.As(err, &there) {
		line = there.line
	}
	l.result.Refusals = append(l.result.Refusals, Refusal{File: d.file, Line: line, ID: d.meta.ID, Reason: err.Error()})
}

func (l *loader) refuseFile(file string, err error) {
	l.result.Refusals = append(l.result.Refusals, Refusal{File: file, Reason: err.Error()})
}

func (l *loader) load(fsys fs.FS, name string) {
	info, err := fs.Stat(fsys, name)
	switch {
	case err != nil:
		l.refuseFile(name, err)
	case info.IsDir():
		l.loadFolder(fsys, name)
	case isArchive(name):
		l.loadArchive(fsys, name)
	default:
		l.loadFile(fsys, name, true)
	}
}

func (l *loader) loadFolder(fsys fs.FS, folder string) {
	err := fs.WalkDir(fsys, folder, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			l.refuseFile(name, err)
			return nil
		case name != folder && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case entry.Type().IsRegular() && isRuleFile(name):
			l.loadFile(fsys, name, false)
		}
		return nil
	})
	if err != nil {
		l.refuseFile(folder, err)
	}
}

func isRuleFile(name string) bool {
	extension := strings.ToLower(path.Ext(name))
	return extension == ".yml" || extension == ".yaml"
}

// isHidden says that a part of an archive's inner path has a leading dot.
func isHidden(name string) bool {
	return slices.ContainsFunc(strings.Split(path.Clean(name), "/"), func(part string) bool {
		return strings.HasPrefix(part, ".") && part != "."
	})
}

func isArchive(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{".tar.gz", ".tgz", ".tar", ".zip"}, func(end string) bool {
		return strings.HasSuffix(name, end)
	})
}

func (l *loader) loadFile(fsys fs.FS, name string, explicit bool) {
	file, err := fsys.Open(name)
	if err != nil {
		l.refuseFile(name, err)
		return
	}
	defer file.Close()
	l.readFile(name, file, explicit)
}

// readFile reads one file of rules within all bounds.
func (l *loader) readFile(name string, r io.Reader, explicit bool) {
	content, err := readBounded(r, maxFileBytes)
	l.files++
	l.bytes += len(content)
	switch {
	case err != nil:
		l.refuseFile(name, err)
	case l.files > maxFiles:
		if l.files == maxFiles+1 {
			l.refuseFile(name, fmt.Errorf("more than %d files: this and what follows is not read", maxFiles))
		}
	case l.bytes > maxTotalBytes:
		l.refuseFile(name, fmt.Errorf("all files together have more than %d bytes", maxTotalBytes))
	default:
		l.parseFile(name, content, explicit)
	}
}

func readBounded(r io.Reader, limit int) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err == nil && len(content) > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	return content, err
}

func (l *loader) loadArchive(fsys fs.FS, name string) {
	file, err := fsys.Open(name)
	if err != nil {
		l.refuseFile(name, err)
		return
	}
	defer file.Close()
	switch {
	case strings.HasSuffix(strings.ToLower(name), ".zip"):
		err = l.loadZip(name, file)
	case strings.HasSuffix(strings.ToLower(name), ".tar"):
		err = l.loadTar(name, file)
	default:
		var unpacked *gzip.Reader
		if unpacked, err = gzip.NewReader(file); err == nil {
			err = l.loadTar(name, unpacked)
		}
	}
	if err != nil {
		l.refuseFile(name, fmt.Errorf("read archive: %w", err))
	}
}

// loadTar reads no more than a bomb may unpack to.
func (l *loader) loadTar(name string, r io.Reader) error {
	limited := &io.LimitedReader{R: r, N: maxTotalBytes}
	archive := tar.NewReader(limited)
	for {
		entry, err := archive.Next()
		switch {
		case limited.N <= 0:
			return fmt.Errorf("unpacks to more than %d bytes", maxTotalBytes)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if entry.Typeflag == tar.TypeReg && isRuleFile(entry.Name) && !isHidden(entry.Name) {
			l.readFile(name+"!"+path.Clean(entry.Name), archive, false)
		}
	}
}

func (l *loader) loadZip(name string, r io.Reader) error {
	content, err := readBounded(r, maxArchiveBytes)
	if err != nil {
		return err
	}
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return err
	}
	for _, entry := range archive.File {
		if !entry.Mode().IsRegular() || !isRuleFile(entry.Name) || isHidden(entry.Name) {
			continue
		}
		inner := name + "!" + path.Clean(entry.Name)
		file, err := entry.Open()
		if err != nil {
			l.refuseFile(inner, err)
			continue
		}
		l.readFile(inner, file, false)
		file.Close()
	}
	return nil
}

// enlist makes a rule or correlation known under its id and its name.
func (l *loader) enlist(m *Meta, ref reference) error {
	for key, known := range map[string]map[string]reference{m.ID: l.byID, m.Name: l.byName} {
		if other, taken := known[key]; taken && key != "" {
			meta := other.meta()
			return fmt.Errorf("%s is the id or name of %s:%d, too", quoted(key), meta.File, meta.Line)
		}
	}
	if m.ID != "" {
		l.byID[m.ID] = ref
	}
	if m.Name != "" {
		l.byName[m.Name] = ref
	}
	return nil
}

func (r reference) meta() *Meta {
	if r.rule != nil {
		return &r.rule.Meta
	}
	return &r.correlation.Meta
}

// find gives what an id or a name stands for.
func (l *loader) find(key string) (reference, bool) {
	if ref, ok := l.byID[key]; ok {
		return ref, true
	}
	ref, ok := l.byName[key]
	return ref, ok
}

func (l *loader) addRule(rule *Rule) error {
	if err := l.enlist(&rule.Meta, reference{rule: rule}); err != nil {
		return err
	}
	l.result.Rules = append(l.result.Rules, rule)
	return nil
}

// finish applies what is about other documents, once all are there.
func (l *loader) finish() *Rules {
	for _, f := range l.filters {
		l.applyFilter(f)
	}
	l.resolveCorrelations()
	l.applyOverrides()
	l.silence()
	slices.SortStableFunc(l.result.Refusals, func(a, b Refusal) int {
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		return a.Line - b.Line
	})
	return &l.result
}
