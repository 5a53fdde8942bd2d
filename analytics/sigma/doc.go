// Package sigma is the engine for Sigma rules, the whole of version 2.1 of the
// specification (https://github.com/SigmaHQ/sigma-specification): it reads
// rules, filters and correlations, compiles all rules into one index, and
// evaluates them on records.
//
// Load reads files, folders and archives into Rules and says of what it
// refused where and why. Compile makes an Engine of rules: immutable, safe for
// concurrent use. Each goroutine that matches has a Matcher of its own. What
// Matchers hit, a Correlator weighs over time.
//
// The package knows no log source and no finding: which rules a record is
// shown to, and what a hit becomes, is the caller's business. How values
// compare, where the specification leaves it open, is written in
// docs/sigma.md.
package sigma
