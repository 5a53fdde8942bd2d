package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// selfSigned is a file with a certificate for a server and a client, which
// vouches for itself, and its key.
func selfSigned(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "both.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))+
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// TestClientCertificate: a server that asks its clients for a certificate is
// read, and copied to, with one.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	pem := selfSigned(t)
	far := start(t, testConfig(t, "", map[string]any{
		"forward.tls.cert_file": pem, "forward.tls.key_file": pem, "forward.tls.client_ca_file": pem,
		"forward.users_file": write(t, "users.yaml", "users: [{name: ops, role: admin, password: s3cret}]\n"),
	}))
	url := strings.Replace(far.broker.ClientURL(), "://", "://ops:s3cret@", 1)
	read := []string{"explain", "0123", "--nats", url, "--ca-file", pem}
	if got := command(t, read...); got.code != exitFailed || !strings.Contains(got.err, "show one with --cert-file and --key-file") {
		t.Errorf("without a certificate: exit code %d: %s", got.code, got.err)
	}
	if got := command(t, append(read, "--cert-file", pem)...); got.code != exitUsage || !strings.Contains(got.err, "key-file") {
		t.Errorf("without its key: exit code %d: %s", got.code, got.err)
	}
	if got := command(t, append(read, "--cert-file", pem, "--key-file", pem)...); !strings.Contains(got.err, "no finding begins with 0123") {
		t.Errorf("with one: exit code %d: %s", got.code, got.err)
	}
	near := start(t, testConfig(t, "", map[string]any{
		"collector": "near", "forward.uplink.url": url, "forward.uplink.ca_file": pem,
		"forward.uplink.cert_file": pem, "forward.uplink.key_file": pem,
	}))
	near.sendLast()
	near.eventually("a copy", func() bool { return near.uplink.Stats().Copied > 0 })
}
