package apiuse

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Options is what a site configures. The members have their keys' names.
type Options struct {
	NewTriple NewTripleOptions `mapstructure:"new_triple"`
	GuestOps  GuestOpsOptions  `mapstructure:"guest_ops"`
	Bulk      BulkOptions      `mapstructure:"bulk"`
}

// NewTripleOptions are about combinations of account, client and address.
type NewTripleOptions struct {
	// Learning is how long a vCenter or host is watched before a combination
	// is called new there; 0: none ever is.
	Learning time.Duration `mapstructure:"learning"`
	// Users whose combinations are never called new: of automation that runs
	// from changing addresses.
	Users []string `mapstructure:"users"`
}

// GuestOpsOptions are about operations inside guests (ExpectedAdminUsers of
// AN0646).
type GuestOpsOptions struct {
	// Users who may: patterns of accounts, with or without a domain.
	Users []string `mapstructure:"users"`
}

// BulkOptions bound what one account may do within Window; 0: no bound.
type BulkOptions struct {
	Window          time.Duration `mapstructure:"window"`
	PowerOff        int           `mapstructure:"power_off"`        // VMs
	RemoveSnapshots int           `mapstructure:"remove_snapshots"` // by others than backup products
	Destroy         int           `mapstructure:"destroy"`          // VMs deleted or unregistered
	Export          int           `mapstructure:"export"`           // VMs
	Users           []string      `mapstructure:"users"`            // who may do all of it
}

// Bounds of the options.
const (
	maxLearning = 90 * 24 * time.Hour
	maxWindow   = 24 * time.Hour
	maxLimit    = 100
)

// Validate names the key and the value of all that is wrong.
func (o *Options) Validate() error {
	var errs []error
	if o.NewTriple.Learning < 0 || o.NewTriple.Learning > maxLearning {
		errs = append(errs, fmt.Errorf("apiuse.new_triple.learning: %v: must be 0 (off) to %v", o.NewTriple.Learning, maxLearning))
	}
	if o.Bulk.Window < time.Minute || o.Bulk.Window > maxWindow {
		errs = append(errs, fmt.Errorf("apiuse.bulk.window: %v: must be 1m to %v", o.Bulk.Window, maxWindow))
	}
	for _, l := range []struct {
		key string
		n   int
	}{{"power_off", o.Bulk.PowerOff}, {"remove_snapshots", o.Bulk.RemoveSnapshots}, {"destroy", o.Bulk.Destroy}, {"export", o.Bulk.Export}} {
		if l.n < 0 || l.n > maxLimit {
			errs = append(errs, fmt.Errorf("apiuse.bulk.%s: %d: must be 0 (off) to %d", l.key, l.n, maxLimit))
		}
	}
	_, err := Compile(*o, nil, 0)
	return errors.Join(append(errs, err)...)
}

// Policy is Options, compiled. It never changes.
type Policy struct {
	learning                  time.Duration
	mayBeNew, mayGuest, mayDo accounts
	window, quiet             time.Duration
	limits                    [kinds]int
	external                  func(netip.Addr) bool
}

// Compile makes a Policy. external says which addresses are outside of the
// estate; nil: none is. quiet is how long a finding stays open.
func Compile(o Options, external func(netip.Addr) bool, quiet time.Duration) (*Policy, error) {
	if external == nil {
		external = func(netip.Addr) bool { return false }
	}
	p := &Policy{learning: o.NewTriple.Learning, window: o.Bulk.Window, quiet: quiet, external: external}
	p.limits[powerOff], p.limits[removeSnapshot] = o.Bulk.PowerOff, o.Bulk.RemoveSnapshots
	p.limits[destroy], p.limits[export] = o.Bulk.Destroy, o.Bulk.Export
	var errs [3]error
	p.mayBeNew, errs[0] = compileAccounts("apiuse.new_triple.users", o.NewTriple.Users)
	p.mayGuest, errs[1] = compileAccounts("apiuse.guest_ops.users", o.GuestOps.Users)
	p.mayDo, errs[2] = compileAccounts("apiuse.bulk.users", o.Bulk.Users)
	return p, errors.Join(errs[:]...)
}
