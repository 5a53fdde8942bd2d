package simulator_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/vegress/vegress/simulator"
)

// TestUnloggedRule: there is a story that flows tell and no line does, but for
// the question of what its destination is called.
func TestUnloggedRule(t *testing.T) {
	tr := site(t, simulator.Options{}).Traffic()
	is := func(s simulator.Story) bool { return s.ID == "unlogged-rule" }
	told := tr.Flows(simulator.FlowOptions{}).Truth().Stories
	i := slices.IndexFunc(told, is)
	if i < 0 || told[i].Records == 0 || told[i].BytesOut == 0 || slices.ContainsFunc(tr.Truth().Stories, is) {
		t.Fatalf("%d: %+v", i, told)
	}
	for r := range tr.Records() {
		if strings.Contains(r.Line, told[i].Destination.String()+"/") {
			t.Errorf("a line tells of it: %s", r.Line)
		}
	}
}
