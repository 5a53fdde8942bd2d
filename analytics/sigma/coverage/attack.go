package coverage

import (
	"slices"
	"strings"
)

// HasTechnique says that tags name an ATT&CK technique ("T1102"), or one of
// its sub-techniques.
func HasTechnique(tags []string, technique string) bool {
	want := strings.ToUpper(technique)
	return slices.ContainsFunc(Techniques(tags), func(have string) bool {
		return have == want || strings.HasPrefix(have, want+".")
	})
}

// Techniques lists the techniques that tags name: T1102.001 for
// attack.t1102.001.
func Techniques(tags []string) []string {
	techniques := []string{}
	for _, tag := range tags {
		name, ok := strings.CutPrefix(strings.ToUpper(tag), "ATTACK.T")
		if ok && name != "" && isDigit(name[0]) {
			techniques = append(techniques, "T"+name)
		}
	}
	return techniques
}

// Tactics lists the tactics that tags name. Groups (attack.g0016), software
// (attack.s0154) and the like are none.
func Tactics(tags []string) []string {
	tactics := []string{}
	for _, tag := range tags {
		name, ok := strings.CutPrefix(strings.ToLower(tag), "attack.")
		isID := len(name) > 1 && isDigit(name[1])
		if ok && name != "" && !isID {
			tactics = append(tactics, Tactic(name))
		}
	}
	return tactics
}

// Tactic is a tactic's name as ATT&CK's page addresses have it:
// command-and-control.
func Tactic(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == ' ' {
			return '-'
		}
		return r
	}, strings.ToLower(name))
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
