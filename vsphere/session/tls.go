package session

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// tlsConfig trusts what the options say: a pinned certificate, the CAs of a
// file, or else the system's.
func (o *Options) tlsConfig() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.Thumbprint != "" {
		sum, err := parseThumbprint(o.Thumbprint)
		if err != nil {
			return nil, err
		}
		// The pin replaces the chain of trust, it does not add to it: this is
		// what a self-signed certificate needs.
		cfg.InsecureSkipVerify = true
		cfg.VerifyConnection = func(cs tls.ConnectionState) error { return checkPin(sum, cs) }
	}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read ca_file of vcenter %q: %w", o.Name, err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file %q of vcenter %q has no PEM certificate", o.CAFile, o.Name)
		}
	}
	return cfg, nil
}

// pinError says that the server's certificate is not the pinned one.
type pinError struct{ got string }

// Error has the fingerprint of the server's own certificate.
func (e *pinError) Error() string {
	return "the certificate is not the one that thumbprint names; the server's SHA-256 is " + e.got
}

func checkPin(want []byte, cs tls.ConnectionState) error {
	cert := cs.PeerCertificates[0]
	s256, s1 := sha256.Sum256(cert.Raw), sha1.Sum(cert.Raw)
	if bytes.Equal(want, s256[:]) || bytes.Equal(want, s1[:]) {
		return nil
	}
	return &pinError{got: colons(s256[:])}
}

// explainTLS adds to a certificate error what an administrator can do about it.
func explainTLS(err error) error {
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) || unknown.Cert == nil {
		return err
	}
	sum := sha256.Sum256(unknown.Cert.Raw)
	return fmt.Errorf("%w; set ca_file, or, when it is the right one, thumbprint (the certificate's SHA-256 is %s)", err, colons(sum[:]))
}

// colons writes a digest the way vSphere shows it: "AB:CD:...".
func colons(sum []byte) string {
	return strings.TrimSuffix(strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":"), ":")
}
