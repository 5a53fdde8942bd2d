package sigma

// Hit is a rule that holds for a record. It is good until the call that
// handed it over returns.
type Hit struct {
	Rule *Rule
	m    *Matcher
}

// Evidence is a field whose value made a search hold.
type Evidence struct {
	Selection string // the search identifier
	Field     string // empty: a keyword
	Value     string // shares the record's memory
}

// maxEvidence bounds the evidence of one hit.
const maxEvidence = 64

// Evidence gives the searches that hold and the values that made them hold,
// each field of a search once. Only what the rule asks to be there counts:
// not what it asks to be absent.
func (h *Hit) Evidence() []Evidence {
	c := &collector{m: h.m}
	c.collect(h.Rule.when, "")
	return c.found
}

// collector walks a rule's logic over the record that its Matcher holds.
type collector struct {
	m     *Matcher
	found []Evidence
}

func (c *collector) collect(e *expr, selection string) {
	if e.selection != "" {
		selection = e.selection
	}
	if e.op == opNot || len(c.found) >= maxEvidence || !c.holds(e) {
		return
	}
	if e.op == opTest {
		c.note(e.test, selection)
		return
	}
	for _, kid := range e.kids {
		c.collect(kid, selection)
	}
}

func (c *collector) note(t *test, selection string) {
	v := c.value(t)
	if v == nil {
		return
	}
	found := Evidence{Selection: selection, Field: t.field, Value: v.raw}
	for _, before := range c.found {
		if before == found {
			return
		}
	}
	c.found = append(c.found, found)
}

func (c *collector) holds(e *expr) bool {
	switch e.op {
	case opTest:
		if e.test.kind == testExists {
			return c.m.has(uint32(c.m.engine.slots[c.m.engine.slotOf[e.test.field]].exists))
		}
		return c.value(e.test) != nil
	case opNot:
		return !c.holds(e.kids[0])
	case opAnd:
		for _, kid := range e.kids {
			if !c.holds(kid) {
				return false
			}
		}
		return true
	}
	for _, kid := range e.kids {
		if c.holds(kid) {
			return true
		}
	}
	return false
}

// value gives the value of the record for which t holds, nil without one.
func (c *collector) value(t *test) *fieldValue {
	slots := c.m.engine.slotOf
	for i := range c.m.values {
		v := &c.m.values[i]
		if (t.field == "" || v.slot == slots[t.field]) && c.m.holds(t, slots[t.other], v) {
			return v
		}
	}
	return nil
}
