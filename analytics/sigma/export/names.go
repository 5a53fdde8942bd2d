package export

import "strings"

// simpleName says that a field's name needs no quotes: letters, digits, "_"
// and "." that are no word of a language.
func simpleName(name string) bool {
	return name != "" && !('0' <= name[0] && name[0] <= '9') && !reserved[strings.ToLower(name)] &&
		strings.IndexFunc(name, func(r rune) bool {
			return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '.')
		}) < 0
}

// reserved are words that are operators or literals in one of the languages.
var reserved = map[string]bool{
	"and": true, "or": true, "not": true, "xor": true, "in": true, "is": true, "like": true, "rlike": true, "ilike": true,
	"matches": true, "imatches": true, "null": true, "true": true, "false": true, "by": true, "as": true, "from": true,
	"where": true, "case": true, "match": true, "contains": true, "nocase": true, "any": true, "all": true, "if": true,
	"between": true, "last": true, "start": true, "stop": true, "select": true, "term": true,
}
