// Package export writes Sigma rules down as queries of other systems:
// Microsoft's KQL, Splunk's SPL, Elastic's ES|QL, QRadar's AQL, Sumo Logic's
// search language, Google's YARA-L 2.0 and CrowdStrike's LogScale.
//
// A query says what the rule says, or the rule is refused with the reason:
// what a language cannot express is never left out. Values are compared as
// Sigma compares them, without regard to case unless the rule wants it; not
// of a comparison holds where the field is absent. What differs nevertheless,
// because the other system keeps less, is said in the query's notes.
//
// Names of tables and fields come from Tables (docs/rules-export.md). The
// package knows no rule set and prints nothing.
package export
