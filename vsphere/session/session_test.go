package session_test

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vapi/rest"
	_ "github.com/vmware/govmomi/vapi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
	"go.uber.org/goleak"

	"github.com/vegress/vegress/vsphere/session"
)

const (
	user     = "vegress@vsphere.local"
	password = "s3cret-Passw0rd"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The simulator's own, one for each server that was started.
		goleak.IgnoreTopFunction("github.com/vmware/govmomi/simulator.(*SessionManager).expireSessions"),
	)
}

// start runs a simulated vCenter and gives options that fit it.
func start(t *testing.T) (*simulator.Model, *simulator.Server, session.Options) {
	t.Helper()
	m := simulator.VPX()
	m.Machine = 1
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	m.Service.TLS = new(tls.Config)
	m.Service.RegisterEndpoints = true
	m.Service.Listen = &url.URL{Host: "127.0.0.1:0", User: url.UserPassword(user, password)}
	s := m.Service.NewServer()
	t.Cleanup(func() {
		s.Close()
		m.Remove()
	})
	ca, err := s.CertificateFile()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return m, s, session.Options{
		Name: "vc-1", URL: "https://" + s.URL.Host, Username: user, PasswordFile: file, CAFile: ca, UserAgent: "vegress/test",
	}
}

func connect(t *testing.T, o session.Options) error {
	t.Helper()
	s, err := session.New(o)
	if err != nil {
		return err
	}
	defer s.Drop()
	_, err = s.Connect(context.Background())
	return err
}

func TestConnectTrust(t *testing.T) {
	_, srv, o := start(t)
	raw := srv.Certificate().Raw
	s256, s1 := fmt.Sprintf("%x", sha256.Sum256(raw)), fmt.Sprintf("% X", sha1.Sum(raw))
	tests := []struct {
		name  string
		alter func(*session.Options)
		class session.Class
		want  string // in the error; empty: success
	}{
		{"ca file", func(*session.Options) {}, 0, ""},
		{"sha-256", func(o *session.Options) { o.CAFile, o.Thumbprint = "", s256 }, 0, ""},
		{"sha-1 with colons", func(o *session.Options) { o.CAFile, o.Thumbprint = "", strings.ReplaceAll(s1, " ", ":") }, 0, ""},
		{"other thumbprint", func(o *session.Options) { o.CAFile, o.Thumbprint = "", strings.Repeat("ab", 32) }, session.Denied, strings.ToUpper(s256[:2]) + ":"},
		{"no trust", func(o *session.Options) { o.CAFile = "" }, session.Denied, "thumbprint (the certificate's SHA-256 is "},
		{"password from the environment", func(o *session.Options) { o.PasswordFile = "" }, 0, ""},
		{"no password file", func(o *session.Options) { o.PasswordFile = "/does/not/exist" }, session.Denied, "/does/not/exist"},
		{"wrong user", func(o *session.Options) { o.Username = "nobody" }, session.Denied, "user name or password refused"},
		{"nobody there", func(o *session.Options) { o.URL = "https://127.0.0.1:1/sdk" }, session.Network, "127.0.0.1:1"},
	}
	t.Setenv("VEGRESS_VCENTER_VC_1_PASSWORD", password)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := o
			tt.alter(&o)
			err := connect(t, o)
			if tt.want == "" {
				if err != nil {
					t.Errorf("got error %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || session.Classify(err) != tt.class {
				t.Errorf("got %v (%s), want %q (%s)", err, session.Classify(err), tt.want, tt.class)
			}
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("the password is in the error %q", err)
			}
		})
	}
}

// sessionsOf counts the sessions at the simulator, through one more login.
func sessionsOf(t *testing.T, o session.Options) int {
	t.Helper()
	o.UserAgent = "counter"
	s, err := session.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Drop()
	vim, err := s.Connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var sm mo.SessionManager
	if err := mo.RetrieveProperties(context.Background(), vim, vim.ServiceContent.PropertyCollector, *vim.ServiceContent.SessionManager, &sm); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, us := range sm.SessionList {
		if us.UserAgent == "vegress/test" {
			n++
		}
	}
	return n
}

func TestOneSessionAtATime(t *testing.T) {
	_, _, o := start(t)
	s, err := session.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	clients := make(chan *vim25.Client, 8)
	for range cap(clients) {
		go func() {
			c, err := s.Connect(ctx)
			if err != nil {
				t.Error(err)
			}
			clients <- c
		}()
	}
	first := <-clients
	for range cap(clients) - 1 {
		if c := <-clients; c != first {
			t.Error("a second login was made")
		}
	}
	if n := sessionsOf(t, o); n != 1 {
		t.Errorf("got %d sessions, want 1", n)
	}
	s.Drop()
	s.Drop()
	if n := sessionsOf(t, o); n != 0 {
		t.Errorf("got %d sessions after Drop, want none", n)
	}
	if c, err := s.Connect(ctx); err != nil || c == first {
		t.Errorf("after Drop: got the same client, or error %v", err)
	}
	s.Drop()
}

func TestExpiredIsRecognized(t *testing.T) {
	_, _, o := start(t)
	s, err := session.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Drop()
	ctx := context.Background()
	vim, err := s.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := methods.Logout(ctx, vim, &types.Logout{This: *vim.ServiceContent.SessionManager}); err != nil {
		t.Fatal(err)
	}
	_, err = methods.CreateContainerView(ctx, vim, &types.CreateContainerView{This: *vim.ServiceContent.ViewManager, Container: vim.ServiceContent.RootFolder})
	if session.Classify(fmt.Errorf("wrapped: %w", err)) != session.Expired {
		t.Errorf("got %v (%s), want expired", err, session.Classify(err))
	}
}

