package app

import (
	"fmt"

	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/analytics/evidence"
	"github.com/vegress/vegress/analytics/webservice"
	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/configs/catalogue"
	"github.com/vegress/vegress/vsphere/inventory"
)

// policy is what a reload can change, compiled: it never changes itself.
type policy struct {
	egress    *egress.Policy
	evidence  evidence.Options
	catalogue *webservice.Catalogue
	roles     []inventory.Role
}

// compile makes the policy of a configuration; all that can fail does so here.
func compile(c *configs.Config) (*policy, error) {
	judge, err := egress.Compile(c.Egress)
	if err != nil {
		return nil, err
	}
	services, err := webservice.Load(catalogue.Files, c.Catalogue)
	if err != nil {
		return nil, fmt.Errorf("load the catalogue of web services: %w", err)
	}
	return &policy{egress: judge, evidence: c.Evidence, catalogue: services, roles: c.Roles}, nil
}
