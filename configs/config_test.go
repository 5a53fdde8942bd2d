package configs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/configs"
)

func TestDefaultsAreGood(t *testing.T) {
	c := load(t, "")
	if c.Limits.Message != 64<<10 || c.Forward.Streams.Events.MaxBytes != 20e9 || c.MaxSkew != 10*time.Minute {
		t.Errorf("units are not read: %+v %+v %s", c.Limits, c.Forward.Streams.Events, c.MaxSkew)
	}
	if c.Collector == "" || c.DataDir == "" || len(c.Listen.Syslog.Listen) != 3 {
		t.Errorf("not filled in: collector %q, data_dir %q, listen %v", c.Collector, c.DataDir, c.Listen.Syslog.Listen)
	}
	if got := c.Egress.Egress.Ports; len(got) != 4 || got[0] != 80 {
		t.Errorf("ports %v", got)
	}
}

func TestLayers(t *testing.T) {
	file := write(t, "forward: {listen: 127.0.0.1:1111, durability: strict}\nlog: {level: debug}")
	t.Setenv("VEGRESS_LOG_LEVEL", "error")
	t.Setenv("VEGRESS_LISTEN_SYSLOG", "udp://:5514, tcp://:5514")
	c, err := configs.Load(file, map[string]any{"forward.listen": "127.0.0.1:2222"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Forward.Broker.Durability != "strict" || c.Log.Level != "error" || c.Forward.Broker.Listen != "127.0.0.1:2222" {
		t.Errorf("file, environment and flags: got %q %q %q", c.Forward.Broker.Durability, c.Log.Level, c.Forward.Broker.Listen)
	}
	if got := c.Listen.Syslog.Listen; len(got) != 2 || got[1] != "tcp://:5514" {
		t.Errorf("a list from the environment: %q", got)
	}
}

func TestSiteConfiguration(t *testing.T) {
	c := load(t, `
vcenters:
  - {name: vc1, url: "https://vc1.example.com/sdk", username: reader@vsphere.local, password_file: /etc/pw, tag_poll: 1m}
networks: {internal: [198.51.100.0/24]}
roles:
  - {name: backup, tags: ["vegress-role/backup"], names: ["*veeam*"], attributes: ["role=Backup"]}
justifications:
  - {name: nightly backup, role: backup, destinations: ["*.amazonaws.com", "category:cloud_storage"], ports: [443],
     windows: ["mon-sun 22:00-06:00 Europe/Berlin"], max_bytes: 500GB, expires: 2027-06-30, ticket: CHG-1234}
`)
	if v := c.VCenters[0]; v.Name != "vc1" || v.TagPoll != time.Minute || v.Username != "reader@vsphere.local" {
		t.Errorf("vcenter %+v", v)
	}
	if r := c.Roles[0]; r.Attributes[0] != "role=Backup" || r.Names[0] != "*veeam*" {
		t.Errorf("role %+v", r)
	}
	if j := c.Egress.Justifications[0]; j.Name != "nightly backup" || j.Ports[0] != 443 || j.MaxBytes != "500GB" {
		t.Errorf("justification %+v", j)
	}
}

// TestRefused: what is wrong is named by its key and its value.
func TestRefused(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown key", "rolls: []", "rolls: unknown key; did you mean roles?"},
		{"unknown nested keys", "forward: {lisen: x}", "forward.lisen: unknown key; did you mean forward.listen?"},
		{"no YAML", "a: [", ":1: no valid YAML: "},
		{"size", "limits: {message: 64parsecs}", "64parsecs"},
		{"bytes", "forward: {events: {max_bytes: much}}", "much"},
		{"duration", "max_skew: soon", "soon"},
		{"skew", "max_skew: 48h", "48h"},
		{"wait", "inventory: {wait: -1s}", "inventory.wait: -1s: want"},
		{"log hosts", "inventory: {log_hosts: 1s}", "inventory.log_hosts: 1s: want"},
		{"level", "log: {level: loud}", `log.level: "loud": must be`},
		{"format", "log: {format: xml}", `log.format: "xml": must be`},
		{"http", "listen: {http: nine}", `listen.http: "nine": must be`},
		{"listener", `listen: {syslog: ["smtp://:25"]}`, "smtp://:25"},
		{"flows", `listen: {ipfix: ["tcp://:4739"]}`, `listen.ipfix: "tcp://:4739": want udp://`},
		{"source", "listen: {allowed_sources: [everybody]}", "everybody"},
		{"exposed", "forward: {listen: 0.0.0.0:4222}", "0.0.0.0:4222"},
		{"exposed ingest", "listen: {http: \":9514\"}", `ingest.token_file: "": must name a file with a token, since listen.http ":9514" is no loopback`},
		{"body", "ingest: {max_body: 1GiB}", "ingest.max_body: 1073741824: must be"},
		{"record", "ingest: {max_record: 1MiB}", "ingest.max_record: 1048576: must be"},
		{"durability", "forward: {durability: maybe}", "maybe"},
		{"compression", "forward: {compression: rar}", "rar"},
		{"partitions", "forward: {partitions: 1000}", "partitions"},
		{"uplink", "forward: {uplink: {url: \"http://x\"}}", "http://x"},
		{"vcenter", "vcenters: [{name: vc1, url: \"http://vc1/sdk\", username: u}]", "http://vc1/sdk"},
		{"role", "roles: [{name: \"\"}]", "role"},
		{"window", "justifications: [{name: a, role: any, destinations: [any], windows: [\"noon\"]}]", "noon"},
		{"role of nobody", "justifications: [{name: a, role: nope, destinations: [any]}]", `justifications[0].role: "nope": is neither`},
		{"network", "networks: {internal: [10.0.0.0/99]}", "10.0.0.0/99"},
		{"zone", "business_hours: {timezone: Mars/Base}", "Mars/Base"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := configs.Load(write(t, tt.text), nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v; want one line with %q", err, tt.want)
			}
		})
	}
}