func TestRESTSessionIsRenewed(t *testing.T) {
	_, _, o := start(t)
	s, err := session.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Drop()
	ctx := context.Background()
	nothing := func(*rest.Client) error { return nil }
	if err := s.REST(ctx, nothing); err == nil {
		t.Error("REST works without a SOAP session")
	}
	if _, err := s.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	var ids []string
	calls := 0
	err = s.REST(ctx, func(c *rest.Client) error {
		calls++
		ids = append(ids, c.SessionID())
		if calls == 1 {
			if err := c.Logout(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Do(ctx, c.Resource("/com/vmware/cis/tagging/tag").Request(http.MethodGet), &[]string{}); err != nil {
			return fmt.Errorf("list tags: %w", err)
		}
		return nil
	})
	if err != nil || calls != 2 || ids[0] == ids[1] {
		t.Errorf("got %v after %d calls with sessions %q, want success at the second", err, calls, ids)
	}
	broken := errors.New("broken")
	if err := s.REST(ctx, func(*rest.Client) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v, want the call's own error", err)
	}
}

// rights takes the place of the simulator's AuthorizationManager, which grants
// everything to everyone.
type rights struct {
	self       types.ManagedObjectReference
	privileges []string
}

func (r *rights) Reference() types.ManagedObjectReference { return r.self }

func (r *rights) FetchUserPrivilegeOnEntities(req *types.FetchUserPrivilegeOnEntities) soap.HasFault {
	return &methods.FetchUserPrivilegeOnEntitiesBody{Res: &types.FetchUserPrivilegeOnEntitiesResponse{
		Returnval: []types.UserPrivilegeResult{{Entity: req.Entities[0], Privileges: r.privileges}},
	}}
}

func TestPreflight(t *testing.T) {
	m, _, o := start(t)
	s, err := session.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Drop()
	ctx := context.Background()
	missing, err := s.Preflight(ctx)
	if err != nil || len(missing) != 0 {
		t.Errorf("got %v, %v, want nothing missing", missing, err)
	}
	m.Map().Put(&rights{*m.ServiceContent.AuthorizationManager, []string{"System.Anonymous", "System.View"}})
	missing, err = s.Preflight(ctx)
	if err != nil || len(missing) != 1 || missing[0].Privilege != "System.Read" || !strings.Contains(missing[0].Object, "root folder") {
		t.Errorf("got %v, %v, want System.Read on the root folder", missing, err)
	}
}

func TestValidate(t *testing.T) {
	good := session.Options{Name: "vc1", URL: "https://vc1.example.com/sdk", Username: "u"}
	tests := []struct {
		name  string
		alter func(*session.Options)
		want  string // in the error; empty: none
	}{
		{"good", func(*session.Options) {}, ""},
		{"no path", func(o *session.Options) { o.URL = "https://[2001:db8::1]:8443" }, ""},
		{"no name", func(o *session.Options) { o.Name = "" }, "name of a vcenter is empty"},
		{"slash in name", func(o *session.Options) { o.Name = "a/b" }, `"a/b"`},
		{"http", func(o *session.Options) { o.URL = "http://vc1/sdk" }, `"http://vc1/sdk"`},
		{"no url", func(o *session.Options) { o.URL = "" }, "url"},
		{"password in url", func(o *session.Options) { o.URL = "https://u:" + password + "@vc1/sdk" }, "password_file"},
		{"broken url with password", func(o *session.Options) { o.URL = "https://u:" + password + "@vc1:x/sdk" }, "url"},
		{"no user", func(o *session.Options) { o.Username = "" }, "username"},
		{"short thumbprint", func(o *session.Options) { o.Thumbprint = "AB:CD" }, `"AB:CD"`},
		{"both", func(o *session.Options) { o.Thumbprint, o.CAFile = strings.Repeat("0", 64), "x" }, "only one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := good
			tt.alter(&o)
			err := o.Validate()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("the password is in %q", err)
			}
		})
	}
	o := good
	o.CAFile = "/does/not/exist.pem"
	if _, err := session.New(o); err == nil || !strings.Contains(err.Error(), o.CAFile) {
		t.Errorf("got %v, want the CA file's name", err)
	}
}

func TestPasswordEnv(t *testing.T) {
	o := session.Options{Name: "dc.west-1"}
	if got, want := o.PasswordEnv(), "VEGRESS_VCENTER_DC_WEST_1_PASSWORD"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBackoff(t *testing.T) {
	most := session.Backoff{Rand: func() float64 { return 0.999999 }}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if got := most.Next(session.Network).Round(time.Second); got != want*time.Second {
			t.Errorf("got %s, want %s", got, want*time.Second)
		}
	}
	most.Reset()
	if got := most.Next(session.Expired); got != 0 {
		t.Errorf("first expired: got %s, want none", got)
	}
	if got := most.Next(session.Expired); got == 0 {
		t.Error("second expired: got none")
	}
	least := session.Backoff{Rand: func() float64 { return 0 }}
	if got := least.Next(session.Denied); got < 10*time.Minute {
		t.Errorf("denied: got %s, want 10 minutes at least", got)
	}
	var zero session.Backoff
	if got := zero.Next(session.Network); got < 0 || got > time.Second {
		t.Errorf("zero value: got %s", got)
	}
}
