package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// UplinkOptions names the server or cluster that gets a copy of everything.
type UplinkOptions struct {
	// URL of the server, or several of a cluster with commas between them:
	// "tls://nats1.example.com:4222". Empty: no uplink.
	URL string `mapstructure:"url"`
	// CredentialsFile is a NATS .creds file.
	CredentialsFile string `mapstructure:"credentials_file"`
	// CAFile has the authorities that the server's certificate may be of;
	// empty: the system's.
	CAFile string `mapstructure:"ca_file"`
	// CertFile and KeyFile are what a server gets that asks clients for a
	// certificate; both or none.
	CertFile string `mapstructure:"cert_file"`
	KeyFile  string `mapstructure:"key_file"`
}

// Validate checks the options. Its errors name the key and the value, without
// a password in it.
func (o UplinkOptions) Validate() error {
	if (o.CertFile == "") != (o.KeyFile == "") {
		return fmt.Errorf("forward.uplink: cert_file is %q and key_file is %q: set both or none", o.CertFile, o.KeyFile)
	}
	if o.URL == "" {
		if o.CredentialsFile+o.CAFile+o.CertFile != "" {
			return errors.New("forward.uplink: credentials_file, ca_file or cert_file is set, and url is not")
		}
		return nil
	}
	for s := range strings.SplitSeq(o.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			return fmt.Errorf("forward.uplink.url is %q: must be nats://host:port or tls://host:port", Redacted(o.URL))
		}
	}
	return nil
}

// Uplink copies events, findings and hosts from the embedded server to another
// one: every message once, in the order of its stream, as it is, with its
// headers. The embedded stream is the spool; where the copy stands is kept in
// the bucket vegress_state.
//
// The other server needs streams for vegress.events.> and for
// vegress.findings.> with vegress.hosts.>; where there are none, they are made
// like the embedded ones. Its user needs to subscribe to _INBOX.>, and to
// publish to these subjects, and $JS.API.STREAM.NAMES, .STREAM.INFO,
// .CONSUMER.CREATE, .CONSUMER.MSG.NEXT and .CONSUMER.DELETE of those streams:
// what is there already is read before anything is sent again.
type Uplink struct {
	opts   UplinkOptions
	log    *slog.Logger
	local  *nats.Conn
	copies []*copier
	denied denials

	mu  sync.Mutex
	far *nats.Conn
}

// NewUplink makes an uplink from the embedded server that local is connected
// to. Run does the work.
func NewUplink(u UplinkOptions, o Options, local *nats.Conn) *Uplink {
	o = o.withDefaults()
	o.Refusals = math.MaxInt // the spool keeps what a full stream does not take
	up := &Uplink{opts: u, log: o.Logger.With("component", "uplink"), local: local}
	o.Logger = up.log
	farSizes := streamSizes{events: orUnlimited(o.Events.MaxBytes), findings: orUnlimited(o.Findings.MaxBytes)}
	for _, config := range o.streams(farSizes) {
		if config.Name != IngestStream {
			up.copies = append(up.copies, &copier{
				options: o, local: local, config: config, denied: &up.denied, log: up.log.With("stream", config.Name),
			})
		}
	}
	return up
}

func orUnlimited(bytes int64) int64 {
	if bytes <= 0 {
		return -1 // as JetStream has it
	}
	return bytes
}

// Run copies until ctx ends, and then gives nil. A far server that is away or
// refuses is tried again for ever; only options that cannot work end Run early.
func (u *Uplink) Run(ctx context.Context) error {
	if err := readable(u.opts.CredentialsFile); err != nil {
		return fmt.Errorf("forward.uplink.credentials_file: %w", err)
	}
	errs := newConnectionErrors(u.log)
	far, err := nats.Connect(u.opts.URL, append(u.opts.remote(u.log),
		nats.RetryOnFailedConnect(true),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { u.noteError(errs, err) }),
	)...)
	if err != nil {
		return fmt.Errorf("uplink to %s: %w", Redacted(u.opts.URL), withoutURL(err))
	}
	defer far.Close()
	u.mu.Lock()
	u.far = far
	u.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range u.copies {
		wg.Go(func() { c.run(ctx, far) })
	}
	wg.Wait()
	return nil
}

// noteError logs what the far connection reports of itself. A message that is
// denied is told to whoever waits for its acknowledgement.
func (u *Uplink) noteError(errs *connectionErrors, err error) {
	errs.note(err)
	if subject, denied := u.denied.note(err); subject != "" {
		for _, c := range u.copies {
			c.deny(subject, denied)
		}
	}
}

// readable opens a file to see whether it can be: nats.go does so at each
// attempt to connect, and keeps the error to itself.
func readable(file string) error {
	if file == "" {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	return f.Close()
}

// away is why far is not connected; nil when it is.
func away(far *nats.Conn) error {
	if far.IsConnected() {
		return nil
	}
	return errors.Join(errDisconnected, far.LastError())
}

// UplinkStats is how far the copy is.
type UplinkStats struct {
	Connected bool
	Copied    int64         // messages acknowledged by the far server
	Present   int64         // messages that were there already
	Lost      int64         // messages that the ring removed before they were copied
	Foreign   int64         // messages that vegress did not write, left out
	Refused   int64         // messages that the far server refused for good
	Denied    int64         // messages and requests that the far user has no right to
	Waiting   int64         // messages that are still to be copied
	Oldest    time.Duration // how long ago the oldest of them was stored here
	Resent    int64         // messages sent again
}

// Stats reads the uplink's account.
func (u *Uplink) Stats() UplinkStats {
	var s UplinkStats
	u.mu.Lock()
	s.Connected = u.far != nil && u.far.IsConnected()
	u.mu.Unlock()
	s.Denied = u.denied.total()
	for _, c := range u.copies {
		c.addStats(&s)
	}
	return s
}

// Health is nil when copies flow, else the reason why they do not.
func (u *Uplink) Health() error {
	u.mu.Lock()
	far := u.far
	u.mu.Unlock()
	if far == nil {
		return fmt.Errorf("uplink to %s: not running", Redacted(u.opts.URL))
	}
	errs := []error{away(far)}
	for _, c := range u.copies {
		errs = append(errs, c.trouble())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("uplink to %s: %w", Redacted(u.opts.URL), err)
	}
	return nil
}

// ensureFar finds the far stream for the subjects of want, or makes one.
func ensureFar(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	name, err := js.StreamNameBySubject(ctx, want.Subjects[0])
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		st, err := js.CreateStream(ctx, want)
		if err != nil {
			return nil, fmt.Errorf("no stream takes %s at the far server, and one could not be made: %w", want.Subjects[0], err)
		}
		return st.CachedInfo(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the far stream for %s: %w", want.Subjects[0], err)
	}
	st, err := js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("look up far stream %s: %w", name, err)
	}
	return st.CachedInfo(), nil
}
