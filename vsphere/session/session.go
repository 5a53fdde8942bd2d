package session

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/soap"
)

// logoutTimeout bounds a logout: it must also end when vCenter is away.
const logoutTimeout = 3 * time.Second

// Session is the login to one vCenter. Its methods are safe for concurrent
// use; logins are one at a time.
type Session struct {
	opts Options
	url  *url.URL
	tls  *tls.Config

	mu   sync.Mutex
	vim  *vim25.Client
	rest *rest.Client
}

// New prepares a session. It reads the CA file and looks whether there is a
// password, so that a mistake shows at the start; from the network it reads
// nothing: the login is Connect's.
func New(opts Options) (*Session, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	u, err := opts.endpoint()
	if err != nil {
		return nil, err
	}
	cfg, err := opts.tlsConfig()
	if err != nil {
		return nil, err
	}
	s := &Session{opts: opts, url: u, tls: cfg}
	if _, err := s.user(); err != nil {
		return nil, err
	}
	return s, nil
}

// Connect gives the logged-in SOAP client, after a login when there is none.
// The client belongs to the session: it ends with Drop or Close.
func (s *Session) Connect(ctx context.Context) (*vim25.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.vim != nil {
		return s.vim, nil
	}
	vim, err := s.login(ctx)
	if err != nil {
		return nil, fmt.Errorf("log in to vcenter %q at %s as %q: %w", s.opts.Name, s.url.Host, s.opts.Username, explain(err))
	}
	s.vim = vim
	return vim, nil
}

// login makes a new client. What fails leaves no connection behind.
func (s *Session) login(ctx context.Context) (*vim25.Client, error) {
	user, err := s.user()
	if err != nil {
		return nil, err
	}
	sc := s.soapClient()
	vim, err := vim25.NewClient(ctx, sc)
	if err == nil {
		err = session.NewManager(vim).Login(ctx, user)
	}
	if err != nil {
		sc.CloseIdleConnections()
		return nil, err
	}
	return vim, nil
}

func (s *Session) user() (*url.Userinfo, error) {
	password, err := s.opts.password()
	if err != nil {
		return nil, &passwordError{err}
	}
	return url.UserPassword(s.opts.Username, password), nil
}

// soapClient is a client without a login, with TLS as the options want it.
// The library's own dialer is replaced: it ignores the context, so that a
// vCenter that swallows packets would hold a goroutine for minutes.
func (s *Session) soapClient() *soap.Client {
	u := *s.url
	sc := soap.NewClient(&u, false)
	sc.UserAgent = s.opts.UserAgent
	t := sc.DefaultTransport()
	t.TLSClientConfig = s.tls.Clone()
	t.DialTLSContext = nil
	return sc
}

// errRefused says that the REST endpoint refused the login itself.
var errRefused = errors.New("user name or password refused")

// REST calls do with the logged-in REST client, after a login when there is
// none. A session that has expired is renewed, once, and do called again.
// vCenter drops an idle REST session after minutes; each call renews it, so
// no keepalive is needed.
func (s *Session) REST(ctx context.Context, do func(*rest.Client) error) error {
	for attempt := 0; ; attempt++ {
		rc, err := s.restClient(ctx)
		if err != nil {
			return fmt.Errorf("log in to the REST API of vcenter %q at %s as %q: %w", s.opts.Name, s.url.Host, s.opts.Username, err)
		}
		err = do(rc)
		if err == nil || Classify(err) != Expired || attempt > 0 {
			return err
		}
		s.forgetREST(rc)
	}
}

func (s *Session) restClient(ctx context.Context) (*rest.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rest != nil {
		return s.rest, nil
	}
	if s.vim == nil {
		return nil, errors.New("there is no SOAP session")
	}
	user, err := s.user()
	if err != nil {
		return nil, err
	}
	rc := rest.NewClient(s.vim)
	if err := rc.Login(ctx, user); err != nil {
		if unauthorized(err) {
			return nil, errRefused
		}
		return nil, err
	}
	s.rest = rc
	return rc, nil
}

func (s *Session) forgetREST(rc *rest.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rest == rc {
		s.rest = nil
	}
}

// Drop logs out, as far as vCenter still listens, and forgets both sessions:
// the next Connect starts from nothing. It takes at most a few seconds.
func (s *Session) Drop() {
	s.mu.Lock()
	vim, rc := s.vim, s.rest
	s.vim, s.rest = nil, nil
	s.mu.Unlock()
	if vim == nil {
		return
	}
	// A context of its own: this runs when the caller's has ended.
	ctx, cancel := context.WithTimeout(context.Background(), logoutTimeout)
	defer cancel()
	if rc != nil {
		_ = rc.Logout(ctx) // the session may be gone already; there is nothing to do about it
		rc.CloseIdleConnections()
	}
	_ = session.NewManager(vim).Logout(ctx)
	vim.CloseIdleConnections()
}
