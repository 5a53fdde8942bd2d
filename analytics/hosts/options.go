package hosts

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// Options of the watch. The members have their keys' names. As an Observation
// they put themselves in force.
type Options struct {
	// Watch: make findings. Without it, states are kept all the same.
	Watch bool `mapstructure:"watch"`
	// Learn is how long a machine is listened to before it can be called
	// silent.
	Learn time.Duration `mapstructure:"learn"`
	// Shortest is the shortest silence that is ever a finding.
	Shortest time.Duration `mapstructure:"shortest"`
	// Never is how long a connected host of the inventory may be without a
	// first line until its state says so.
	Never time.Duration `mapstructure:"never"`
	// Reboot is how long a machine that said it reboots or shuts down is
	// excused.
	Reboot time.Duration `mapstructure:"reboot"`
	// Loss is how many lost messages in an hour, by the machine's own reports,
	// are a finding; 0: none is.
	Loss int64 `mapstructure:"loss"`
	// Ignore are names of machines that are not watched: globs, in any case.
	Ignore []string `mapstructure:"ignore"`
}

// Bounds of the durations.
const (
	minLearn, maxLearn       = time.Hour, 30 * 24 * time.Hour
	minShortest, maxShortest = 10 * time.Second, 24 * time.Hour
	maxNever                 = 7 * 24 * time.Hour
	maxReboot                = 24 * time.Hour
)

// Validate names the key and the value of all that is wrong.
func (o *Options) Validate() error {
	var errs []error
	for _, d := range []struct {
		key          string
		is, min, max time.Duration
	}{
		{"learn", o.Learn, minLearn, maxLearn},
		{"shortest", o.Shortest, minShortest, maxShortest},
		{"never", o.Never, time.Minute, maxNever},
		{"reboot", o.Reboot, 0, maxReboot},
	} {
		if d.is < d.min || d.is > d.max {
			errs = append(errs, fmt.Errorf("hosts.%s: %v: must be %v to %v", d.key, d.is, d.min, d.max))
		}
	}
	if o.Loss < 0 {
		errs = append(errs, fmt.Errorf("hosts.loss: %d: must not be negative", o.Loss))
	}
	for _, p := range o.Ignore {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			errs = append(errs, fmt.Errorf("hosts.ignore: %q: is no pattern of a name (want esx99.example.com, or lab-*)", p))
		}
	}
	return errors.Join(errs...)
}

// ignores says that a machine of that name is not watched.
func (o *Options) ignores(name string) bool {
	for _, p := range o.Ignore {
		if ok, _ := path.Match(strings.ToLower(p), strings.ToLower(name)); ok {
			return true
		}
	}
	return false
}
