package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/simulator"
)

// openEstate starts a simulated vCenter, or takes the one that was named.
func (s *show) openEstate(ctx context.Context) (*simulator.Estate, error) {
	o := simulator.Options{Seed: s.flags.seed}
	if s.flags.vcenter == "" {
		estate, err := simulator.Start(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("start the simulated vCenter: %w", err)
		}
		return estate, nil
	}
	estate, err := simulator.Attach(ctx, simulator.AttachOptions{
		Options: o, URL: s.flags.vcenter, Username: s.flags.username, Password: s.flags.password, Insecure: true,
	})
	if err != nil {
		return nil, fmt.Errorf("use the vcsim at %s: %w", s.flags.vcenter, err)
	}
	return estate, nil
}

// config is the configuration that the estate's admin would have written,
// with everything on free loopback ports and in the demo's own folder.
func (s *show) config() (configs.Config, error) {
	file := filepath.Join(s.dir, "vegress.yaml")
	if err := os.WriteFile(file, []byte(s.estate.Site.Config()), 0o600); err != nil {
		return configs.Config{}, fmt.Errorf("write the demo's configuration: %w", err)
	}
	vcenter, err := s.vcenter()
	if err != nil {
		return configs.Config{}, err
	}
	cert, err := s.certificate()
	if err != nil {
		return configs.Config{}, fmt.Errorf("make a certificate for the demo: %w", err)
	}
	return configs.Load(file, map[string]any{
		"data_dir":             filepath.Join(s.dir, "data"),
		"collector":            "demo",
		"max_skew":             "24h", // hours pass in seconds, and a busy machine is late
		"listen.syslog":        []string{"udp://127.0.0.1:0", "tcp://127.0.0.1:0"},
		"listen.ipfix":         []string{"udp://127.0.0.1:0"},
		"listen.tls.cert_file": cert,
		"listen.tls.key_file":  cert,
		"listen.http":          "127.0.0.1:0",
		"vcenters":             []any{vcenter},
		"forward.listen":       "127.0.0.1:0",
		"hosts.learn":          "1h",  // one night is all there is
		"hosts.shortest":       "90m", // the lines of a busy machine are late, by the night's clock
		"log.level":            "warn",
	})
}

// vcenter is the entry of the estate's vCenter.
func (s *show) vcenter() (map[string]any, error) {
	file := filepath.Join(s.dir, "vcenter.password")
	if err := os.WriteFile(file, []byte(s.estate.Password()), 0o600); err != nil {
		return nil, fmt.Errorf("write the demo's password file: %w", err)
	}
	thumbprint, err := thumbprintOf(s.estate.URL())
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"name": simulator.VCenterName, "url": s.estate.URL(), "username": s.estate.Username(),
		"password_file": file, "thumbprint": thumbprint, "tag_poll": "10s",
	}, nil
}

// thumbprintOf is the SHA-256 of the certificate that the simulated vCenter
// shows now; the demo trusts what it started, or was pointed at.
func thumbprintOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("read the vCenter's URL: %w", err)
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "443")
	}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", host, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return "", fmt.Errorf("read the certificate of %s: %w", host, err)
	}
	defer conn.Close()
	sum := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:]), nil
}

// certificate writes a certificate for 127.0.0.1, with its key, to one file,
// and makes the senders trust it.
func (s *show) certificate() (file string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.tls = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	s.tls.RootCAs.AppendCertsFromPEM(text)
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	file = filepath.Join(s.dir, "syslog.pem")
	return file, os.WriteFile(file, text, 0o600)
}

// targets are the listeners as senders name them: what takes TCP takes TLS too.
func (s *show) targets() []string {
	all := s.app.listeners()
	for _, l := range all {
		if addr, ok := strings.CutPrefix(l, "tcp://"); ok {
			all = append(all, "tls://"+addr)
		}
	}
	return all
}
