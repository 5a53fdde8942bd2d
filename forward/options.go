package forward

import (
	"fmt"
	"log/slog"
	"time"
)

// Compressions of packs.
const (
	CompressNone   = "none"
	CompressSnappy = "snappy"
	CompressZstd   = "zstd"
)

// Bounds of a pack. A pack passes PackBytes only by an event that is longer
// than the one before it, or that is alone in its pack; with one of the longest
// it stays below what a NATS server takes, 1 MiB.
const (
	PackBytes  = 256 << 10
	PackEvents = 2000
	// Linger is how long a pack waits for more events.
	Linger = 200 * time.Millisecond
)

// MaxPartitions bounds Options.Partitions: packing needs events that go to the
// same partition.
const MaxPartitions = 256

// Options is what goes into the embedded server's streams and how. The keys
// are those below forward in the configuration file.
type Options struct {
	// Compression of packs: CompressNone (the default), CompressSnappy (one
	// block, as in Prometheus' remote write) or CompressZstd.
	Compression string `mapstructure:"compression"`
	// Partitions is the number of subjects that entities are spread over: 1
	// for one process, 16 scaled out; fixed for a deployment's life.
	Partitions int   `mapstructure:"partitions"`
	Events     Limit `mapstructure:"events"`
	Findings   Limit `mapstructure:"findings"`

	// Collector is this instance's name in subjects and ids.
	Collector string `mapstructure:"-"`
	// DuplicateWindow is how long the server itself remembers ids; default 2
	// minutes.
	DuplicateWindow time.Duration `mapstructure:"-"`
	// AckTimeout is when a message without an acknowledgement is looked after;
	// default 10 s.
	AckTimeout time.Duration `mapstructure:"-"`
	// WindowMessages and WindowBytes bound what is sent and not acknowledged
	// yet; default 256 and 8 MiB. Above it, Add and Finding block.
	WindowMessages int `mapstructure:"-"`
	WindowBytes    int `mapstructure:"-"`
	// Refusals is how often a message may be refused with "store failed" (a
	// stream that is full and discards new messages) before it is given up;
	// default 10.
	Refusals int `mapstructure:"-"`
	// Logger takes what goes wrong, once a minute; nil: discarded.
	Logger *slog.Logger `mapstructure:"-"`
}

// Limit bounds a stream. Zero is no bound, within what the disk allows.
type Limit struct {
	MaxAge   time.Duration `mapstructure:"max_age"`
	MaxBytes int64         `mapstructure:"max_bytes"`
}

// Validate checks the options. Its errors name the key and the value.
func (o Options) Validate() error {
	switch o.Compression {
	case "", CompressNone, CompressSnappy, CompressZstd:
	default:
		return fmt.Errorf("forward.compression is %q: must be %s, %s or %s", o.Compression, CompressNone, CompressSnappy, CompressZstd)
	}
	if o.Partitions < 0 || o.Partitions > MaxPartitions {
		return fmt.Errorf("forward.partitions is %d: must be from 1 to %d", o.Partitions, MaxPartitions)
	}
	if err := o.Events.validate("events"); err != nil {
		return err
	}
	return o.Findings.validate("findings")
}

// minStream is the smallest stream that keeps a few packs.
const minStream = 1 << 20

func (l Limit) validate(key string) error {
	if l.MaxAge < 0 || l.MaxAge > 0 && l.MaxAge < time.Second {
		return fmt.Errorf("forward.%s.max_age is %s: must be at least 1s, or 0 for no bound", key, l.MaxAge)
	}
	if l.MaxBytes < 0 || l.MaxBytes > 0 && l.MaxBytes < minStream {
		return fmt.Errorf("forward.%s.max_bytes is %d: must be at least 1 MiB, or 0 for what the disk allows", key, l.MaxBytes)
	}
	return nil
}

// withDefaults fills in what is zero.
func (o Options) withDefaults() Options {
	o.Partitions = max(o.Partitions, 1)
	o.DuplicateWindow = orDefault(o.DuplicateWindow, 2*time.Minute)
	o.AckTimeout = orDefault(o.AckTimeout, 10*time.Second)
	o.WindowMessages = orDefault(o.WindowMessages, 256)
	o.WindowBytes = orDefault(o.WindowBytes, 8<<20)
	o.Refusals = orDefault(o.Refusals, 10)
	if o.Collector == "" {
		o.Collector = "vegress"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func orDefault[T ~int | ~int64](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}
