// Package configs is the configuration of vegress: the options of all rooms
// under one roof, their defaults (default.yaml), and how a file, the
// environment and flags change them. It decides nothing; what a key means is
// said in docs/configuration.md and checked by its room.
package configs

import (
	"bytes"
	_ "embed"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"

	"github.com/vegress/vegress/analytics/apiuse"
	"github.com/vegress/vegress/analytics/behavior"
	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/analytics/evidence"
	"github.com/vegress/vegress/analytics/fusion"
	"github.com/vegress/vegress/analytics/hosts"
	"github.com/vegress/vegress/analytics/risk"
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/analytics/webservice"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/forward/broker"
	"github.com/vegress/vegress/forward/ingest"
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

	Ingest ingest.Options `mapstructure:"ingest"`

	VCenters  []inventory.VCenter `mapstructure:"vcenters"`
	Inventory Inventory           `mapstructure:"inventory"`
	Roles     []inventory.Role    `mapstructure:"roles"`

	Catalogue webservice.Options `mapstructure:"catalogue"`
	Egress    egress.Options     `mapstructure:",squash"`
	Evidence  evidence.Options   `mapstructure:"evidence"`
	APIUse    apiuse.Options     `mapstructure:"apiuse"`
	Behavior  behavior.Options   `mapstructure:"analytics"`
	Fusion    fusion.Options     `mapstructure:"fusion"`
	Risk      risk.Options       `mapstructure:"risk"`
	Hosts     hosts.Options      `mapstructure:"hosts"`
	Rules     stream.Options     `mapstructure:"rules"`

	Forward Forward `mapstructure:"forward"`
	Log     Log     `mapstructure:"log"`

	from *source // of the values
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
	// LogHosts is how often it is read where hosts send their syslog; 0: not at
	// all.
	LogHosts time.Duration `mapstructure:"log_hosts"`
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
// whole. Its error is Faults, all of them; the Config is then as far as it
// could be read.
func Load(file string, overrides map[string]any) (Config, error) {
	v, from, err := read(file, overrides)
	if err != nil {
		return Config{from: from}, err
	}
	return decode(v, from)
}

// read puts the layers over each other.
func read(file string, overrides map[string]any) (*viper.Viper, *source, error) {
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(defaults)); err != nil {
		return nil, nil, fmt.Errorf("read the built-in defaults: %w", err)
	}
	from, text, err := openSource(file, overrides)
	if err != nil {
		return nil, from, err
	}
	if err := v.MergeConfig(bytes.NewReader(text)); err != nil {
		return nil, from, Faults{syntax(file, err)}
	}
	v.SetEnvPrefix(envPrefix)
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AutomaticEnv()
	for key, value := range overrides {
		v.Set(key, value)
	}
	return v, from, nil
}

func decode(v *viper.Viper, from *source) (Config, error) {
	c := Config{from: from}
	hooks := mapstructure.ComposeDecodeHookFunc(
		durationHook,
		mapstructure.TextUnmarshallerHookFunc(),
		sizeHook,
		listHook,
	)
	all := append(strangers(os.Environ()), from.misplaced()...)
	all = append(all, from.place(misread(v.UnmarshalExact(&c, viper.DecodeHook(hooks)))).without(all)...)
	if err := c.fill(); err != nil {
		all = append(all, faults(err)...)
	}
	if all = append(all, c.validate().without(all)...); len(all) > 0 {
		return c, all
	}
	return c, nil
}

// SlogLevel is Level as log/slog has it.
func (l Log) SlogLevel() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return level, fmt.Errorf("log.level is %q: must be debug, info, warn or error", l.Level)
	}
	return level, nil
}

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
