package configs

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"embed"
	"fmt"
	"os"
	"time"

	"github.com/vegress/vegress/analytics/webservice"
	"github.com/vegress/vegress/forward/broker"
	"github.com/vegress/vegress/forward/ingest"
	"github.com/vegress/vegress/vsphere/session"
)

// CheckFiles reads the files that the configuration names: certificates and
// keys, passwords, users, catalogues, rules. Most faults are of a file that cannot be
// read or used; warnings are of what works at now, and is not as it should be.
func (c *Config) CheckFiles(now time.Time) Faults {
	l, f := c.Listen.Syslog.TLS, c.Forward.Broker.TLS
	all := pair("listen.tls", l.CertFile, l.KeyFile, now)
	all = append(all, authorities("listen.tls.client_ca_file", l.ClientCAFile)...)
	all = append(all, pair("forward.tls", f.CertFile, f.KeyFile, now)...)
	all = append(all, authorities("forward.tls.client_ca_file", f.ClientCAFile)...)
	all = append(all, users("forward.users_file", c.Forward.Broker.UsersFile)...)
	all = append(all, secret("forward.uplink.credentials_file", c.Forward.Uplink.CredentialsFile)...)
	all = append(all, authorities("forward.uplink.ca_file", c.Forward.Uplink.CAFile)...)
	all = append(all, pair("forward.uplink", c.Forward.Uplink.CertFile, c.Forward.Uplink.KeyFile, now)...)
	all = append(all, token("ingest.token_file", c.Ingest)...)
	for i := range c.VCenters {
		all = append(all, credentials(fmt.Sprintf("vcenters[%d]", i), c.VCenters[i].Options)...)
	}
	for _, path := range c.Catalogue.Paths {
		if _, err := webservice.Load(embed.FS{}, webservice.Options{Paths: []string{path}}); err != nil {
			all = append(all, unusable("catalogue.paths", err.Error()))
		}
	}
	for _, wrong := range faults(c.Rules.CheckFiles()) {
		wrong.Unreadable = true
		all = append(all, wrong)
	}
	return c.from.place(all)
}

func unusable(key, reason string) Fault { return Fault{Key: key, Reason: reason, Unreadable: true} }

// content reads a file that a key names.
func content(key, file string) ([]byte, Faults) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, Faults{{Key: key, Value: fmt.Sprintf("%q", file), Reason: "cannot be read: " + cause(err), Unreadable: true}}
	}
	return text, nil
}

// secret reads a file that nobody else should.
func secret(key, file string) Faults {
	if file == "" {
		return nil
	}
	if _, wrong := content(key, file); wrong != nil {
		return wrong
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o004 == 0 {
		return nil
	}
	return Faults{{
		Key: key, Value: fmt.Sprintf("%q", file), Warning: true,
		Reason: fmt.Sprintf("everybody on this machine can read it (mode %04o): chmod 0600, or 0640 with the service's group", info.Mode().Perm()),
	}}
}

// users reads the file of those who may use the embedded NATS server.
func users(key, file string) Faults {
	all := secret(key, file)
	if file == "" || len(all) > 0 && all[0].Unreadable {
		return all
	}
	for _, wrong := range faults(broker.CheckUsers(file)) {
		wrong.Unreadable = true
		all = append(all, wrong)
	}
	return all
}

// token reads the file with the token of the way in over HTTP.
func token(key string, o ingest.Options) Faults {
	all := secret(key, o.TokenFile)
	if len(all) > 0 && all[0].Unreadable {
		return all
	}
	_, err := o.Open()
	for _, wrong := range faults(err) {
		wrong.Unreadable = true
		all = append(all, wrong)
	}
	return all
}

// pair reads a certificate and its key.
func pair(key, certFile, keyFile string, now time.Time) Faults {
	if certFile == "" || keyFile == "" {
		return nil
	}
	certificate, all := content(key+".cert_file", certFile)
	private, wrong := content(key+".key_file", keyFile)
	if all = append(all, wrong...); len(all) > 0 {
		return all
	}
	all = secret(key+".key_file", keyFile)
	both, err := tls.X509KeyPair(certificate, private)
	if err != nil {
		return append(all, unusable(key, fmt.Sprintf("cert_file %q and key_file %q: %v", certFile, keyFile, err)))
	}
	switch leaf := both.Leaf; {
	case leaf == nil:
	case now.After(leaf.NotAfter):
		all = append(all, stale(key, certFile, "has expired on "+leaf.NotAfter.UTC().Format(time.DateOnly)))
	case now.Before(leaf.NotBefore):
		all = append(all, stale(key, certFile, "is not valid before "+leaf.NotBefore.UTC().Format(time.RFC3339)))
	}
	return all
}

func stale(key, file, what string) Fault {
	return Fault{
		Key: key + ".cert_file", Value: fmt.Sprintf("%q", file), Warning: true,
		Reason: what + ": whoever checks it refuses it until it is renewed",
	}
}

// authorities reads a file of certificates to trust.
func authorities(key, file string) Faults {
	if file == "" {
		return nil
	}
	text, wrong := content(key, file)
	if wrong == nil && !x509.NewCertPool().AppendCertsFromPEM(text) {
		wrong = Faults{{Key: key, Value: fmt.Sprintf("%q", file), Reason: "holds no PEM certificate", Unreadable: true}}
	}
	return wrong
}

// credentials look for the password of a vCenter, and for what vouches for it.
func credentials(key string, o session.Options) Faults {
	all := authorities(key+".ca_file", o.CAFile)
	all = append(all, secret(key+".password_file", o.PasswordFile)...)
	for _, one := range all {
		if one.Key == key+".password_file" && one.Unreadable {
			return all
		}
	}
	// As the login does it; only the password is left to be wrong.
	o.Name, o.URL, o.Username = cmp.Or(o.Name, "vcenter"), "https://vcenter/sdk", cmp.Or(o.Username, "user")
	o.CAFile, o.Thumbprint = "", ""
	if _, err := session.New(o); err != nil {
		all = append(all, unusable(key+".password_file", err.Error()))
	}
	return all
}
