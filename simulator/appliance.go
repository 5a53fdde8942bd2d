package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
)

// Forwarding is a server that the vCenter appliance forwards its log to.
type Forwarding struct {
	Hostname string `json:"hostname"`
	Port     int    `json:"port"`
	Protocol string `json:"protocol"` // TCP, TLS, UDP or RELP
}

// forwardingPath is the appliance's list of them, which vcsim does not have
// (developer.broadcom.com, vSphere Automation API, Appliance Logging
// Forwarding). Up to vSphere 7.0 U1 it is below /rest only, with its answer in
// an envelope.
const forwardingPath = "/appliance/logging/forwarding"

// maxForwardings is how many servers an appliance takes.
const maxForwardings = 3

// serveAppliance adds to the vCenter what vcsim lacks of the appliance's API.
// It asks for a login as the rest of the REST API does.
func (e *Estate) serveAppliance(svc *simulator.Service) {
	for _, prefix := range []string{"/api", "/rest"} {
		svc.HandleFunc(prefix+forwardingPath, e.serveForwarding)
	}
}

func (e *Estate) serveForwarding(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls++
	switch {
	case e.noAppliance:
		w.WriteHeader(http.StatusForbidden)
	case r.Method == http.MethodGet:
		var answer any = slices.Concat([]Forwarding{}, e.forwardings)
		if strings.HasPrefix(r.URL.Path, "/rest") {
			answer = map[string]any{"value": answer}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // the client has gone: its trouble
	case r.Method == http.MethodPut:
		w.WriteHeader(e.setForwarding(r))
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// setForwarding replaces the list, and gives the answer's status.
func (e *Estate) setForwarding(r *http.Request) int {
	var body struct {
		List []Forwarding `json:"cfg_list"`
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil || body.List == nil {
		return http.StatusBadRequest
	}
	for _, f := range body.List {
		known := slices.Contains([]string{"TCP", "TLS", "UDP", "RELP"}, f.Protocol)
		if f.Hostname == "" || f.Port < 1 || f.Port > 65535 || !known {
			return http.StatusBadRequest
		}
	}
	if len(body.List) > maxForwardings {
		return http.StatusInternalServerError // UnableToAllocateResource
	}
	e.forwardings = body.List
	return http.StatusNoContent
}

// Forwardings are the servers that the vCenter appliance forwards its log to
// now.
func (e *Estate) Forwardings() []Forwarding {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.forwardings)
}

// SetForwardings makes the vCenter appliance forward its log to those servers.
func (e *Estate) SetForwardings(all ...Forwarding) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forwardings = all
}

// RefuseAppliance makes the appliance's API refuse everybody for want of a
// right.
func (e *Estate) RefuseAppliance() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.noAppliance = true
}
