package broker_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/vegress/vegress/forward/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, o broker.Options) *broker.Server {
	t.Helper()
	if o.StoreDir == "" {
		o.StoreDir = t.TempDir()
	}
	s, err := broker.Start(o)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(s.Stop)
	return s
}

// internal connects as the process itself does.
func internal(t *testing.T, s *broker.Server) *nats.Conn {
	t.Helper()
	user, password := s.Credentials()
	nc, err := nats.Connect("", nats.InProcessServer(s), nats.UserInfo(user, password),
		nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatalf("connect in process: %v", err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func stream(t *testing.T, nc *nats.Conn, name string, subjects ...string) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: subjects}); err != nil {
		t.Fatalf("make stream: %v", err)
	}
	return js
}

func poll(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		if f() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

func TestValidate(t *testing.T) {
	tls := broker.TLS{CertFile: "c", KeyFile: "k"}
	tests := []struct {
		name string
		o    broker.Options
		want string // part of the error; empty: valid
	}{
		{"nothing set", broker.Options{}, ""},
		{"loopback", broker.Options{Listen: "127.0.0.1:4222"}, ""},
		{"loopback 6", broker.Options{Listen: "[::1]:4222", Durability: "strict"}, ""},
		{"loopback name", broker.Options{Listen: "localhost:4222"}, ""},
		{"all addresses", broker.Options{Listen: ":4222"}, `forward.listen is ":4222"`},
		{"no TLS", broker.Options{Listen: "192.0.2.1:4222", UsersFile: "u"}, "cert_file"},
		{"no users", broker.Options{Listen: "192.0.2.1:4222", TLS: tls}, "users_file"},
		{"open, with both", broker.Options{Listen: "0.0.0.0:4222", TLS: tls, UsersFile: "u"}, ""},
		{"half a certificate", broker.Options{TLS: broker.TLS{CertFile: "c"}}, `key_file is ""`},
		{"client CA alone", broker.Options{TLS: broker.TLS{ClientCAFile: "ca"}}, "client_ca_file"},
		{"durability", broker.Options{Durability: "async"}, `forward.durability is "async"`},
		{"no port", broker.Options{Listen: "127.0.0.1"}, "host:port"},
		{"bad port", broker.Options{Listen: "127.0.0.1:70000"}, "port"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.o.Validate()
			if tt.want == "" && err != nil {
				t.Errorf("got %v, want valid", err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestInProcessOnly(t *testing.T) {
	s := start(t, broker.Options{})
	if got := s.ClientURL(); got != "" {
		t.Errorf("ClientURL: got %q, want none", got)
	}
	nc := internal(t, s)
	js := stream(t, nc, "S", "s.>")
	if _, err := js.Publish(t.Context(), "s.1", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.Health(); err != nil {
		t.Errorf("Health: %v", err)
	}
	if err := s.SyncStore(); err != nil {
		t.Errorf("SyncStore: %v", err)
	}
	if room, err := s.Room(); err != nil || room <= 0 {
		t.Errorf("Room: %d, %v", room, err)
	}
	st := s.Stats()
	if st.Free <= 0 || st.Used <= 0 || st.Connections != 1 {
		t.Errorf("Stats: %+v", st)
	}
}

func TestStoreSurvivesStop(t *testing.T) {
	for _, durability := range []string{broker.Balanced, broker.Strict} {
		t.Run(durability, func(t *testing.T) {
			dir := t.TempDir()
			s := start(t, broker.Options{StoreDir: dir, Durability: durability})
			js := stream(t, internal(t, s), "S", "s.>")
			if _, err := js.Publish(t.Context(), "s.1", []byte("kept")); err != nil {
				t.Fatal(err)
			}
			s.Stop()
			s.Stop()
			if err := s.Health(); !errors.Is(err, broker.ErrStopped) {
				t.Errorf("Health after Stop: %v", err)
			}
			s = start(t, broker.Options{StoreDir: dir, Durability: durability})
			js, _ = jetstream.New(internal(t, s))
			st, err := js.Stream(t.Context(), "S")
			if err != nil {
				t.Fatal(err)
			}
			if m, err := st.GetMsg(t.Context(), 1); err != nil || string(m.Data) != "kept" {
				t.Errorf("got %v, %v", m, err)
			}
		})
	}
}

func TestSecondServerIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := start(t, broker.Options{StoreDir: dir})
	_, err := broker.Start(broker.Options{StoreDir: dir})
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "data_dir") {
		t.Errorf("got %v, want an error that names %q and data_dir", err, dir)
	}
	s.Stop()
	start(t, broker.Options{StoreDir: dir})
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = broker.Start(broker.Options{StoreDir: t.TempDir(), Listen: l.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("got %v", err)
	}
}

const usersFile = `{"users": [
  {"name": "soc",    "role": "consumer", "password": "$2y$04$bmIB6qSMlqD7VmDrBIRMFe3vI5ZLYm18O6ysR9a4ZHaSsiAEE/CtS"},
  {"name": "agent",  "role": "ingest",   "password": "agent-pw"},
  {"name": "root",   "role": "admin",    "password": "root-pw"}
]}`

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// dial connects over TCP; violations collects what the server refuses.
func dial(t *testing.T, s *broker.Server, violations chan<- error, opts ...nats.Option) (*nats.Conn, error) {
	t.Helper()
	opts = append(opts, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		select {
		case violations <- err:
		default:
		}
	}))
	nc, err := nats.Connect(s.ClientURL(), opts...)
	if err == nil {
		t.Cleanup(nc.Close)
	}
	return nc, err
}

// refused says that the server refuses what f asks for.
func refused(t *testing.T, nc *nats.Conn, violations <-chan error, f func() error) bool {
	t.Helper()
	for len(violations) > 0 {
		<-violations
	}
	if err := f(); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil { // errors come before the answer to a ping
		t.Fatal(err)
	}
	select {
	case err := <-violations:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Fatalf("got %v", err)
		}
		return true
	case <-time.After(50 * time.Millisecond):
		return false
	}
}

func TestRoles(t *testing.T) {
	s := start(t, broker.Options{Listen: "127.0.0.1:0", UsersFile: writeFile(t, usersFile)})
	js := stream(t, internal(t, s), "VEGRESS_EVENTS", "vegress.events.>")
	stream(t, internal(t, s), "VEGRESS_INGEST", "vegress.ingest.>")
	if _, err := js.Publish(t.Context(), "vegress.events.x", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, s, nil); err == nil {
		t.Error("a client without credentials may connect")
	}
	if _, err := dial(t, s, nil, nats.UserInfo("agent", "wrong")); err == nil {
		t.Error("a client with a wrong password may connect")
	}
	tests := []struct {
		user, password, subject string
		subscribe               bool
		refused                 bool
	}{
		{"soc", "s3cret", "vegress.events.>", true, false},
		{"soc", "s3cret", "vegress.findings.high.>", true, false},
		{"soc", "s3cret", "_INBOX.>", true, false},
		{"soc", "s3cret", "vegress.>", true, true}, // would read what is sent in
		{"soc", "s3cret", "vegress.events.x", false, true},
		{"soc", "s3cret", "vegress.ingest.x.y", false, true},
		{"soc", "s3cret", "$JS.API.STREAM.DELETE.VEGRESS_EVENTS", false, true},
		{"soc", "s3cret", "$JS.API.CONSUMER.CREATE.VEGRESS_INGEST", false, true},
		{"agent", "agent-pw", "vegress.ingest.x.y", false, false},
		{"agent", "agent-pw", "vegress.events.x", false, true},
		{"agent", "agent-pw", "vegress.events.>", true, true},
		{"agent", "agent-pw", "_INBOX.>", true, true},
		{"agent", "agent-pw", "_INBOX_agent.>", true, false},
		{"agent", "agent-pw", "$JS.API.STREAM.INFO.VEGRESS_EVENTS", false, true},
		{"root", "root-pw", "vegress.>", true, false},
		{"root", "root-pw", "vegress.events.y", false, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %s %v", tt.user, tt.subject, tt.subscribe), func(t *testing.T) {
			violations := make(chan error, 8)
			nc, err := dial(t, s, violations, nats.UserInfo(tt.user, tt.password))
			if err != nil {
				t.Fatal(err)
			}
			got := refused(t, nc, violations, func() error {
				if tt.subscribe {
					_, err := nc.SubscribeSync(tt.subject)
					return err
				}
				return nc.Publish(tt.subject, []byte("{}"))
			})
			if got != tt.refused {
				t.Errorf("refused: got %v, want %v", got, tt.refused)
			}
		})
	}
}

func TestUsersInYAML(t *testing.T) {
	s := start(t, broker.Options{Listen: "127.0.0.1:0", UsersFile: writeFile(t, `
users:
  - {name: soc, role: consumer, password: plain}
  - name: agent
    role: ingest
    password: "1234"
`)})
	for user, password := range map[string]string{"soc": "plain", "agent": "1234"} {
		if _, err := dial(t, s, nil, nats.UserInfo(user, password)); err != nil {
			t.Errorf("%s: %v", user, err)
		}
	}
}

// A consumer's rights are enough for what a SIEM does.
func TestConsumerReads(t *testing.T) {
	s := start(t, broker.Options{Listen: "127.0.0.1:0", UsersFile: writeFile(t, usersFile)})
	js := stream(t, internal(t, s), "VEGRESS_FINDINGS", "vegress.findings.>")
	if _, err := js.Publish(t.Context(), "vegress.findings.low.a.1", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	nc, err := dial(t, s, nil, nats.UserInfo("soc", "s3cret"))
	if err != nil {
		t.Fatal(err)
	}
	js, _ = jetstream.New(nc)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := js.CreateOrUpdateConsumer(ctx, "VEGRESS_FINDINGS", jetstream.ConsumerConfig{Durable: "soc"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.DoubleAck(ctx); err != nil {
		t.Error(err)
	}
	if err := js.DeleteConsumer(ctx, "VEGRESS_FINDINGS", "soc"); err != nil {
		t.Error(err)
	}
}

func TestLoopbackWithoutUsers(t *testing.T) {
	s := start(t, broker.Options{Listen: "127.0.0.1:0"})
	violations := make(chan error, 8)
	nc, err := dial(t, s, violations)
	if err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string]bool{"vegress.ingest.a.b": false, "vegress.events.x": true, "$JS.API.STREAM.PURGE.VEGRESS_EVENTS": true} {
		if got := refused(t, nc, violations, func() error { return nc.Publish(subject, nil) }); got != want {
			t.Errorf("%s refused: got %v, want %v", subject, got, want)
		}
	}
}

func TestUsersFileErrors(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"empty", `{"users": []}`, "no users"},
		{"no list", "users: topsecret", "line 1"},
		{"no YAML", "users: [", "line 1"},
		{"unknown key", "users:\n- name: a\n  pass: topsecret", "line 3: field pass not found"},
		{"short hash", "users: [{name: a, role: admin, password: $2a$11$abc}]", "60 characters"},
		{"unknown role", `{"users": [{"name": "a", "role": "boss", "password": "topsecret"}]}`, `role is "boss"`},
		{"no password", `{"users": [{"name": "a", "role": "admin"}]}`, "no password"},
		{"twice", `{"users": [{"name": "a", "role": "admin", "password": "topsecret"}, {"name": "a", "role": "admin", "password": "topsecret"}]}`, "taken"},
		{"reserved", `{"users": [{"name": "vegress-internal", "role": "admin", "password": "topsecret"}]}`, "taken"},
		{"subject as name", `{"users": [{"name": "a.>", "role": "ingest", "password": "topsecret"}]}`, "letters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, tt.content)
			_, err := broker.Start(broker.Options{StoreDir: t.TempDir(), UsersFile: path})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v, want %q and the path", err, tt.want)
			}
			if strings.Contains(err.Error(), "topsecret") {
				t.Errorf("a password is in the error: %v", err)
			}
		})
	}
	_, err := broker.Start(broker.Options{StoreDir: t.TempDir(), UsersFile: "/does/not/exist"})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// authority makes a CA and certificates of it, as files.
type authority struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert = &x509.Certificate{IsCA: true, KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true}
	a.issue("ca", a.cert)
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue writes <name>.pem and <name>.key.
func (a *authority) issue(name string, c *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if a.key == nil {
		a.key = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".pem": {Type: "CERTIFICATE", Bytes: der},
		name + ".key": {Type: "EC PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
}

func TestTLS(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	a.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	tls := broker.TLS{CertFile: a.file("server.pem"), KeyFile: a.file("server.key")}
	users := writeFile(t, usersFile)
	login, ca := nats.UserInfo("soc", "s3cret"), nats.RootCAs(a.file("ca.pem"))

	s := start(t, broker.Options{Listen: "127.0.0.1:0", UsersFile: users, TLS: tls})
	if _, err := dial(t, s, nil, login); err == nil {
		t.Error("a client that does not know the CA is content")
	}
	if _, err := dial(t, s, nil, login, ca); err != nil {
		t.Error(err)
	}
	if nc := internal(t, s); nc.Flush() != nil {
		t.Error("no connection within the process")
	}

	tls.ClientCAFile = a.file("ca.pem")
	s = start(t, broker.Options{Listen: "127.0.0.1:0", UsersFile: users, TLS: tls})
	if _, err := dial(t, s, nil, login, ca); err == nil {
		t.Error("a client without a certificate may connect")
	}
	if _, err := dial(t, s, nil, login, ca, nats.ClientCert(a.file("client.pem"), a.file("client.key"))); err != nil {
		t.Error(err)
	}
}

func TestBadCertificate(t *testing.T) {
	a := newAuthority(t)
	empty := writeFile(t, "")
	for _, tls := range []broker.TLS{
		{CertFile: "/does/not/exist", KeyFile: a.file("ca.key")},
		{CertFile: a.file("ca.pem"), KeyFile: empty},
		{CertFile: a.file("ca.pem"), KeyFile: a.file("ca.key"), ClientCAFile: empty},
	} {
		dir := t.TempDir()
		_, err := broker.Start(broker.Options{StoreDir: dir, Listen: "127.0.0.1:0", TLS: tls})
		if err == nil || !strings.Contains(err.Error(), "forward.tls") {
			t.Errorf("%+v: got %v", tls, err)
		}
	}
}

// The log holds the reason, and no secret, when a server comes up again.
func TestHealsAfterJetStreamWentAway(t *testing.T) {
	var buf safeBuffer
	s := start(t, broker.Options{Listen: "127.0.0.1:0", CheckEvery: 20 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&buf, nil))})
	nc := internal(t, s)
	js := stream(t, nc, "S", "s.>")
	if _, err := js.Publish(t.Context(), "s.1", nil); err != nil {
		t.Fatal(err)
	}
	url := s.ClientURL()
	s.DisableJetStream()
	poll(t, "healing", func() bool { return s.Stats().Restarts == 1 && s.Health() == nil })
	if got := s.ClientURL(); got != url {
		t.Errorf("started again at %s, was at %s", got, url)
	}
	poll(t, "publishing again", func() bool {
		_, err := js.Publish(t.Context(), "s.1", nil)
		return err == nil
	})
	_, password := s.Credentials()
	log := buf.String()
	if !strings.Contains(log, "unhealthy") || !strings.Contains(log, "started again") || strings.Contains(log, password) {
		t.Errorf("log: %s", log)
	}
}

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
