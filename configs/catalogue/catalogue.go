// Package catalogue holds the built-in catalogue of web services: one file for
// each category, in the format that package webservice reads.
package catalogue

import "embed"

// Files has the catalogue's *.ini files in its root.
//
//go:embed *.ini
var Files embed.FS
