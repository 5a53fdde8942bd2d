package forward_test

import (
	"strings"
	"testing"

	"github.com/vegress/vegress/forward"
)

// What says that a server cannot be reached does not say what lets one in: a
// password, or a token, which stands where the user does.
func TestErrorsKeepSecrets(t *testing.T) {
	for _, server := range []string{
		"nats://agent:s3cret@127.0.0.1:1", "nats://s3cret@127.0.0.1:1", "nats://agent:s3cret@bad host:1",
		"nats://agent:s3cret@127.0.0.1:1,nats://agent:s3cret%zz@127.0.0.1:1", "nats://agent:s3cret/@127.0.0.1:1",
	} {
		nc, err := forward.Dial(server, "", "", nil)
		if err == nil {
			nc.Close()
			t.Errorf("%s: connected", server)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", server, err)
		}
		up := forward.NewUplink(forward.UplinkOptions{URL: server}, forward.Options{}, nil)
		if err := up.Health(); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", server, err)
		}
		if err := (forward.UplinkOptions{URL: server + ",ftp://"}).Validate(); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", server, err)
		}
	}
}
