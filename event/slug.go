package event

// maxSlug bounds a token in bytes: names come from the network, and a NATS
// subject has to stay short.
const maxSlug = 128

// Slug makes a token for a NATS subject of s: lower case, each run outside
// [a-z0-9_-] becomes one "_", cut after 128 bytes; "_" for an empty s.
func Slug(s string) string {
	if isSlug(s) {
		return s
	}
	dst := make([]byte, 0, min(len(s), maxSlug)+1)
	run := false
	for i := 0; i < len(s) && len(dst) < maxSlug; i++ {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if slugByte(c) {
			dst = append(dst, c)
		} else if !run {
			dst = append(dst, '_')
		}
		run = !slugByte(c)
	}
	if len(dst) == 0 {
		return "_"
	}
	return string(dst)
}

func isSlug(s string) bool {
	for i := range len(s) {
		if !slugByte(s[i]) {
			return false
		}
	}
	return s != "" && len(s) <= maxSlug
}

func slugByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}
