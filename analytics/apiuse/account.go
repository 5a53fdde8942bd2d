package apiuse

import (
	"fmt"
	"path"
	"strings"

	"github.com/vegress/vegress/event"
)

// account is an account of vSphere, one for all the ways to write it:
// LAB\Ann, ann@lab.example and ann@LAB are the same. It is in lower case; of
// the domain it has what stands before the first dot, but for the system
// domain of single sign-on, which sites name alike.
type account struct {
	name, domain string
}

func accountOf(u *event.User) account {
	domain, _, _ := strings.Cut(u.Domain, ".")
	return account{name: strings.ToLower(u.Name), domain: strings.ToLower(domain)}
}

func (a account) String() string {
	if a.domain == "" {
		return a.name
	}
	return a.domain + `\` + a.name
}

func (a account) own() account {
	return account{name: strings.Clone(bound(a.name)), domain: strings.Clone(bound(a.domain))}
}

// maxText bounds names that are kept, in bytes.
const maxText = 256

func bound(s string) string { return s[:min(len(s), maxText)] }

// system says that the account is one of vSphere's own: vCenter at its hosts,
// and its services at vCenter, with a certificate or a ticket instead of a
// password.
func (a account) system() bool {
	switch {
	case a.name == "", a.name == "vpxuser", a.name == "dcui", a.name == "vsanmgmtd", a.name == "com.vmware.vcintegrity", a.name == "system":
		return true
	}
	for _, prefix := range [...]string{"vpxd-extension-", "vpxd-", "vsphere-webclient-", "machine-", "vpxd-svcs-", "vmware-vsan-", "com.vmware."} {
		if strings.HasPrefix(a.name, prefix) {
			return true
		}
	}
	return false
}

// accounts are patterns of accounts: "svc-backup" (in any domain), "LAB\svc-*",
// "svc-*@lab.example".
type accounts []account

func compileAccounts(key string, patterns []string) (accounts, error) {
	var all accounts
	for _, p := range patterns {
		u := event.User{Name: p}
		if domain, name, ok := strings.Cut(p, `\`); ok {
			u = event.User{Domain: domain, Name: name}
		} else if i := strings.LastIndexByte(p, '@'); i > 0 {
			u = event.User{Name: p[:i], Domain: p[i+1:]}
		}
		a := accountOf(&u)
		_, badName := path.Match(a.name, "")
		_, badDomain := path.Match(a.domain, "")
		if badName != nil || badDomain != nil || strings.Trim(a.name, "*") == "" {
			return nil, fmt.Errorf("%s: %q: is no pattern of an account (want svc-backup, LAB\\svc-* or svc-*@lab.example)", key, p)
		}
		all = append(all, a)
	}
	return all, nil
}

func (all accounts) match(a account) bool {
	for _, p := range all {
		name, _ := path.Match(p.name, a.name)
		domain := p.domain == ""
		if !domain {
			domain, _ = path.Match(p.domain, a.domain)
		}
		if name && domain {
			return true
		}
	}
	return false
}
