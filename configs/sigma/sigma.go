// Package sigma holds the built-in table of Sigma log sources: one file for
// each product, in the format that package source reads (docs/rules.md).
package sigma

import "embed"

// Files has the table's *.yml files in its root.
//
//go:embed *.yml
var Files embed.FS
