package vsphere

import "strings"

// WorldOf finds the world id that a text names, of whatever it is: "from world
// 2127090 to", "worldID=65936", "World 736629 waited", "nic-36933-eth0-vmware-sfw.2".
// Empty: there is none.
func WorldOf(s string) string {
	for rest := s; ; {
		_, after, ok := strings.Cut(rest, "orld")
		if !ok {
			break
		}
		rest = after
		for _, word := range [...]string{" ", "I", "i", "D", "d", " set to"} {
			after = strings.TrimPrefix(after, word)
		}
		digits := strings.TrimLeft(after, " =:")
		if id := leadingDigits(digits); id != "" && len(digits) < len(rest) {
			return id
		}
	}
	return worldOfNIC(s)
}

// worldOfNIC reads the name of a filter at a virtual adapter, in which the
// world is that of the VM's first virtual CPU.
func worldOfNIC(s string) string {
	_, after, ok := strings.Cut(s, "nic-")
	if id := leadingDigits(after); ok && id != "" && strings.HasPrefix(after[len(id):], "-eth") {
		return id
	}
	return ""
}

func leadingDigits(s string) string {
	n := 0
	for n < len(s) && s[n]-'0' <= 9 {
		n++
	}
	if n > maxWorld {
		return ""
	}
	return s[:n]
}

// maxWorld is more digits than a world id has.
const maxWorld = 20
