package loghost

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/vmware/govmomi/vapi/appliance/logging"
	"github.com/vmware/govmomi/vapi/rest"

	"github.com/vegress/vegress/vsphere/session"
)

// MaxServers is how many servers a vCenter appliance forwards its log to.
const MaxServers = 3

// forwardingPath is the appliance's list of servers (developer.broadcom.com,
// vSphere Automation API, Appliance Logging Forwarding). Up to vSphere 7.0 U1
// it is below /rest only.
const forwardingPath = "/appliance/logging/forwarding"

// readForwarding reads where the appliance forwards its log.
func (v *VCenter) readForwarding(ctx context.Context, s *session.Session) {
	found, err := forwarding(ctx, s)
	if err != nil {
		v.note("the appliance's log forwarding cannot be read: %s", restDenial(err))
		return
	}
	v.ForwardingRead = true
	for _, f := range found {
		v.Forwarding = append(v.Forwarding, serverTarget(f))
	}
}

func forwarding(ctx context.Context, s *session.Session) (found []logging.Forwarding, err error) {
	err = s.REST(ctx, func(c *rest.Client) error {
		err := c.Do(ctx, c.Resource("/api"+forwardingPath).Request(http.MethodGet), &found)
		if statusOf(err, http.StatusNotFound) {
			found, err = logging.NewManager(c).Forwarding(ctx)
		}
		return err
	})
	return found, err
}

// setForwarding puts a whole list in place of the one that is there, which is
// all that the API offers.
func setForwarding(ctx context.Context, s *session.Session, list []logging.Forwarding) error {
	body := map[string][]logging.Forwarding{"cfg_list": append([]logging.Forwarding{}, list...)}
	return s.REST(ctx, func(c *rest.Client) error {
		err := c.Do(ctx, c.Resource("/api"+forwardingPath).Request(http.MethodPut, body), nil)
		if statusOf(err, http.StatusNotFound) {
			err = c.Do(ctx, c.Resource(forwardingPath).Request(http.MethodPut, body), nil)
		}
		return err
	})
}

// serverTarget is a server of an appliance, in ESXi's words.
func serverTarget(f logging.Forwarding) Target {
	t := Target{Protocol: strings.ToLower(f.Protocol), Host: f.Hostname, Port: f.Port}
	if t.Protocol == "tls" {
		t.Protocol = "ssl"
	}
	t.Raw = t.Endpoint()
	if f.Hostname == "" {
		t = Target{Raw: f.Protocol, Fault: "a server without a name"}
	}
	return t
}

// server is a target, in the words of the appliance's API.
func server(t Target) logging.Forwarding {
	protocol := strings.ToUpper(t.Protocol)
	if protocol == "SSL" {
		protocol = "TLS"
	}
	return logging.Forwarding{Hostname: t.Host, Port: t.Port, Protocol: protocol}
}

// statusOf finds an HTTP status in what err wraps; the library looks at the
// outermost error only.
func statusOf(err error, status int) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if rest.IsStatusError(err, status) {
			return true
		}
	}
	return false
}

// restDenial is an error of the REST API in words.
func restDenial(err error) string {
	if statusOf(err, http.StatusForbidden) || statusOf(err, http.StatusUnauthorized) {
		return "this account may not (it needs a role in the appliance, see docs/vcenter.md)"
	}
	return strings.ReplaceAll(fmt.Sprint(err), "\n", " ")
}
