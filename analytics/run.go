package analytics

import "time"

// Run is work that vSphere itself reported: a patch run, a backup run, an
// administrator's visit to a host.
type Run struct {
	Name     string // "patch run", "backup run of Veeam Backup"
	From, To time.Time
	// Records cite the records that opened it, a line each: time, who wrote it,
	// what it said. They are shared: nobody changes them.
	Records []string
}

// Covers says that at lies within r, both ends included; a run without a begin
// covers nothing. It counts in whole seconds, as verdicts do.
func (r *Run) Covers(at time.Time) bool {
	return !r.From.IsZero() && at.Unix() >= r.From.Unix() && at.Unix() <= r.To.Unix()
}
