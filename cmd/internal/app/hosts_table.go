package app

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/vegress/vegress/vsphere/loghost"
)

// widest is how much of the targets a table shows; --json has all.
const widest = 70

// table is the status for a person.
func (r *hostsStatus) table() []byte {
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tVERSION\tVCENTER\tCONNECTION\tSYSLOG TO\tHERE\tAS\tRULE SET\tLAST RECORD\tA MINUTE\tCUT\tLOST\tCLOCK\tSTATE")
	for i := range r.VCenters {
		v := &r.VCenters[i]
		connection := "connected"
		if v.Error != "" {
			connection = "unread"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t-\t%s\t%s\n", cut(v.Host(), widest), cut(v.Version, widest), v.Name, connection,
			targetsWord(v.Forwarding, v.ForwardingRead), v.Ours, v.asWord(), v.liveWords(), v.State)
	}
	for i := range r.Hosts {
		h := &r.Hosts[i]
		connection := h.Connection
		if h.Maintenance {
			connection += ", maintenance"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cut(h.Name, widest), cut(h.Version, widest), h.VCenter, connection,
			targetsWord(h.Targets, h.Read), h.Ours, h.asWord(), ruleSetWord(h.RuleSet), h.liveWords(), h.State)
	}
	_ = w.Flush() // into memory
	out.WriteString("\n")
	for _, v := range r.VCenters {
		if v.Error != "" {
			fmt.Fprintf(&out, "vCenter %s: %s\n", v.Name, plain(v.Error))
		}
		for _, n := range v.Notes {
			fmt.Fprintf(&out, "vCenter %s: %s\n", v.Name, plain(n))
		}
	}
	for _, h := range r.Hosts {
		for _, n := range h.Notes {
			fmt.Fprintf(&out, "%s: %s\n", cut(h.Name, widest), plain(n))
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintln(&out, n)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&out, "%-15s %4d  (%s) %s\n", p.Kind, p.Count, cut(p.Machine, widest), p.Advice)
	}
	if len(r.Problems) == 0 {
		fmt.Fprintln(&out, "nothing is wrong")
	}
	return out.Bytes()
}

func ruleSetWord(s loghost.Switch) string {
	switch s {
	case loghost.On:
		return "open"
	case loghost.Off:
		return "closed"
	}
	return string(s)
}

func targetsWord(all []loghost.Target, read bool) string {
	if !read {
		return "?"
	}
	var words []string
	for _, t := range all {
		if t.Fault != "" {
			words = append(words, t.Raw+" ("+t.Fault+")")
		} else {
			words = append(words, t.Endpoint())
		}
	}
	return cut(strings.Join(words, ", "), widest)
}

// asWord is the protocol, format and framing towards vegress.
func (s *pathStatus) asWord() string {
	if s.Own == nil {
		return "-"
	}
	words := []string{s.Own.Protocol, s.Own.Formatter, s.Own.Framing}
	return cut(strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " "), widest)
}

// liveWords are the columns of what arrives.
func (s *pathStatus) liveWords() string {
	if s.Live == nil {
		return "-\t-\t-\t-\t-"
	}
	last := "never"
	if !s.Live.LastSeen.IsZero() {
		last = clockTime(s.Live.LastSeen)
	}
	rate := fmt.Sprintf("%.0f", s.Live.Rate)
	if s.Live.Habit > 0 {
		rate += fmt.Sprintf(" of %.0f", s.Live.Habit)
	}
	return fmt.Sprintf("%s\t%s\t%d\t%d\t%+.0fs", last, rate, s.Live.Truncated, s.Live.Lost, s.Live.Skew)
}
