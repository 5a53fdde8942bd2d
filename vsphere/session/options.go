package session

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// Options says which vCenter to log in to, as whom, and how to know it. The
// password is never in it: it is read at each login, from PasswordFile or,
// when that is empty, from the environment (PasswordEnv), so that a rotated
// password is picked up.
type Options struct {
	// Name is the site's own name for the vCenter: letters, digits, '.', '_'
	// and '-', at most 64. It is part of the key of every VM.
	Name string `mapstructure:"name"`
	// URL is the SOAP endpoint: "https://vc1.example.com/sdk". The path may be
	// left out. Only https is taken.
	URL      string `mapstructure:"url"`
	Username string `mapstructure:"username"`
	// PasswordFile holds the password; a newline at its end is not part of it.
	PasswordFile string `mapstructure:"password_file"`
	// CAFile holds PEM certificates to trust instead of the system's.
	CAFile string `mapstructure:"ca_file"`
	// Thumbprint pins the server's certificate: its SHA-256 (or SHA-1) in hex,
	// with or without colons. Not together with CAFile.
	Thumbprint string `mapstructure:"thumbprint"`

	// PasswordVar is the environment variable that holds the password instead
	// of PasswordEnv: of an account beside the configured one.
	PasswordVar string `mapstructure:"-"`
	// UserAgent names this program in vCenter's list of sessions:
	// "vegress/1.2.3". It is set by the program, not by configuration.
	UserAgent string `mapstructure:"-"`
}

// maxName bounds Options.Name.
const maxName = 64

// Validate reports the first option that cannot work, by key and value.
func (o *Options) Validate() error {
	if err := validName(o.Name); err != nil {
		return err
	}
	if _, err := o.endpoint(); err != nil {
		return err
	}
	if o.Username == "" {
		return fmt.Errorf("username of vcenter %q is empty", o.Name)
	}
	if o.Thumbprint == "" {
		return nil
	}
	if o.CAFile != "" {
		return fmt.Errorf("thumbprint and ca_file of vcenter %q: set only one of them", o.Name)
	}
	_, err := parseThumbprint(o.Thumbprint)
	return err
}

func validName(name string) error {
	if name == "" {
		return errors.New("name of a vcenter is empty")
	}
	odd := strings.IndexFunc(name, func(r rune) bool { return !isNameRune(r) })
	if odd >= 0 || len(name) > maxName {
		return fmt.Errorf("name %q of a vcenter: only letters, digits, '.', '_' and '-', at most %d", name, maxName)
	}
	return nil
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)
}

// endpoint is URL with its path filled in.
func (o *Options) endpoint() (*url.URL, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		// The parser's error repeats its input, which may hold a password.
		return nil, fmt.Errorf("url of vcenter %q cannot be read as a URL", o.Name)
	}
	if u.User != nil {
		return nil, fmt.Errorf("url of vcenter %q: user name and password do not belong there; use username and password_file", o.Name)
	}
	if u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("url %q of vcenter %q: want https://HOST[:PORT]/sdk", o.URL, o.Name)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/sdk"
	}
	return u, nil
}

// parseThumbprint gives the digest that s spells: 20 bytes (SHA-1) or 32
// (SHA-256).
func parseThumbprint(s string) ([]byte, error) {
	sum, err := hex.DecodeString(strings.NewReplacer(":", "", " ", "").Replace(s))
	if err != nil || len(sum) != 20 && len(sum) != 32 {
		return nil, fmt.Errorf("thumbprint %q: want the certificate's SHA-256 (64 hex digits) or SHA-1 (40)", s)
	}
	return sum, nil
}

// Host is the host name or address in URL; empty when there is none.
func (o *Options) Host() string {
	u, err := o.endpoint()
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// PasswordEnv is the environment variable that holds the password when
// PasswordFile is empty: VEGRESS_VCENTER_<NAME>_PASSWORD, the name in upper
// case and every sign that is no letter or digit as '_'.
func (o *Options) PasswordEnv() string {
	upper := func(r rune) rune {
		if strings.ContainsRune("._-", r) {
			return '_'
		}
		return r
	}
	return "VEGRESS_VCENTER_" + strings.ToUpper(strings.Map(upper, o.Name)) + "_PASSWORD"
}

// password reads the password from where the options say.
func (o *Options) password() (string, error) {
	if o.PasswordFile == "" {
		variable := cmp.Or(o.PasswordVar, o.PasswordEnv())
		if p := os.Getenv(variable); p != "" {
			return p, nil
		}
		return "", fmt.Errorf("no password for vcenter %q: set password_file or %s", o.Name, variable)
	}
	text, err := os.ReadFile(o.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read password_file of vcenter %q: %w", o.Name, err)
	}
	p := strings.TrimRight(string(text), "\r\n")
	if p == "" {
		return "", fmt.Errorf("password_file %q of vcenter %q is empty", o.PasswordFile, o.Name)
	}
	return p, nil
}