// TestYAML: what YAML allows beside plain keys is read as it is meant.
func TestYAML(t *testing.T) {
	for _, text := range []string{
		"forward:\nroles:\n", "# nothing\n", "---\nlog: {level: info}\n", "forward: {tls: null}\n",
		"Forward: {Durability: strict}\n", "forward: {<<: {durability: strict}}\n",
		"listen: &a {http: \"127.0.0.1:0\"}\nlimits: {connections: 1}\n",
	} {
		c := load(t, text)
		if c.Forward.Broker.Listen != "127.0.0.1:4222" || c.Forward.Streams.Events.MaxBytes != 20e9 {
			t.Errorf("%q: the defaults are gone: %+v", text, c.Forward)
		}
		if strings.Contains(text, "strict") && c.Forward.Broker.Durability != "strict" {
			t.Errorf("%q: durability %q", text, c.Forward.Broker.Durability)
		}
	}
	for _, text := range []string{"- a\n", "log: {level: info}\n---\nlog: {level: debug}\n", "log: info\n", "log: {level: info}\nlog: {level: debug}\n"} {
		if _, err := configs.Load(write(t, text), nil); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestSecretsStayOut(t *testing.T) {
	file := write(t, "forward: {uplink: {url: \"nats://soc:hunter2@nats.example.com:4222\"}}")
	for _, asJSON := range []bool{false, true} {
		text, err := configs.Print(file, asJSON)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "hunter2") || !strings.Contains(string(text), "nats.example.com:4222") {
			t.Errorf("printed:\n%s", text)
		}
	}
}

func load(t *testing.T, text string) configs.Config {
	t.Helper()
	c, err := configs.Load(write(t, text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "vegress.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestDefaultsAsAFile: what is in force can be written down and read again, in
// the spelling of the documentation and in that of config print.
func TestDefaultsAsAFile(t *testing.T) {
	defaults, err := os.ReadFile("default.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"default.yaml": string(defaults),
		"elements": `analytics:
  an1189: {ProcessName: [rclone, powershell.exe], DataTransferThreshold: 2MB, TimeWindow: 10m}
  an1190: {parentprocess: [cron], RequestFrequency: 30, HostnamePattern: ["*.dead.example"]}
  an1191: {ConnectionInterval: {min: 10s}, ProcessSignature: [unsigned]}
`,
	} {
		c, err := configs.Load(write(t, text), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if name == "elements" && (c.Behavior.AN1190.ParentProcess[0] != "cron" || c.WebUse().ProcessSignature[0] != "unsigned") {
			t.Errorf("%+v", c.Behavior)
		}
	}
}

// TestFaultOfAnElement: what is wrong with a key that has capitals is said with
// its key and its line, as of all others.
func TestFaultOfAnElement(t *testing.T) {
	_, err := configs.Load(write(t, "analytics:\n  an1191:\n    ProcessSignature: [expired]\n"), nil)
	var all configs.Faults
	if !errors.As(err, &all) || len(all) != 1 || all[0].Key != "analytics.an1191.ProcessSignature" || all[0].Line != 3 {
		t.Errorf("%+v", err)
	}
}
