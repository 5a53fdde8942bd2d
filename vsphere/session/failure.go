package session

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vim25/types"
)

// Class says what kind of failure an error is, for what to do next.
type Class uint8

// Classes of failure.
const (
	// Network is a connection refused, broken or timed out, or a server that
	// answers with an HTTP error: try again soon.
	Network Class = iota
	// Expired is a session that vCenter does not know any more: rebuild
	// everything and log in again at once.
	Expired
	// Denied is a login that was refused, or a right or a trusted certificate
	// that is missing. Trying again soon helps nobody and may lock the
	// account.
	Denied
)

// String is the class in one word.
func (c Class) String() string {
	switch c {
	case Expired:
		return "expired"
	case Denied:
		return "denied"
	}
	return "network"
}

// passwordError marks a login that did not happen for want of a password.
type passwordError struct{ err error }

// Error says where a password was looked for.
func (e *passwordError) Error() string { return e.err.Error() }

// Unwrap is why there is none.
func (e *passwordError) Unwrap() error { return e.err }

// Classify tells what kind of failure err is.
func Classify(err error) Class {
	var noPassword *passwordError
	var pin *pinError
	var untrusted *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &noPassword), errors.As(err, &pin), errors.As(err, &untrusted), errors.As(err, &unknown):
		return Denied
	case errors.Is(err, errRefused), fault.Is(err, &types.InvalidLogin{}):
		return Denied
	case fault.Is(err, &types.NotAuthenticated{}), unauthorized(err):
		return Expired // before NoPermission, which NotAuthenticated is a kind of
	case fault.Is(err, &types.NoPermission{}):
		return Denied
	}
	return Network
}

// unauthorized finds a REST answer 401 in what err wraps; the library looks at
// the outermost error only.
func unauthorized(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if rest.IsStatusError(err, http.StatusUnauthorized) {
			return true
		}
	}
	return false
}

// explain says in a login's error what an administrator can do about it.
func explain(err error) error {
	if fault.Is(err, &types.InvalidLogin{}) {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	return explainTLS(err)
}

// Backoff decides how long to wait after failures in a row. Its zero value is
// ready for use; it is not safe for concurrent use.
type Backoff struct {
	// Rand gives a number in [0,1) for the jitter; nil: math/rand/v2.
	Rand func() float64

	failures int
}

// Waits between attempts.
const (
	firstWait  = time.Second
	longest    = time.Minute
	deniedWait = 10 * time.Minute
)

// Next is how long to wait after a failure of class c. Network failures wait
// up to 1 s, 2 s, 4 s ... 60 s, at random below that, so that collectors do
// not come back all at once. A first Expired waits not at all, and the next
// ones as network failures do. Denied waits 10 minutes at least: the time in
// which vCenter's lock-out policy forgets a failed login is of that order.
func (b *Backoff) Next(c Class) time.Duration {
	n := b.failures
	b.failures++
	switch {
	case c == Denied:
		return deniedWait + time.Duration(b.rand()*float64(time.Minute))
	case c == Expired && n == 0:
		return 0
	}
	ceiling := longest
	if n < 6 {
		ceiling = firstWait << n
	}
	return time.Duration(b.rand() * float64(ceiling))
}

// Reset forgets the failures: what was tried has worked.
func (b *Backoff) Reset() { b.failures = 0 }

func (b *Backoff) rand() float64 {
	if b.Rand != nil {
		return b.Rand()
	}
	return rand.Float64()
}
