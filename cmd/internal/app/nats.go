package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/forward"
)

// natsFlags say which NATS server a command reads.
type natsFlags struct {
	config string
	server forward.UplinkOptions
	prefix string // of the flags' names
}

func (f *natsFlags) register(cmd *cobra.Command) {
	configFlag(cmd, &f.config)
	f.registerServer(cmd, "")
}

// registerServer is register for a command whose --config is there already.
// What belongs to the server begins with prefix, where another server has
// flags too.
func (f *natsFlags) registerServer(cmd *cobra.Command, prefix string) {
	f.prefix = prefix
	flags := cmd.Flags()
	flags.StringVar(&f.server.URL, "nats", "", "`URL` of the NATS server (default: the configured forward.listen); user:password@ goes before the host")
	flags.StringVar(&f.server.CredentialsFile, prefix+"credentials", "", "NATS credentials `file`")
	flags.StringVar(&f.server.CAFile, prefix+"ca-file", "", "PEM `file` with the certificates to trust at --nats")
	flags.StringVar(&f.server.CertFile, prefix+"cert-file", "", "PEM `file` with the certificate to show a NATS server that asks for one")
	flags.StringVar(&f.server.KeyFile, prefix+"key-file", "", "PEM `file` with the key of that certificate")
}

// dial connects to the server that the flags or the configuration name. When
// the server later says that the user may not read, end is called with that.
func (f *natsFlags) dial(std Streams, end context.CancelCauseFunc) (*nats.Conn, error) {
	if (f.server.CertFile == "") != (f.server.KeyFile == "") {
		return nil, usage(fmt.Errorf("--%[1]scert-file and --%[1]skey-file: want both, or none", f.prefix))
	}
	server, err := f.address()
	if err != nil {
		return nil, usage(err)
	}
	log, _, err := newLogger(std.Err, configs.Log{Level: "warn", Format: "text"})
	if err != nil {
		return nil, err
	}
	to := f.server
	to.URL = server
	nc, err := to.Dial(slog.New(denials{log.Handler(), end}))
	if err != nil {
		return nil, hinted(err)
	}
	return nc, nil
}

// address is the URL to connect to.
func (f *natsFlags) address() (string, error) {
	if f.server.URL != "" {
		return natsURL(f.server.URL)
	}
	config, err := configs.Load(f.config, nil)
	if err != nil {
		return "", err
	}
	return listenURL(config.Forward.Broker.Listen)
}

// natsURL is a list of servers in full. It refuses what is no address of one,
// and shows no password.
func natsURL(servers string) (string, error) {
	list := strings.Split(servers, ",")
	for i, one := range list {
		one = strings.TrimSpace(one)
		if !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		u, err := url.Parse(one)
		if err != nil {
			return "", errors.New("--nats cannot be read as a URL: want nats://host:4222; in a password, / is written as %2F and @ as %40")
		}
		if u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			return "", fmt.Errorf("--nats is %q: want nats://host:4222 or tls://host:4222", forward.Redacted(one))
		}
		list[i] = one
	}
	return strings.Join(list, ","), nil
}

// listenURL is where a client finds the service that is configured so.
func listenURL(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", errors.New("forward.listen is empty: the service takes no clients; name a server with --nats")
	}
	if port == "0" {
		return "", fmt.Errorf("forward.listen is %q: the service takes any free port, which its log says; name it with --nats", listen)
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return "nats://" + net.JoinHostPort(host, port), nil
}

// hinted adds to an error of NATS what can be done about it.
func hinted(err error) error {
	if hint := natsHint(err); hint != "" {
		return fmt.Errorf("%w (%s)", err, hint)
	}
	return err
}

func natsHint(err error) string {
	text := strings.ToLower(err.Error())
	switch {
	case errors.Is(err, nats.ErrNoServers):
		return "nobody listens there: is vegress running? --nats names another address than the configured forward.listen"
	case errors.As(err, new(*net.DNSError)):
		return "is the host name in --nats right?"
	case strings.Contains(text, "authorization violation"):
		return "user and password are those of forward.users_file: --nats nats://NAME:PASSWORD@host:4222"
	case errors.Is(err, nats.ErrSecureConnWanted):
		return "this server speaks no TLS: nats:// instead of tls://"
	case strings.Contains(text, "certificate required"), strings.Contains(text, "closed by remote after tls handshake"):
		// In TLS 1.3 a client learns of the refusal after its handshake, if the
		// connection has not gone by then.
		return "the server wants a certificate of the client (forward.tls.client_ca_file): show one with --cert-file and --key-file"
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "name the CA's certificate with --ca-file"
	case errors.As(err, new(x509.HostnameError)):
		return "name the server in --nats as its certificate does: tls://vegress.example.com:4222"
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return "this NATS server has no stream of vegress: is it the right one?"
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return "this NATS server has no JetStream for this user: is it the right one?"
	}
	return ""
}

// hasStream asks for the stream that o is read from: where there is none, the
// server is another one.
func hasStream(ctx context.Context, nc *nats.Conn, o forward.FollowOptions) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("use JetStream: %w", err)
	}
	name := forward.FindingsStream
	if o.Events {
		name = forward.EventsStream
	}
	if _, err = js.Stream(ctx, name); err != nil {
		return fmt.Errorf("look up stream %s: %w", name, err)
	}
	return nil
}

// hopeless says that trying again will not help.
func hopeless(err error) bool {
	return errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrJetStreamNotEnabled)
}

// denials is the log of a connection to NATS: where the server refuses what
// the command lives by, the command ends.
type denials struct {
	slog.Handler
	end context.CancelCauseFunc
}

// Handle is for package slog.
func (d denials) Handle(ctx context.Context, r slog.Record) error {
	var denied error
	r.Attrs(func(attr slog.Attr) bool {
		if err, ok := attr.Value.Any().(error); ok && errors.Is(err, nats.ErrPermissionViolation) {
			denied = err
		}
		return denied == nil
	})
	if denied == nil {
		return d.Handler.Handle(ctx, r)
	}
	d.end(deniedError{denied})
	return nil
}

// deniedError says that the server refuses what the command lives by.
type deniedError struct{ err error }

// Error names the roles that may read.
func (e deniedError) Error() string {
	return "this user may not read: that needs the role consumer or admin in forward.users_file (" + e.err.Error() + ")"
}

// Unwrap is what the server said.
func (e deniedError) Unwrap() error { return e.err }
