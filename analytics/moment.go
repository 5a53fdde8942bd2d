package analytics

// Moment is a time on a site's clocks.
type Moment struct {
	Day     int64 // since 1970-01-01
	Hour    int   // 0 to 23
	Workday bool  // the Day has business hours
	Off     bool  // it is outside the business hours, where there are any
}
