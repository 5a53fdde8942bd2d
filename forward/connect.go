package forward

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Embedded is the server within this process, as broker.Server is.
type Embedded interface {
	InProcessConn() (net.Conn, error)
	Credentials() (user, password string)
}

// Connect connects to the embedded server, without a socket. The connection
// comes back by itself when the server is started again; it buffers nothing
// meanwhile, since what was not acknowledged is sent again anyway. Its replies
// come on subjects that no other user may read.
func Connect(b Embedded, log *slog.Logger) (*nats.Conn, error) {
	nc, err := nats.Connect("", append(lasting(log),
		nats.Name("vegress"),
		nats.InProcessServer(b),
		nats.UserInfoHandler(b.Credentials),
		nats.CustomInboxPrefix("_VEGRESS."+rand.Text()),
		nats.ReconnectWait(50*time.Millisecond),
	)...)
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded NATS server: %w", err)
	}
	return nc, nil
}

// Dial connects to a server by its URL, which must answer now, as the commands
// that read do. The credentials and CA files may be empty.
func Dial(server, credentialsFile, caFile string, log *slog.Logger) (*nats.Conn, error) {
	return UplinkOptions{URL: server, CredentialsFile: credentialsFile, CAFile: caFile}.Dial(log)
}

// Dial connects to the server, which must answer now.
func (o UplinkOptions) Dial(log *slog.Logger) (*nats.Conn, error) {
	nc, err := nats.Connect(o.URL, o.remote(log)...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", Redacted(o.URL), withoutURL(err))
	}
	return nc, nil
}

// remote are the options of a connection that leaves the machine.
func (o UplinkOptions) remote(log *slog.Logger) []nats.Option {
	opts := append(lasting(log),
		nats.Name("vegress"),
		nats.ReconnectWait(500*time.Millisecond),
		nats.ReconnectJitter(200*time.Millisecond, 500*time.Millisecond),
		nats.Timeout(5*time.Second),
		// A silent peer is noticed after 15 s; nats.go's default is 6 minutes.
		nats.PingInterval(5*time.Second),
		nats.MaxPingsOutstanding(2),
	)
	if o.CredentialsFile != "" {
		opts = append(opts, nats.UserCredentials(o.CredentialsFile))
	}
	if o.CAFile != "" {
		opts = append(opts, nats.RootCAs(o.CAFile))
	}
	if o.CertFile != "" {
		opts = append(opts, nats.ClientCert(o.CertFile, o.KeyFile))
	}
	return opts
}

// lasting are the options of every connection: it never gives up, and what
// could not be sent is not kept behind our back.
func lasting(log *slog.Logger) []nats.Option {
	errs := newConnectionErrors(log)
	return []nats.Option{
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1),
		nats.IgnoreAuthErrorAbort(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { errs.note(err) }),
	}
}

// apiTimeout bounds one request to the JetStream API.
const apiTimeout = 5 * time.Second

func openJetStream(nc *nats.Conn) (jetstream.JetStream, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	return js, nil
}

// Redacted is a list of servers without passwords in it, and without tokens,
// which stand where the user does.
func Redacted(servers string) string {
	list := strings.Split(servers, ",")
	for i, s := range list {
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil {
			list[i] = "(not a URL)"
			continue
		}
		if _, named := u.User.Password(); u.User != nil && !named {
			u.User = url.User("xxxxx")
		}
		list[i] = u.Redacted()
	}
	return strings.Join(list, ",")
}

// withoutURL is err, or what it says of a URL that cannot be read, of which
// any part may be a password.
func withoutURL(err error) error {
	if errors.As(err, new(*url.Error)) {
		return errors.New("the address cannot be read")
	}
	return err
}
