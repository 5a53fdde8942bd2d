package inventory

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/vegress/vegress/vsphere/session"
)

// VCenter is one vCenter to keep a copy of.
type VCenter struct {
	session.Options `mapstructure:",squash"`
	// TagPoll is how often tags are read; they have no change notification.
	// 10 s to 1 h; 0: 2 minutes.
	TagPoll time.Duration `mapstructure:"tag_poll"`
}

const defaultTagPoll = 2 * time.Minute

// Validate reports the first option that cannot work, by key and value.
func (v *VCenter) Validate() error {
	if err := v.Options.Validate(); err != nil {
		return err
	}
	if v.TagPoll != 0 && (v.TagPoll < 10*time.Second || v.TagPoll > time.Hour) {
		return fmt.Errorf("tag_poll %s of vcenter %q: want 10s to 1h", v.TagPoll, v.Name)
	}
	return nil
}

// host is the host name or address in the vCenter's URL.
func (v *VCenter) host() string {
	u, err := url.Parse(v.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Options says what an Inventory is made of.
type Options struct {
	VCenters []VCenter
	Roles    []Role

	// SnapshotFile is where the inventory is kept for the next start; empty:
	// nowhere. It is written at most each SnapshotEvery (0: 5 minutes), when
	// something changed, and when Run ends.
	SnapshotFile  string
	SnapshotEvery time.Duration

	// Retention is how long ended claims (deleted VMs, addresses that moved)
	// are kept for logs that arrive late; 0: 6 hours.
	Retention time.Duration

	// AllTags reads every tag (at most 10,000 to a vCenter), not only those
	// that a role names: for a copy that other roles will be asked of.
	AllTags bool

	UserAgent string       // "vegress/1.2.3", in vCenter's list of sessions
	Logger    *slog.Logger // nil: no log
}

// Defaults of Options.
const (
	defaultSnapshotEvery = 5 * time.Minute
	defaultRetention     = 6 * time.Hour
)

// Validate reports the first option that cannot work, by key and value.
func (o *Options) Validate() error {
	seen := map[string]bool{}
	for i := range o.VCenters {
		v := &o.VCenters[i]
		if err := v.Validate(); err != nil {
			return err
		}
		if seen[v.Name] {
			return fmt.Errorf("name %q of a vcenter is used twice", v.Name)
		}
		seen[v.Name] = true
	}
	for i := range o.Roles {
		if err := o.Roles[i].Validate(); err != nil {
			return err
		}
	}
	if o.SnapshotEvery < 0 || o.Retention < 0 {
		return errors.New("snapshot interval and retention of the inventory must not be negative")
	}
	return nil
}

// withDefaults fills in what is zero.
func (o Options) withDefaults() Options {
	if o.SnapshotEvery == 0 {
		o.SnapshotEvery = defaultSnapshotEvery
	}
	if o.Retention == 0 {
		o.Retention = defaultRetention
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Logger = o.Logger.With("component", "inventory")
	vcs := make([]VCenter, len(o.VCenters))
	for i, v := range o.VCenters {
		if v.TagPoll == 0 {
			v.TagPoll = defaultTagPoll
		}
		v.UserAgent = o.UserAgent
		vcs[i] = v
	}
	o.VCenters = vcs
	return o
}
