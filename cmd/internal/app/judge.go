package app

import (
	"maps"
	"slices"
	"strings"

	"github.com/vegress/vegress/analytics/risk"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/simulator"
)

// judge holds the findings against the stories that were told, and their signs.
func judge(told []simulator.Story, findings map[string]*event.Finding) stories {
	r := stories{Expected: len(told), Missed: []string{}, False: []string{}}
	found := map[string]bool{}
	for _, uid := range slices.Sorted(maps.Keys(findings)) {
		f := findings[uid]
		id := accounted(told, f)
		if f.Analytic.UID == risk.Analytic && addsUp(told, f, findings) {
			id = "incident"
		}
		if id == "" {
			r.False = append(r.False, f.Title)
		}
		found[id] = true
	}
	for i := range told {
		if found[told[i].ID] {
			r.Found++
		} else {
			r.Missed = append(r.Missed, told[i].ID)
		}
		for _, sign := range told[i].Signs {
			if id := signID(&told[i], sign); !found[id] {
				r.Missed = append(r.Missed, id)
			}
		}
	}
	return r
}

// accounted is the story, or the sign of one, that f tells of; empty: none.
func accounted(told []simulator.Story, f *event.Finding) string {
	for i := range told {
		s := &told[i]
		if tells(s, f) {
			return s.ID
		}
		for _, sign := range s.Signs {
			if f.Analytic.UID == sign.Analytic && entityOf(s, f) {
				return signID(s, sign)
			}
		}
		if f.Analytic.Rule && strings.HasPrefix(s.Analytic, "endpoint.") && entityOf(s, f) {
			return s.ID + ": rules" // what a sensor tells of it, rules find as well
		}
		if strings.HasPrefix(f.Analytic.UID, "behavior.") && about(s, f) {
			return s.ID + ": habits" // which show when a story goes on for long enough
		}
	}
	return ""
}

// addsUp says that an incident is made of findings that are accounted for.
func addsUp(told []simulator.Story, incident *event.Finding, findings map[string]*event.Finding) bool {
	for _, uid := range incident.Related {
		if f := findings[uid]; f == nil || accounted(told, f) == "" {
			return false
		}
	}
	return len(incident.Related) > 1
}

func signID(s *simulator.Story, sign simulator.Sign) string { return s.ID + ": " + sign.Title }

// tells says that f is the finding that the story should become: the same
// entity, destination, analytic and verdict.
func tells(s *simulator.Story, f *event.Finding) bool {
	if f.Analytic.UID != s.Analytic {
		return false
	}
	if strings.HasPrefix(s.Analytic, "endpoint.") { // a query may have begun it, which nobody judges
		return entityOf(s, f) && strings.Contains(f.Title, s.Name)
	}
	return about(s, f)
}

// about says that f is about the entity and the destination of the story, with
// its verdict.
func about(s *simulator.Story, f *event.Finding) bool {
	return entityOf(s, f) && destinationOf(s, f) &&
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
