package sigma_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/sigma"
)

// naiveEvent is an event of one group.
type naiveEvent struct {
	at    time.Duration
	kind  int // of the rules, in their order
	value string
}

// naiveHolds weighs the events of one window from the specification's words.
func naiveHolds(typ string, limit int, window []naiveEvent) bool {
	kinds, values := map[int]bool{}, map[string]bool{}
	for _, e := range window {
		kinds[e.kind] = true
		values[strings.ToLower(e.value)] = true
	}
	switch typ {
	case "event_count":
		return len(window) >= limit
	case "value_count":
		return len(values) >= limit
	case "temporal":
		return len(kinds) == 3
	}
	for i := range window {
		for j := i + 1; j < len(window); j++ {
			for k := j + 1; k < len(window); k++ {
				if window[i].kind == 0 && window[j].kind == 1 && window[k].kind == 2 {
					return true
				}
			}
		}
	}
	return false
}

// TestCorrelatesMadeUp: on random streams in order, a correlation holds
// exactly when the events since it last held, within its span, say so.
func TestCorrelatesMadeUp(t *testing.T) {
	const span = 20 * time.Second
	hits := 0
	for seed := range 200 {
		random := rand.New(rand.NewPCG(uint64(seed), 7))
		typ := []string{"event_count", "value_count", "temporal", "temporal_ordered"}[seed%4]
		limit := 2 + random.IntN(4)
		condition := ""
		if seed%4 == 0 {
			condition = fmt.Sprintf("\ncondition: {gte: %d}", limit)
		} else if seed%4 == 1 {
			condition = fmt.Sprintf("\ncondition: {gte: %d, field: User}", limit)
		}
		s := newStream(t, correlation("c", "type: "+typ+"\nrules: [failed_login, successful_login, internal_error]\ngroup-by: [Host]\ntimespan: 20s"+condition), sigma.CorrelatorOptions{})
		groups := map[string][]naiveEvent{}
		now := time.Duration(0)
		var got, want []string
		for i := range 300 {
			now += time.Duration(random.IntN(5)) * time.Second
			e := naiveEvent{at: now, kind: random.IntN(3), value: []string{"a", "A", "b", "c", "d", "e"}[random.IntN(6)]}
			host := []string{"x", "y"}[random.IntN(2)]
			s.at(now, fmt.Sprintf("Kind=%s; Host=%s; User=%s", []string{"failed", "success", "error"}[e.kind], host, e.value))
			if random.IntN(10) == 0 {
				s.tick(now)
			}
			for range s.said {
				got = append(got, fmt.Sprint(i, host))
			}
			s.said = nil
			groups[host] = append(groups[host], e)
			window := slices.DeleteFunc(slices.Clone(groups[host]), func(old naiveEvent) bool { return old.at <= now-span })
			if naiveHolds(typ, limit, window) {
				want = append(want, fmt.Sprint(i, host))
				groups[host] = nil
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d, %s: holds at %v\nwant %v", seed, typ, got, want)
		}
		hits += len(got)
	}
	if hits < 1000 {
		t.Errorf("only %d hits", hits)
	}
}
