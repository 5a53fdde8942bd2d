package risk

import (
	"errors"
	"fmt"
	"time"
)

// Options say when the findings of one entity together are an incident. The
// members have their keys' names.
type Options struct {
	// Threshold is the sum from which on they are; 0: never. A finding of high
	// severity counts 60 to 75.
	Threshold int `mapstructure:"threshold"`
	// HalfLife is how long after it was last seen a finding counts half.
	HalfLife time.Duration `mapstructure:"half_life"`
}

// Bounds of the options.
const (
	maxThreshold = 10_000
	minHalfLife  = time.Minute
	maxHalfLife  = 90 * 24 * time.Hour
)

// Validate names the key and the value of all that is wrong.
func (o *Options) Validate() error {
	var errs []error
	if o.Threshold < 0 || o.Threshold > maxThreshold {
		errs = append(errs, fmt.Errorf("risk.threshold: %d: must be 0 (no incidents) to %d", o.Threshold, maxThreshold))
	}
	if o.HalfLife < minHalfLife || o.HalfLife > maxHalfLife {
		errs = append(errs, fmt.Errorf("risk.half_life: %v: must be %v to %v", o.HalfLife, minHalfLife, maxHalfLife))
	}
	return errors.Join(errs...)
}
