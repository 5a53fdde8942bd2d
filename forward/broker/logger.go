package broker

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// logger hands nats-server's log lines to slog. Its notices are chatter about
// starting and stopping: debug here.
type logger struct{ log *slog.Logger }

var _ server.Logger = logger{}

// Noticef is Debug here.
func (l logger) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }

// Fatalf is Error here: it ends nothing.
func (l logger) Fatalf(format string, v ...any) { l.log.Error(fmt.Sprintf(format, v...)) }

// Errorf is Error.
func (l logger) Errorf(format string, v ...any) { l.log.Error(fmt.Sprintf(format, v...)) }

// Debugf leaves out what nats-server says in detail.
func (l logger) Debugf(string, ...any) {}

// Tracef leaves out what goes over the wire.
func (l logger) Tracef(string, ...any) {}

// Warnf leaves out the warning about plain text passwords: the only one there
// is belongs to the user that clients without a login become, is random, and
// is told to nobody.
func (l logger) Warnf(format string, v ...any) {
	if !strings.HasPrefix(format, "Plaintext passwords detected") {
		l.log.Warn(fmt.Sprintf(format, v...))
	}
}
