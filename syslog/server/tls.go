package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// handshakeTimeout bounds a TLS handshake.
const handshakeTimeout = 10 * time.Second

// recordHandshake is the first byte of a TLS connection (RFC 8446 section
// 5.1), and of no syslog message.
const recordHandshake = 0x16

// load reads the files; nil: TLS is not configured.
func (t TLS) load() (*tls.Config, error) {
	if !t.configured() {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("listen.tls: load certificate %s with key %s: %w", t.CertFile, t.KeyFile, err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	if t.ClientCAFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("listen.tls.client_ca_file: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("listen.tls.client_ca_file: %s: no certificate in PEM form in it", t.ClientCAFile)
	}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	return c, nil
}

// errPlain says that a client does not speak TLS where it must.
var errPlain = errors.New("client does not speak TLS")

// errNoCertificate says that a client speaks TLS to a server without one: what
// it sends would be taken for records.
var errNoCertificate = errors.New("client speaks TLS, and no certificate is configured")

// secure finds out by the first byte whether c speaks TLS, and does the
// handshake. It returns the connection to read from and its transport.
func (s *Server) secure(c net.Conn, p *policy, required bool) (net.Conn, string, error) {
	if err := s.setDeadline(c, min(p.limits.Idle, s.firstRecord)); err != nil {
		return nil, "", err
	}
	var first [1]byte
	if _, err := c.Read(first[:]); err != nil {
		return nil, "", err
	}
	whole := &unread{Conn: c, first: first[:]}
	if first[0] != recordHandshake {
		if required {
			return nil, "", errPlain
		}
		return whole, "tcp", nil
	}
	if p.tls == nil {
		return nil, "", errNoCertificate
	}
	secured := tls.Server(whole, p.tls)
	if err := s.setDeadline(c, handshakeTimeout); err != nil {
		return nil, "", err
	}
	if err := secured.Handshake(); err != nil {
		return nil, "", handshakeError{err}
	}
	return secured, "tls", c.SetDeadline(time.Time{})
}

// setDeadline bounds what is done with c next, by little when the server
// stops.
func (s *Server) setDeadline(c net.Conn, d time.Duration) error {
	now := time.Now()
	err := c.SetDeadline(s.deadline(now, now.Add(d)))
	if err == nil && s.stopping.Load() != nil { // since the line above
		err = c.SetDeadline(now.Add(drainQuiet))
	}
	return err
}

type handshakeError struct{ error }

// Unwrap is what the handshake failed of.
func (e handshakeError) Unwrap() error { return e.error }

// unread is a connection with bytes that were read to look at them.
type unread struct {
	net.Conn
	first []byte
}

// Read gives what was looked at, then what follows.
func (u *unread) Read(b []byte) (int, error) {
	if len(u.first) > 0 {
		n := copy(b, u.first)
		u.first = u.first[n:]
		return n, nil
	}
	return u.Conn.Read(b)
}
