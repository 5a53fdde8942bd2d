package session

import (
	"context"
	"fmt"
	"slices"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vim25/types"
)

// Missing is a privilege that the account lacks on an object.
type Missing struct {
	Object    string // "group-d1 (root folder)"
	Privilege string // "System.Read"
}

// needed are the privileges of vCenter's built-in role "Read-only", without
// which properties and objects are simply not there.
var needed = [...]string{"System.Anonymous", "System.View", "System.Read"}

// Preflight asks vCenter which of the privileges that reading the inventory
// needs are missing on the root folder. An account that has them on parts of
// the inventory only sees those parts.
func (s *Session) Preflight(ctx context.Context) ([]Missing, error) {
	vim, err := s.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if vim.ServiceContent.AuthorizationManager == nil {
		return nil, nil
	}
	us, err := session.NewManager(vim).UserSession(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask vcenter %q who is logged in: %w", s.opts.Name, err)
	}
	if us == nil {
		return nil, fmt.Errorf("ask vcenter %q who is logged in: no session", s.opts.Name)
	}
	root := vim.ServiceContent.RootFolder
	have, err := object.NewAuthorizationManager(vim).FetchUserPrivilegeOnEntities(ctx, []types.ManagedObjectReference{root}, us.UserName)
	if err != nil {
		return nil, fmt.Errorf("ask vcenter %q for the privileges of %q: %w", s.opts.Name, us.UserName, err)
	}
	return missing(root, have), nil
}

func missing(root types.ManagedObjectReference, have []types.UserPrivilegeResult) []Missing {
	var granted []string
	for _, h := range have {
		if h.Entity == root {
			granted = h.Privileges
		}
	}
	var out []Missing
	for _, p := range needed {
		if !slices.Contains(granted, p) {
			out = append(out, Missing{Object: root.Value + " (root folder)", Privilege: p})
		}
	}
	return out
}
