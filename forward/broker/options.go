package broker

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"
)

// Durability says when what JetStream acknowledged is safe from a loss of
// power. It is always safe from a kill of the process: a message is written
// to its file before it is acknowledged.
const (
	// Balanced syncs files to disk once a second.
	Balanced = "balanced"
	// Strict syncs each message to disk before it is acknowledged.
	Strict = "strict"
)

// Options is how the embedded server is set up. The keys are those below
// forward in the configuration file.
type Options struct {
	// Listen is the address for clients, "host:port"; port 0 takes a free one.
	// Empty: no socket at all, connections within the process only.
	Listen string `mapstructure:"listen"`
	TLS    TLS    `mapstructure:"tls"`
	// UsersFile names the users and their roles (see Role). Without one, every
	// client on a loopback address has the rights of a consumer and of ingest.
	UsersFile string `mapstructure:"users_file"`
	// Durability is Balanced (the default) or Strict.
	Durability string `mapstructure:"durability"`

	// StoreDir holds the streams. One process at a time may use it.
	StoreDir string `mapstructure:"-"`
	// MaxStore bounds what all streams together may reserve, in bytes; zero:
	// the size of the disk.
	MaxStore int64 `mapstructure:"-"`
	// ServerName is what clients see; default "vegress".
	ServerName string `mapstructure:"-"`
	// CheckEvery is the pause between looks at the server's health; default
	// 5 s.
	CheckEvery time.Duration `mapstructure:"-"`
	// Logger takes the server's own log; nil: discarded.
	Logger *slog.Logger `mapstructure:"-"`
}

// TLS names the files of a listener's certificate.
type TLS struct {
	CertFile string `mapstructure:"cert_file"`
	KeyFile  string `mapstructure:"key_file"`
	// ClientCAFile, when set, makes clients present a certificate of one of
	// these authorities.
	ClientCAFile string `mapstructure:"client_ca_file"`
}

func (t TLS) enabled() bool { return t.CertFile != "" || t.KeyFile != "" }

// Validate checks what can be checked without opening anything. Its errors
// name the key and the value.
func (o Options) Validate() error {
	switch o.Durability {
	case "", Balanced, Strict:
	default:
		return fmt.Errorf("forward.durability is %q: must be %s or %s", o.Durability, Balanced, Strict)
	}
	if (o.TLS.CertFile == "") != (o.TLS.KeyFile == "") {
		return fmt.Errorf("forward.tls: cert_file is %q and key_file is %q: set both or none", o.TLS.CertFile, o.TLS.KeyFile)
	}
	if o.TLS.ClientCAFile != "" && !o.TLS.enabled() {
		return fmt.Errorf("forward.tls.client_ca_file is %q without cert_file and key_file", o.TLS.ClientCAFile)
	}
	if o.Listen == "" {
		return nil
	}
	host, _, err := splitListen(o.Listen)
	if err != nil {
		return err
	}
	return o.validateExposure(host)
}

// validateExposure lets an address that others reach pass only with
// encryption and users.
func (o Options) validateExposure(host string) error {
	if isLoopback(host) {
		return nil
	}
	if !o.TLS.enabled() {
		return fmt.Errorf("forward.listen is %q, not a loopback address: needs forward.tls.cert_file and key_file", o.Listen)
	}
	if o.UsersFile == "" {
		return fmt.Errorf("forward.listen is %q, not a loopback address: needs forward.users_file", o.Listen)
	}
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func splitListen(listen string) (host string, port int, err error) {
	host, service, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("forward.listen is %q: must be host:port: %w", listen, err)
	}
	port, err = strconv.Atoi(service)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("forward.listen is %q: the port must be a number from 0 to 65535", listen)
	}
	return host, port, nil
}

// config reads the certificate files; nil when there are none.
func (t TLS) config() (*tls.Config, error) {
	if !t.enabled() {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("forward.tls: load cert_file %q and key_file %q: %w", t.CertFile, t.KeyFile, err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if t.ClientCAFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("forward.tls: read client_ca_file: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("forward.tls.client_ca_file %q holds no PEM certificate", t.ClientCAFile)
	}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	return c, nil
}
