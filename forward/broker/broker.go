// Package broker is the nats-server that lives inside vegress: how it is set
// up, who may talk to it, the lock on its directory, and its recovery from a
// full disk. It knows no stream and no event; that is package forward.
//
// A stream that could not be written to (a full disk) stays refused by
// nats-server until it is opened anew, without an answer to publishers. The
// broker sees it within Options.CheckEvery, reports it by Health, and starts
// the server again once there is room. Connections made by InProcessConn
// break at that moment and find the new server when they reconnect.
package broker

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	readyWithin   = 30 * time.Second // a large store takes a while to open
	maxPayload    = 1 << 20
	maxMemory     = 64 << 20
	maxClients    = 4096
	defaultChecks = 5 * time.Second
	// minFree is the room below which the disk counts as full: a server with a
	// write error is not started again, and one without is warned of.
	minFree = 64 << 20
)

// Server is a running embedded server. Its methods are safe for concurrent
// use.
type Server struct {
	opts     Options
	internal string // password of the process's own user
	template server.Options
	lock     *os.File
	log      *slog.Logger
	minFree  int64

	mu       sync.Mutex
	ns       *server.Server // nil after Stop
	restarts int64

	stop func()
	wg   sync.WaitGroup
}

// Start locks the store directory, which it makes when it is missing, and
// starts a server that is ready for connections when Start returns. Stop ends
// it.
func Start(o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.CheckEvery <= 0 {
		o.CheckEvery = defaultChecks
	}
	s := &Server{opts: o, internal: rand.Text(), log: o.Logger.With("component", "broker"), minFree: minFree}
	if err := s.open(); err != nil {
		return nil, err
	}
	quit := make(chan struct{})
	s.stop = sync.OnceFunc(func() { close(quit) })
	s.wg.Go(func() { s.watch(quit) })
	return s, nil
}

func (s *Server) open() error {
	template, err := s.serverOptions()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.opts.StoreDir, 0o700); err != nil {
		return fmt.Errorf("make the store directory: %w", err)
	}
	if s.lock, err = lock(s.opts.StoreDir); err != nil {
		return err
	}
	s.template = template
	if s.template.JetStreamMaxStore, err = s.maxStore(); err == nil {
		err = s.run()
	}
	if err != nil {
		s.lock.Close()
		return err
	}
	return nil
}

func (s *Server) serverOptions() (server.Options, error) {
	o := server.Options{
		ServerName:             s.opts.ServerName,
		DontListen:             s.opts.Listen == "",
		Host:                   "127.0.0.1", // nats-server's own default is every address
		NoSigs:                 true,
		JetStream:              true,
		DisableJetStreamBanner: true,
		StoreDir:               s.opts.StoreDir,
		JetStreamMaxMemory:     maxMemory,
		SyncInterval:           time.Second, // the default of two minutes loses that much with the power
		SyncAlways:             s.opts.Durability == Strict,
		MaxPayload:             maxPayload,
		MaxConn:                maxClients,
	}
	if o.ServerName == "" {
		o.ServerName = "vegress"
	}
	if err := s.setListener(&o); err != nil {
		return o, err
	}
	return o, s.setUsers(&o)
}

func (s *Server) setListener(o *server.Options) (err error) {
	if s.opts.Listen == "" {
		return nil
	}
	if o.Host, o.Port, err = splitListen(s.opts.Listen); err != nil {
		return err
	}
	if o.Host == "" {
		o.Host = "0.0.0.0"
	}
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	if o.TLSConfig, err = s.opts.TLS.config(); err != nil {
		return err
	}
	o.TLS = o.TLSConfig != nil
	o.TLSVerify = s.opts.TLS.ClientCAFile != ""
	o.TLSTimeout = 5
	return nil
}

func (s *Server) setUsers(o *server.Options) error {
	var users []User
	if s.opts.UsersFile != "" {
		var err error
		if users, err = readUsers(s.opts.UsersFile); err != nil {
			return err
		}
	}
	o.Users, o.NoAuthUser = accounts(users, s.internal)
	return nil
}

// run starts a nats-server. s.mu is held, or nobody else has s yet.
func (s *Server) run() error {
	o := s.template
	ns, err := server.NewServer(&o)
	if err != nil {
		return fmt.Errorf("set up the embedded NATS server: %w", err)
	}
	failed := &firstFatal{logger: logger{s.log}}
	ns.SetLoggerV2(failed, false, false, false)
	ns.Start()
	if !failed.ready(ns) {
		shutdown(ns)
		return fmt.Errorf("start the embedded NATS server on %q with store %q: %w", s.opts.Listen, s.opts.StoreDir, failed.error())
	}
	if a, ok := ns.Addr().(*net.TCPAddr); ok {
		s.template.Port = a.Port // a server started again is where clients look for it
	}
	s.ns = ns
	return nil
}

// firstFatal keeps the reason that nats-server gives for not starting: it
// logs it and returns nothing.
type firstFatal struct {
	logger
	mu     sync.Mutex
	reason string
}

// Fatalf keeps the first reason.
func (f *firstFatal) Fatalf(format string, v ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reason == "" {
		f.reason = fmt.Sprintf(format, v...)
	}
}

// ready waits until ns takes connections, or has given up.
func (f *firstFatal) ready(ns *server.Server) bool {
	for deadline := time.Now().Add(readyWithin); time.Now().Before(deadline); {
		if ns.ReadyForConnections(20 * time.Millisecond) {
			return ns.JetStreamEnabled()
		}
		if f.fatal() != "" {
			return false
		}
	}
	return false
}

func (f *firstFatal) fatal() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reason
}

func (f *firstFatal) error() error {
	if reason := f.fatal(); reason != "" {
		return errors.New(reason)
	}
	return fmt.Errorf("not ready after %s", readyWithin)
}

// ErrStopped is what the server answers after Stop.
var ErrStopped = errors.New("the embedded NATS server is stopped")

func (s *Server) current() (*server.Server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ns == nil {
		return nil, ErrStopped
	}
	return s.ns, nil
}

// InProcessConn connects to the server that runs now; it is what
// nats.InProcessServer asks for.
func (s *Server) InProcessConn() (net.Conn, error) {
	ns, err := s.current()
	if err != nil {
		return nil, err
	}
	return ns.InProcessConn()
}

// Credentials are those of the process itself, which may do everything. They
// are new with each Start and are nowhere written down.
func (s *Server) Credentials() (user, password string) { return internalUser, s.internal }

// ClientURL is where clients connect; empty when there is no listener.
func (s *Server) ClientURL() string {
	ns, err := s.current()
	if err != nil || s.opts.Listen == "" {
		return ""
	}
	return ns.ClientURL()
}

// Stop closes every connection, writes out what the server holds and unlocks
// the directory. Messages that were acknowledged are in the store. It may be
// called more than once.
func (s *Server) Stop() {
	s.stop()
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ns == nil {
		return
	}
	shutdown(s.ns)
	s.ns = nil
	s.lock.Close()
}

func shutdown(ns *server.Server) {
	ns.Shutdown()
	ns.WaitForShutdown()
}
