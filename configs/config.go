// Package configs is the configuration of vegress: the options of all rooms
// under one roof, their defaults (default.yaml), and how a file, the
// environment and flags change them. It decides nothing; what a key means is
// said in docs/configuration.md and checked by its room.
package configs

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"

	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/analytics/evidence"
	"github.com/vegress/vegress/analytics/webservice"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/broker"
	"github.com/vegress/vegress/syslog/server"
	"github.com/vegress/vegress/vsphere/inventory"
)

// Config is the whole configuration. The names of its keys are those of the
// YAML file; each part belongs to the room that its type comes from.
type Config struct {
	DataDir   string        `mapstructure:"data_dir"`
	Collector string        `mapstructure:"collector"`
	MaxSkew   time.Duration `mapstructure:"max_skew"`

	Listen Listen        `mapstructure:"listen"`
	Limits server.Limits `mapstructure:"limits"`

	VCenters  []inventory.VCenter `mapstructure:"vcenters"`
	Inventory Inventory           `mapstructure:"inventory"`
	Roles     []inventory.Role    `mapstructure:"roles"`

	Catalogue webservice.Options `mapstructure:"catalogue"`
	Egress    egress.Options     `mapstructure:",squash"`
	Evidence  evidence.Options   `mapstructure:"evidence"`

	Forward Forward `mapstructure:"forward"`
	Log     Log     `mapstructure:"log"`
}

// Listen is where vegress is spoken to.
type Listen struct {
	Syslog server.Options `mapstructure:",squash"`
	IPFIX  []string       `mapstructure:"ipfix"` // sockets for flows: "udp://:4739"
	HTTP   string         `mapstructure:"http"`
}

// Flows is what the server for flows needs: sockets of its own, and the sources
// that may send syslog.
func (l Listen) Flows() server.Options {
	return server.Options{Listen: l.IPFIX, Key: "listen.ipfix", Datagrams: true, AllowedSources: l.Syslog.AllowedSources}
}

// Inventory is what is said of all vCenters together.
type Inventory struct {
	// Wait bounds how long the listeners stay closed at start for the first
	// sync, when no snapshot is there.
	Wait time.Duration `mapstructure:"wait"`
}

// Forward is the embedded server, what goes into it and on from it.
type Forward struct {
	Broker  broker.Options        `mapstructure:",squash"`
	Streams forward.Options       `mapstructure:",squash"`
	Uplink  forward.UplinkOptions `mapstructure:"uplink"`
}

// Log is the service's own log, on standard error.
type Log struct {
	Level  string `mapstructure:"level"`
	Format string `mapstructure:"format"`
}

//go:embed default.yaml
var defaults []byte

// envPrefix opens the environment variable of a key: VEGRESS_FORWARD_LISTEN.
const envPrefix = "VEGRESS"

// Load reads the defaults, then the file (none when its name is empty), the
// environment, and overrides (key -> value, as flags set them), and checks the
// whole. Its errors name the key and the value.
func Load(file string, overrides map[string]any) (Config, error) {
	v, err := read(file, overrides)
	if err != nil {
		return Config{}, err
	}
	return decode(v)
}

// read puts the layers over each other.
func read(file string, overrides map[string]any) (*viper.Viper, error) {
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(defaults)); err != nil {
		return nil, fmt.Errorf("read the built-in defaults: %w", err)
	}
	if file != "" {
		if err := merge(v, file); err != nil {
			return nil, err
		}
	}
	v.SetEnvPrefix(envPrefix)
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AutomaticEnv()
	for key, value := range overrides {
		v.Set(key, value)
	}
	return v, nil
}

func merge(v *viper.Viper, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if err := v.MergeConfig(bytes.NewReader(text)); err != nil {
		return fmt.Errorf("read configuration %s: %w", file, flatten(err))
	}
	return nil
}

