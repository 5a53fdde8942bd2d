package behavior

// source is what is known of one machine. It is found by the machine's key.
type source struct {
	window window // what it sent to all destinations
	habit  habit

	hour uint32 // since 1970, that fresh counts for
	news uint16 // destinations in it that were not known
	day  uint16 // since 1970, that pairs counts for
	took uint16 // pairs that were taken up on it
}

// Bounds of one machine, so that one that scans, or that others hide behind,
// leaves room for all.
const (
	maxNews = 8192  // in an hour, on probation
	maxTook = 16384 // in a day, that are followed
)

// mayBegin says that one more new destination may go on probation.
func (s *source) mayBegin(at int64) bool {
	if hour := uint32(at / 3600e3); hour > s.hour {
		s.hour, s.news = hour, 0
	}
	if s.news >= maxNews {
		return false
	}
	s.news++
	return true
}

// mayTake says that one more pair may be followed.
func (s *source) mayTake(at int64) bool {
	if day := uint16(at / 86400e3); day > s.day {
		s.day, s.took = day, 0
	}
	if s.took >= maxTook {
		return false
	}
	s.took++
	return true
}
