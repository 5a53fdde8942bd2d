package app

import (
	"maps"
	"slices"
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/simulator"
)

// judge holds the findings against the stories that were told.
func judge(told []simulator.Story, findings map[string]*event.Finding) stories {
	r := stories{Expected: len(told), Missed: []string{}, False: []string{}}
	found := map[string]bool{}
	for _, uid := range slices.Sorted(maps.Keys(findings)) {
		f := findings[uid]
		i := slices.IndexFunc(told, func(s simulator.Story) bool { return tells(&s, f) })
		if i < 0 {
			r.False = append(r.False, f.Title)
			continue
		}
		found[told[i].ID] = true
	}
	for i := range told {
		if !found[told[i].ID] {
			r.Missed = append(r.Missed, told[i].ID)
		}
	}
	r.Found = len(found)
	return r
}

// tells says that f is the finding that the story should become: the same
// entity, destination, analytic and verdict.
func tells(s *simulator.Story, f *event.Finding) bool {
	return f.Analytic.UID == s.Analytic && entityOf(s, f) && destinationOf(s, f) &&
		f.Justification.Verdict.String() == s.Verdict && f.Justification.Reason.String() == s.Reason
}

func entityOf(s *simulator.Story, f *event.Finding) bool {
	switch {
	case s.InstanceUUID != "":
		return strings.HasSuffix(f.Entity, "/"+s.InstanceUUID)
	case s.Host != "":
		return strings.EqualFold(f.Entity, "host:"+s.Host)
	}
	return f.Entity == "addr:"+s.Address.String()
}

func destinationOf(s *simulator.Story, f *event.Finding) bool {
	switch {
	case s.Destination.IsValid():
		return f.Dst.IP == s.Destination
	case s.Name != "":
		return strings.Contains(f.URL, s.Name)
	}
	return true
}
