package suggest

import (
	"fmt"
	"strings"
	"time"
)

// YAML is the report as entries of a configuration, ready to paste, with a
// comment on each, and what is not proposed as a comment.
func (r *Report) YAML() string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("# Proposed by vegress suggest: %d connections that nothing justified, of %d events.", r.Connections, r.Events)
	if !r.From.IsZero() {
		say("# From %s to %s. The proposals cover %d of them.", stamp(r.From), stamp(r.To), r.Covered)
	}
	if r.Overflow > 0 {
		say("# %d connections were too many to be looked at.", r.Overflow)
	}
	if r.Unread > 0 {
		say("# %d records could not be read.", r.Unread)
	}
	if len(r.Justifications) > 0 {
		say("# Read each before you paste it: regular is not the same as allowed.")
	}
	if len(r.Roles) > 0 {
		say("roles:")
		for _, role := range r.Roles {
			say("  # %s", line(role.Comment))
			say("  - {name: %q, names: [%s]}", role.Name, quoted(role.Names))
		}
	}
	if len(r.Justifications) > 0 {
		say("justifications:")
	}
	for i := range r.Justifications {
		r.Justifications[i].write(say)
	}
	if len(r.NotProposed) > 0 {
		say("\n# Not proposed, because:")
	}
	for _, a := range r.NotProposed {
		say("#   %s to %s (%d): %s", line(a.Who), line(a.What), a.Connections, line(a.Why))
	}
	return b.String()
}

func (j *Justification) write(say func(string, ...any)) {
	for _, c := range j.Comments {
		say("  # %s", line(c))
	}
	say("  - name: %q", j.Name)
	say("    role: %q", j.Role)
	say("    destinations: [%s]", quoted(j.Destinations))
	if len(j.Ports) > 0 {
		say("    ports: %s", strings.ReplaceAll(fmt.Sprint(j.Ports), " ", ", "))
	}
	if len(j.Windows) > 0 {
		say("    windows: [%s]", quoted(j.Windows))
	}
	if j.MaxBytes != "" {
		say("    max_bytes: %s", j.MaxBytes)
	}
	say("    expires: %s    # a rule without an end stays for ever", j.Expires)
	say("    ticket: \"\"             # why it is so")
}

func quoted(all []string) string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(out, ", ")
}

// line keeps what came from the network on one line of a comment.
func line(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, s)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }
