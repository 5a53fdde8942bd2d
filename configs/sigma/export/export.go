// Package export holds the built-in tables of "vegress rules export": one file
// for each query language, in the format that package analytics/sigma/export
// reads (docs/rules-export.md).
package export

import "embed"

// Files has the tables' *.yml files in its root.
//
//go:embed *.yml
var Files embed.FS
