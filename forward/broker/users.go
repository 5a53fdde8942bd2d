package broker

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/bcrypt"
)

// Role is what a user of the server may do.
type Role string

// Roles. Replies reach consumer and ingest users also below
// "_INBOX_<name>.", which no other user may read; an ingest user has only
// that, since whoever reads "_INBOX.>" reads what consumers are sent.
const (
	// RoleConsumer reads events, findings and hosts, and makes consumers on
	// their streams.
	RoleConsumer Role = "consumer"
	// RoleIngest publishes below "vegress.ingest.".
	RoleIngest Role = "ingest"
	// RoleAdmin may do everything.
	RoleAdmin Role = "admin"
)

// User is one entry of the users file.
type User struct {
	Name string `yaml:"name"`
	Role Role   `yaml:"role"`
	// Password is a bcrypt hash ("$2a$...", as `nats server passwd` or
	// `htpasswd -nB` print it) or plain text.
	Password string `yaml:"password"`
}

// Fixed users. A users file may not use their names.
const (
	internalUser  = "vegress-internal"
	anonymousUser = "anonymous"
)

// consumed are the streams and buckets that consumers read.
var consumed = []string{"VEGRESS_EVENTS", "VEGRESS_FINDINGS", "KV_vegress_state", "KV_vegress_inventory"}

// CheckUsers says what is wrong with a users file, without a password in it.
func CheckUsers(path string) error {
	_, err := readUsers(path)
	return err
}

// readUsers reads a users file, YAML (or JSON) with the one key users. Its
// errors hold no password.
func readUsers(path string) ([]User, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("forward.users_file: %w", err)
	}
	var file struct {
		Users []User `yaml:"users"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		return nil, fmt.Errorf("forward.users_file %q: %s", path, withoutValues(err))
	}
	if len(file.Users) == 0 {
		return nil, fmt.Errorf("forward.users_file %q: no users in it", path)
	}
	seen := map[string]bool{internalUser: true, anonymousUser: true}
	for i := range file.Users {
		u := &file.Users[i]
		if err := u.validate(seen); err != nil {
			return nil, fmt.Errorf("forward.users_file %q: user %d (%q): %w", path, i+1, u.Name, err)
		}
		seen[u.Name] = true
		u.Password = serverHash(u.Password)
	}
	return file.Users, nil
}

var quotedValue = regexp.MustCompile("`[^`]*`")

// withoutValues is the decoder's complaint on one line, without the values
// that it quotes: one of them may be a password.
func withoutValues(err error) string {
	return strings.Join(strings.Fields(quotedValue.ReplaceAllString(err.Error(), "")), " ")
}

// bcryptLength is that of every bcrypt hash.
const bcryptLength = 60

func isHash(password string) bool {
	return len(password) > 4 && password[:2] == "$2" && password[3] == '$'
}

// serverHash is a password as nats-server should hold it: hashed. $2b$ and
// $2y$ are the same algorithm as $2a$, but would be taken for plain text.
func serverHash(password string) string {
	if isHash(password) {
		return "$2a$" + password[4:]
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil { // longer than bcrypt takes
		return password
	}
	return string(hash)
}

func (u User) validate(seen map[string]bool) error {
	switch {
	case !isToken(u.Name):
		return errors.New("the name must be letters, digits, '-' and '_'")
	case seen[u.Name]:
		return errors.New("the name is taken")
	case u.Password == "":
		return errors.New("no password")
	case isHash(u.Password) && len(u.Password) != bcryptLength:
		return fmt.Errorf("password looks like a bcrypt hash, which has %d characters, and has %d", bcryptLength, len(u.Password))
	case !slices.Contains([]Role{RoleConsumer, RoleIngest, RoleAdmin}, u.Role):
		return fmt.Errorf("role is %q: must be %s, %s or %s", u.Role, RoleConsumer, RoleIngest, RoleAdmin)
	}
	return nil
}

// isToken says that a name can stand in a subject.
func isToken(name string) bool {
	for _, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return name != ""
}

// accounts turns users into those of nats-server, the process's own among
// them, and names the user that a client without credentials becomes.
func accounts(users []User, internalPassword string) (list []*server.User, noAuth string) {
	list = []*server.User{{Username: internalUser, Password: serverHash(internalPassword)}}
	for _, u := range users {
		list = append(list, &server.User{
			Username:    u.Name,
			Password:    u.Password,
			Permissions: permissions(u),
		})
	}
	if len(users) > 0 {
		return list, ""
	}
	pub := append(consumerPublish(), ingestPublish...)
	anonymous := &server.User{Username: anonymousUser, Password: rand.Text(), Permissions: allow(pub, consumerSubscribe)}
	return append(list, anonymous), anonymousUser
}

var (
	ingestPublish     = []string{"vegress.ingest.>"}
	consumerSubscribe = []string{"vegress.events.>", "vegress.findings.>", "vegress.hosts.>", "$KV.vegress_state.>", "$KV.vegress_inventory.>", "_INBOX.>"}
)

func permissions(u User) *server.Permissions {
	inbox := "_INBOX_" + u.Name + ".>"
	switch u.Role {
	case RoleConsumer:
		return allow(consumerPublish(), append([]string{inbox}, consumerSubscribe...))
	case RoleIngest:
		return allow(ingestPublish, []string{inbox})
	default:
		return nil
	}
}

func allow(publish, subscribe []string) *server.Permissions {
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: publish},
		Subscribe: &server.SubjectPermission{Allow: subscribe},
	}
}

// consumerPublish is the part of the JetStream API that reading needs: look
// up, make and delete consumers, fetch and acknowledge.
func consumerPublish() []string {
	subjects := []string{"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST"}
	for _, s := range consumed {
		subjects = append(subjects,
			"$JS.API.STREAM.INFO."+s,
			"$JS.API.STREAM.MSG.GET."+s,
			"$JS.API.DIRECT.GET."+s,
			"$JS.API.DIRECT.GET."+s+".>",
			"$JS.API.CONSUMER.CREATE."+s,
			"$JS.API.CONSUMER.CREATE."+s+".>",
			"$JS.API.CONSUMER.DURABLE.CREATE."+s+".*",
			"$JS.API.CONSUMER.INFO."+s+".*",
			"$JS.API.CONSUMER.NAMES."+s,
			"$JS.API.CONSUMER.LIST."+s,
			"$JS.API.CONSUMER.MSG.NEXT."+s+".*",
			"$JS.API.CONSUMER.DELETE."+s+".*",
			"$JS.ACK."+s+".>",
			"$JS.FC."+s+".>",
		)
	}
	return subjects
}
