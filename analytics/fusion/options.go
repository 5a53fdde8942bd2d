package fusion

import (
	"errors"
	"fmt"
	"time"
)

// Options say how long halves wait, and when a sensor counts as blind. The
// members have their keys' names.
type Options struct {
	// Hold is how far the two records of one connection may be apart, by the
	// events' time; 0: nothing is joined.
	Hold time.Duration `mapstructure:"hold"`
	// BlindFlows is how many connections a sensor must have missed within ten
	// minutes, twice in a row, to be called blind; 0: it never is.
	BlindFlows int `mapstructure:"blind_flows"`
}

// Bounds of the options.
const (
	maxHold  = time.Hour
	maxBlind = 100_000
)

// Validate names the key and the value of all that is wrong.
func (o *Options) Validate() error {
	var errs []error
	if o.Hold < 0 || o.Hold > maxHold {
		errs = append(errs, fmt.Errorf("fusion.hold: %v: must be 0 (off) to %v", o.Hold, maxHold))
	}
	if o.BlindFlows < 0 || o.BlindFlows > maxBlind {
		errs = append(errs, fmt.Errorf("fusion.blind_flows: %d: must be 0 (off) to %d", o.BlindFlows, maxBlind))
	}
	return errors.Join(errs...)
}