func decode(v *viper.Viper) (Config, error) {
	var c Config
	hooks := mapstructure.ComposeDecodeHookFunc(
		durationHook,
		mapstructure.TextUnmarshallerHookFunc(),
		sizeHook,
		listHook,
	)
	if err := v.UnmarshalExact(&c, viper.DecodeHook(hooks)); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", flatten(err))
	}
	if err := c.fill(); err != nil {
		return Config{}, err
	}
	return c, c.Validate()
}

// Validate checks each part with its room. Its errors name the key and the
// value; files are not opened.
func (c *Config) Validate() error {
	known := inventory.Options{VCenters: c.VCenters, Roles: c.Roles}
	checks := []func() error{
		c.validateOwn, c.Listen.Syslog.Validate, c.Listen.Flows().Validate, c.Limits.Validate, known.Validate,
		c.Forward.Broker.Validate, c.Forward.Streams.Validate, c.Forward.Uplink.Validate,
		func() error { _, err := egress.Compile(c.Egress); return err },
		c.Evidence.Validate, c.validateRoles,
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
	}
	return nil
}

// validateRoles refuses a justification for a role that nothing can have: it
// would justify nothing, and say so nowhere.
func (c *Config) validateRoles() error {
	known := []string{"any", "management", "hypervisor", "vcenter"} // built in
	for _, r := range c.Roles {
		known = append(known, r.Name)
	}
	for i, j := range c.Egress.Justifications {
		if !slices.ContainsFunc(known, func(name string) bool { return strings.EqualFold(name, j.Role) }) {
			return fmt.Errorf("justifications[%d] (%q): role is %q: must be one of %s", i, j.Name, j.Role, strings.Join(known, ", "))
		}
	}
	return nil
}

func (c *Config) validateOwn() error {
	if c.MaxSkew < time.Second || c.MaxSkew > 24*time.Hour {
		return fmt.Errorf("max_skew is %s: want 1s to 24h", c.MaxSkew)
	}
	if c.Inventory.Wait < 0 || c.Inventory.Wait > time.Hour {
		return fmt.Errorf("inventory.wait is %s: want 0 to 1h", c.Inventory.Wait)
	}
	if _, err := c.Log.SlogLevel(); err != nil {
		return err
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return fmt.Errorf("log.format is %q: must be text or json", c.Log.Format)
	}
	if c.Listen.HTTP == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(c.Listen.HTTP); err != nil {
		return fmt.Errorf("listen.http is %q: must be host:port: %w", c.Listen.HTTP, err)
	}
	return nil
}

// SlogLevel is Level as log/slog has it.
func (l Log) SlogLevel() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return level, fmt.Errorf("log.level is %q: must be debug, info, warn or error", l.Level)
	}
	return level, nil
}

// flatten puts the decoder's list of faults on one line, in the words of the
// configuration file.
func flatten(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	text = strings.TrimPrefix(text, "decoding failed due to the following error(s): ")
	text = unknownKeys.ReplaceAllStringFunc(text, func(found string) string {
		part := unknownKeys.FindStringSubmatch(found)
		if part[1] != "" {
			part[1] += "."
		}
		return "unknown key " + part[1] + strings.ReplaceAll(part[2], ", ", ", "+part[1])
	})
	return errors.New(text)
}

// unknownKeys is how mapstructure names them: where they stand, and which.
var unknownKeys = regexp.MustCompile(`'([^']*)' has invalid keys: ([^ ,]+(?:, [^ ,]+)*)`)

// fill puts in what depends on the machine.
func (c *Config) fill() error {
	if c.Collector == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("collector is empty and the host has no name: %w", err)
		}
		c.Collector = name
	}
	if c.DataDir != "" {
		return nil
	}
	if c.DataDir = os.Getenv("STATE_DIRECTORY"); c.DataDir != "" {
		return nil
	}
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return fmt.Errorf("data_dir is empty, and so are STATE_DIRECTORY, XDG_STATE_HOME and HOME: %w", err)
		}
		state = filepath.Join(home, ".local", "state")
	}
	c.DataDir = filepath.Join(state, "vegress")
	return nil
}
