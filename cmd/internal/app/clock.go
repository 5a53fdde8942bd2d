package app

import "time"

// clock turns the wall's time into the time that events live in. They are the
// same but in a demo, where hours pass in seconds. The zero clock is the
// wall's.
type clock struct {
	of func(wall time.Time) time.Time
}

// at is the events' time at that moment of the wall's.
func (c clock) at(wall time.Time) time.Time {
	if c.of == nil {
		return wall
	}
	return c.of(wall)
}
