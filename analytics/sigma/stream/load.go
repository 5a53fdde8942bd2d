package stream

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/source"
)

// Builtin is what vegress brings: the packs of rules, and the table of log
// sources.
type Builtin struct {
	Rules, Sources fs.FS
}

// builtinName begins the names of files of built-in rules.
const builtinName = "builtin"

// Set is rules and the table of log sources, as Load read them.
type Set struct {
	*sigma.Rules
	Table *source.Table
	// Files has the files of all rules by the names that the rules give them.
	Files fs.FS
}

// Load reads all that o names. A rule that cannot be used is one of the
// Refusals and leaves the others alone; an error says of a file or a folder
// why it cannot be used at all.
func Load(builtin Builtin, o Options) (*Set, error) {
	engine, err := o.engine()
	table, wrong := o.table(builtin.Sources)
	if err := errors.Join(err, o.checkPaths(), wrong); err != nil {
		return nil, err
	}
	var paths []string
	if o.Builtin {
		paths = append(paths, builtinName)
	}
	for _, path := range o.Paths {
		paths = append(paths, apart(path))
	}
	files := library{builtin.Rules}
	return &Set{Rules: sigma.Load(files, paths, engine), Table: table, Files: files}, nil
}

// apart keeps a path of the user's from being taken for a built-in one.
func apart(path string) string {
	path = filepath.ToSlash(filepath.Clean(path))
	if path != builtinName && !strings.HasPrefix(path, builtinName+"/") {
		return path
	}
	if whole, err := filepath.Abs(path); err == nil {
		return filepath.ToSlash(whole)
	}
	return path
}

// library is the built-in rules below builtinName, and beside them the files
// of the machine, by whatever names they are given: all in one, so that a
// filter or a correlation of the user's can refer to a built-in rule.
type library struct{ builtin fs.FS }

// Open implements fs.FS.
func (l library) Open(name string) (fs.File, error) {
	if name == builtinName {
		return l.builtin.Open(".")
	}
	if inner, ok := strings.CutPrefix(name, builtinName+"/"); ok {
		return l.builtin.Open(inner)
	}
	return os.Open(filepath.FromSlash(name))
}

// table lays the user's log sources over the built-in ones; nil: there are
// none.
func (o *Options) table(builtin fs.FS) (*source.Table, error) {
	var layers []fs.FS
	if builtin != nil {
		layers = append(layers, builtin)
	}
	var errs []error
	for _, path := range o.LogSources {
		layer, err := tableFiles(path)
		if err == nil {
			_, err = source.Load(layer)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("rules.log_sources: %q: %w", path, plain(err)))
		}
		layers = append(layers, layer)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return source.Load(layers...)
}

// tableFiles is a folder, or a file as the only one of its folder.
func tableFiles(path string) (fs.FS, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return os.DirFS(path), nil
	case !isTable(path):
		return nil, errors.New("is neither a folder nor a *.yml or *.yaml file")
	}
	folder, name := filepath.Split(filepath.Clean(path))
	if folder == "" {
		folder = "."
	}
	return oneFile{os.DirFS(folder), name}, nil
}

// oneFile is a folder of which nothing but one file is seen.
type oneFile struct {
	fs.FS
	name string
}

// ReadDir implements fs.ReadDirFS.
func (o oneFile) ReadDir(string) ([]fs.DirEntry, error) {
	info, err := fs.Stat(o.FS, o.name)
	if err != nil {
		return nil, err
	}
	return []fs.DirEntry{fs.FileInfoToDirEntry(info)}, nil
}
