package behavior

// Unusual is what stands out of a connection, by those that came before it.
type Unusual struct {
	Beacon   bool // its pair is as regular as a clock
	Volume   bool // its pair sent more than DataTransferThreshold within TimeWindow
	Frequent bool // its pair has more beats a day than RequestFrequency
	OffHours bool // nearly all of its pair is outside the business hours
}

const dayMillis = 24 * 3600e3

// Unusual is that of the event which Detect was last given; zero where it is
// none that is followed.
func (d *Detector) Unusual() (u Unusual) {
	if !d.followed {
		return u
	}
	o := &d.now
	u.Volume = d.over(o.pairSent)
	if p := o.pair; p != nil {
		u.Beacon = p.flags&flagBeacon != 0
		u.OffHours = mostlyOff(p)
		u.Frequent = d.policy.frequency > 0 && int64(p.beats)*dayMillis > int64(d.policy.frequency)*max(dayMillis, p.seen-p.first)
	}
	return u
}
