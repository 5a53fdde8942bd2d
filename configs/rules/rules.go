// Package rules holds the built-in Sigma rules, and beside each NAME.yml its
// cases in NAME.test.yml (docs/rules.md).
package rules

import "embed"

// Files has a folder for each pack of rules, and in t1102.yml which published
// rules for ATT&CK T1102 they cover.
//
//go:embed */*.yml t1102.yml
var Files embed.FS
