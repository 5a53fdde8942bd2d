package inventory_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere/inventory"
)

func TestRoles(t *testing.T) {
	file := `{"format":"vegress-inventory","version":1,"vcenters":[{"name":"vc1","vms":[
{"moref":"vm-1","name":"Veeam-Proxy01","folder":"Infra/Backup/Proxies","pool":"Gold/Silver","powered_on":true,
 "annotation":"Owner: storage\nRole: BACKUP","tags":["vegress-role/backup"],"attributes":["role=backup","team=7"],"guest_name":"wsus01"}],
"hosts":[{"moref":"host-1","name":"esx01.corp.local","folder":"Edge","tags":["site/dmz"],"attributes":["rack=r1"]}]}]}`
	tests := []struct {
		name string
		role inventory.Role
		want bool
	}{
		{"name", inventory.Role{Names: []string{"*veeam*"}}, true},
		{"name, one sign", inventory.Role{Names: []string{"veeam-proxy?1"}}, true},
		{"whole name", inventory.Role{Names: []string{"veeam"}}, false},
		{"not the guest's own name", inventory.Role{Names: []string{"wsus*"}}, false},
		{"folder", inventory.Role{Folders: []string{"Infra/Backup/Proxies"}}, true},
		{"folder above", inventory.Role{Folders: []string{"/infra/backup/"}}, true},
		{"folder pattern above", inventory.Role{Folders: []string{"*/backup"}}, true},
		{"part of a folder's name", inventory.Role{Folders: []string{"Infra/Back"}}, false},
		{"pool above", inventory.Role{Pools: []string{"Gold"}}, true},
		{"pool", inventory.Role{Pools: []string{"Silver"}}, false},
		{"tag", inventory.Role{Tags: []string{"Vegress-Role/Backup"}}, true},
		{"tag of another category", inventory.Role{Tags: []string{"other/backup"}}, false},
		{"any tag of a category", inventory.Role{Tags: []string{"vegress-role/*"}}, true},
		{"attribute", inventory.Role{Attributes: []string{"ROLE=backup"}}, true},
		{"attribute's value", inventory.Role{Attributes: []string{"role=patch"}}, false},
		{"annotation", inventory.Role{Annotation: "*role: backup*"}, true},
		{"annotation, whole", inventory.Role{Annotation: "role: backup"}, false},
		{"any is enough", inventory.Role{Names: []string{"nobody"}, Attributes: []string{"team=7"}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.role.Name = "r"
			inv, err := inventory.NewStatic(strings.NewReader(file), []inventory.Role{tt.role})
			if err != nil {
				t.Fatal(err)
			}
			ev := event.Event{Src: event.Endpoint{VMName: "veeam-proxy01"}}
			inv.Enrich(&ev)
			if got := len(ev.Src.Context.VM.Roles) == 1; got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	hostTests := []inventory.Role{
		{Name: "r", Names: []string{"esx01.*"}},
		{Name: "r", Tags: []string{"site/dmz"}},
		{Name: "r", Folders: []string{"edge"}},
		{Name: "r", Attributes: []string{"rack=*"}},
	}
	for _, role := range hostTests {
		inv, err := inventory.NewStatic(strings.NewReader(file), []inventory.Role{{Name: "other", Names: []string{"x"}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := inv.SetRoles([]inventory.Role{role}); err != nil {
			t.Fatal(err)
		}
		ev := event.Event{Device: event.Device{Hostname: "esx01"}}
		inv.Enrich(&ev)
		if ev.Device.Host == nil || len(ev.Device.Host.Roles) != 1 {
			t.Errorf("host with %+v: got %+v", role, ev.Device.Host)
		}
	}
}

func TestRoleValidate(t *testing.T) {
	tests := []struct {
		role inventory.Role
		want string
	}{
		{inventory.Role{Name: "a", Names: []string{"x"}}, ""},
		{inventory.Role{Names: []string{"x"}}, "name of a role is empty"},
		{inventory.Role{Name: "a"}, `role "a" has no`},
		{inventory.Role{Name: "a", Names: []string{""}}, "names has an empty pattern"},
		{inventory.Role{Name: "a", Tags: []string{"backup"}}, `tags pattern "backup"`},
		{inventory.Role{Name: "a", Attributes: []string{"role"}}, `attributes pattern "role"`},
	}
	for _, tt := range tests {
		err := tt.role.Validate()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q", tt.role, err, tt.want)
		}
	}
}

// FuzzGlob compares the matcher with a regular expression of the same
// meaning.
func FuzzGlob(f *testing.F) {
	for _, s := range [][2]string{{"*veeam*", "x-veeam-1"}, {"a*b*c", "aXbYbZc"}, {"?", "ü"}, {"*", ""}, {"a?", "a"}, {"**a", "ba"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(s) || len(pattern) > 100 || len(s) > 1000 {
			return
		}
		expr := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
		if strings.Contains(pattern, `\`) {
			return // the way the expression is made does not hold for it
		}
		want := regexp.MustCompile(`(?s)\A` + expr + `\z`).MatchString(s)
		if got := inventory.Glob(pattern, s); got != want {
			t.Errorf("glob(%q, %q): got %v, want %v", pattern, s, got, want)
		}
	})
}
