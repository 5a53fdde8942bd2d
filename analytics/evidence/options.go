package evidence

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// Options say which of vSphere's reports count. The members have their keys'
// names.
type Options struct {
	Patch  PatchOptions  `mapstructure:"patch"`
	Backup BackupOptions `mapstructure:"backup"`
}

// PatchOptions are about runs of Update Manager and Lifecycle Manager.
type PatchOptions struct {
	// Max is how long a run is believed to go on after vCenter's last word of
	// it; 0: patch runs justify nothing.
	Max time.Duration `mapstructure:"max"`
}

// BackupOptions are about runs of backup products.
type BackupOptions struct {
	// Max is how long a job is believed to go on after its start, when its end
	// is not reported; 0: backup runs justify nothing.
	Max time.Duration `mapstructure:"max"`
	// Users are the accounts by which backup products work in vCenter, and the
	// names that these give themselves: globs, in any case, without the domain.
	Users []string `mapstructure:"users"`
}

// maxRun bounds every Max: what was reported longer ago says nothing of now.
const maxRun = 7 * 24 * time.Hour

// Validate names the key and the value of all that is wrong.
func (o *Options) Validate() error {
	var errs []error
	for _, m := range []struct {
		key string
		max time.Duration
	}{{"patch", o.Patch.Max}, {"backup", o.Backup.Max}} {
		if m.max < 0 || m.max > maxRun {
			errs = append(errs, fmt.Errorf("evidence.%s.max: %v: must be 0 (off) to %v", m.key, m.max, maxRun))
		}
	}
	for _, p := range o.Backup.Users {
		if _, err := path.Match(p, ""); err != nil || strings.Trim(p, "*") == "" {
			errs = append(errs, fmt.Errorf("evidence.backup.users: %q: is no pattern of a name (want svc-backup, or *veeam*)", p))
		}
	}
	return errors.Join(errs...)
}

// backupUser says that name is one of a backup product.
func (o *Options) backupUser(name string) bool {
	if name == "" {
		return false
	}
	name = strings.ToLower(name)
	for _, p := range o.Backup.Users {
		if ok, _ := path.Match(strings.ToLower(p), name); ok {
			return true
		}
	}
	return false
}
