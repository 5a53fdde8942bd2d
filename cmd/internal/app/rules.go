package app

import (
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/configs/rules"
	table "github.com/vegress/vegress/configs/sigma"
)

// loadRules reads the rules that a configuration names, the built-in ones
// among them, and the table of log sources. Rules that cannot be used are the
// Set's Refusals; an error is of a file or folder as a whole.
func loadRules(o stream.Options) (*stream.Set, error) {
	return stream.Load(stream.Builtin{Rules: rules.Files, Sources: table.Files}, o)
}
