//go:build unix

package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/simulator"
)

// consumed is a service for the consumers of docs/consuming.md: their
// commands find it by NATS_URL and NATS_CA.
type consumed struct {
	*service
	vm     *simulator.VM // without a role: nothing justifies what it does
	js     jetstream.JetStream
	server string // its URL, without a user
	env    []string
	ca     string
	sent   *int // connections of vm
}

// on is c for a subtest.
func (c consumed) on(t *testing.T) *consumed {
	s := *c.service
	s.t, c.service = t, &s
	return &c
}

// secret is the password of the users soc (consumer) and ops (admin).
const secret = "a word/with @ in it: 24"

// serveConsumers starts a service over the estate that config describes;
// secured means TLS, and users.
func serveConsumers(t *testing.T, site *simulator.Site, config, compression string, secured bool) *consumed {
	t.Helper()
	overrides := map[string]any{"forward.compression": compression}
	c := &consumed{vm: vmWith(t, site, ""), sent: new(int)}
	if secured {
		var err error
		if c.ca, err = (&show{dir: t.TempDir()}).certificate(); err != nil {
			t.Fatal(err)
		}
		overrides["forward.tls.cert_file"], overrides["forward.tls.key_file"] = c.ca, c.ca
		overrides["forward.users_file"] = write(t, "users.yaml", fmt.Sprintf(
			"users:\n- {name: soc, role: consumer, password: %q}\n- {name: ops, role: admin, password: %[1]q}\n", secret))
	}
	c.service = start(t, testConfig(t, config, overrides))
	c.server = c.broker.ClientURL()
	c.env = append(os.Environ(), "NATS_URL="+c.as("soc"), "NATS_CA="+c.ca, "XDG_CONFIG_HOME="+t.TempDir())
	var err error
	if c.js, err = jetstream.New(c.conn); err != nil {
		t.Fatal(err)
	}
	c.contact(150)
	stream, err := c.js.Stream(t.Context(), forward.EventsStream)
	if err != nil {
		t.Fatal(err)
	}
	pack, err := stream.GetLastMsgForSubject(t.Context(), "vegress.events.network_activity.>")
	if err != nil {
		t.Fatal(err)
	}
	if got := cmp.Or(pack.Header.Get("Content-Encoding"), forward.CompressNone); got != compression {
		t.Fatalf("Content-Encoding %s, want %s", got, compression)
	}
	return c
}

// as is the URL for a user, where there are users.
func (c *consumed) as(user string) string {
	if c.ca == "" {
		return c.server
	}
	return strings.Replace(c.server, "://", "://"+user+":a%20word%2Fwith%20%40%20in%20it%3A%2024@", 1)
}

// contact makes n connections that nothing justifies, each to an address of
// its own, and lets a host fetch a file, which is a finding of high severity.
func (c *consumed) contact(n int) {
	c.t.Helper()
	before, to := c.account().Received, c.sender()
	for range n {
		*c.sent++
		fmt.Fprintln(to, flow(c.vm, 1024+*c.sent, fmt.Sprintf("203.0.113.%d/443", *c.sent%256)))
	}
	fmt.Fprintf(to, "<14>%s %s shell[2239481]: [root]: wget https://%d.example.net/tool.vib\n",
		time.Now().UTC().Format(stamp), c.vm.Host, *c.sent)
	c.settled(before + int64(n) + 1)
}

// acknowledged waits until the consumer has acknowledged all that there is
// for it, and gives the sequence up to which that is.
func (c *consumed) acknowledged(stream, durable string) (sequence uint64) {
	c.t.Helper()
	c.eventually(durable+" has acknowledged all", func() bool {
		consumer, err := c.js.Consumer(c.t.Context(), stream, durable)
		if err != nil {
			return false
		}
		info := consumer.CachedInfo()
		if info.NumRedelivered > 0 {
			c.t.Fatalf("%d messages of %s are delivered again", info.NumRedelivered, durable)
		}
		sequence = info.AckFloor.Stream
		return sequence > 0 && info.NumPending == 0 && info.NumAckPending == 0
	})
	return sequence
}

// program is a consumer that runs until it is interrupted.
type program struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err lockedBuffer
	ended    chan struct{}
}

// run starts a program, or a shell's line, in a group of its own: what is
// sent to it is sent to its children, as from a terminal.
func (c *consumed) run(env []string, words ...string) *program {
	t := c.t
	t.Helper()
	p := &program{t: t, cmd: exec.Command(words[0], words[1:]...), ended: make(chan struct{})}
	p.cmd.Env = append(slices.Clone(c.env), env...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = t.TempDir(), &p.out, &p.err
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(p.ended); _ = p.cmd.Wait() }()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.ended
		if said := p.err.String(); said != "" && t.Failed() {
			t.Logf("%q says: %s", words, said)
		}
	})
	return p
}

func (p *program) signal(s syscall.Signal) {
	select {
	case <-p.ended: // its number may be another's by now
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

// interrupt is Ctrl-C: the program has to end well, within a minute.
func (p *program) interrupt() {
	p.t.Helper()
	p.signal(syscall.SIGINT)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatal("it goes on after an interrupt")
	}
	if !p.cmd.ProcessState.Success() {
		p.t.Errorf("%s: %s", p.cmd.ProcessState, p.err.String())
	}
}

// records are the lines that a program printed, without what explains them.
func (p *program) records() (all []string) {
	for line := range strings.Lines(p.out.String()) {
		if !strings.HasPrefix(line, " ") {
			all = append(all, line)
		}
	}
	return all
}

// consumer is a program of docs/consuming.md, and whose place the server keeps.
type consumer struct {
	stream, durable string
	words           []string
}

// check runs the program twice: it prints all that is stored, and after a
// restart what has come since, and nothing again.
func (c *consumed) check(program consumer) {
	c.t.Helper()
	var printed []string
	for place := uint64(0); ; {
		p := c.run(nil, program.words...)
		upTo := c.acknowledged(program.stream, program.durable)
		p.interrupt()
		got := p.records()
		want := int(upTo - place) // a finding is a message
		if program.stream == forward.EventsStream {
			want = *c.sent - len(printed)
		}
		if len(got) != want {
			c.t.Errorf("%d records, want %d: %s", len(got), want, p.out.String())
		}
		if said := p.err.String(); said != "" {
			c.t.Errorf("it complains: %s", said)
		}
		printed = append(printed, got...)
		if place > 0 {
			break
		}
		place = upTo
		c.contact(5)
	}
	slices.Sort(printed)
	if all := len(printed); len(slices.Compact(printed)) != all {
		c.t.Errorf("of %d records some are the same", all)
	}
	if all := strings.Join(printed, ""); !strings.Contains(all, "203.0.113.9") {
		c.t.Errorf("no connection to 203.0.113.9: %s", all)
	}
}

// TestConsumers runs the Go and the Python program of docs/consuming.md, with
// each compression, with and without users and TLS.
func TestConsumers(t *testing.T) {
	t.Parallel()
	page := consumingPage(t)
	estate, vcenter := openEstate(t)
	config := write(t, "vegress.yaml", vcenter+estate.Site.Config())
	dir := t.TempDir()
	build := sync.OnceValues(func() (string, error) { return buildGo(t.Context(), dir, page) })
	python := filepath.Join(dir, "findings.py")
	if err := os.WriteFile(python, []byte(blocks(page, "python")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		compression string
		secured     bool
	}{{forward.CompressNone, false}, {forward.CompressSnappy, false}, {forward.CompressZstd, true}} {
		t.Run(tt.compression, func(t *testing.T) {
			c := serveConsumers(t, estate.Site, config, tt.compression, tt.secured)
			t.Run("Go", func(t *testing.T) {
				file, err := build()
				if err != nil {
					unlessOffline(t, err)
				}
				c.on(t).check(consumer{forward.EventsStream, "egresswatch", []string{file}})
			})
			t.Run("Python findings", func(t *testing.T) {
				need(t, "python3")
				c.on(t).check(consumer{forward.FindingsStream, "soc_python", []string{"python3", python}})
			})
			t.Run("Python events", func(t *testing.T) {
				need(t, "python3")
				words := []string{"python3", python, forward.EventsStream}
				if tt.compression == forward.CompressSnappy {
					p := c.on(t).run(nil, words...)
					eventually(t, "it says that it reads no snappy", func() bool {
						return p.err.String() == "Content-Encoding snappy is not known here\n"
					})
					return
				}
				if tt.compression == forward.CompressZstd {
					need(t, "zstd")
				}
				c.on(t).check(consumer{forward.EventsStream, "soc_python", words})
			})
		})
	}
}

// TestPythonConsumerGoesOn: a pull that ends with nothing, a connection that
// is lost and a consumer that is deleted do not stop the Python program.
func TestPythonConsumerGoesOn(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	estate, vcenter := openEstate(t)
	c := serveConsumers(t, estate.Site, write(t, "vegress.yaml", vcenter+estate.Site.Config()), forward.CompressNone, false)
	pulls, err := c.conn.SubscribeSync("$JS.API.CONSUMER.MSG.NEXT." + forward.FindingsStream + ".soc_python")
	if err := errors.Join(err, c.conn.Flush()); err != nil {
		t.Fatal(err)
	}
	between := newRelay(t, strings.TrimPrefix(c.server, "nats://"))
	p := c.run([]string{"NATS_URL=nats://" + between.Addr().String()}, "python3", write(t, "findings.py", blocks(consumingPage(t), "python")[0]))
	read := c.acknowledged(forward.FindingsStream, "soc_python")
	for _, err = pulls.NextMsg(time.Millisecond); err == nil; _, err = pulls.NextMsg(time.Millisecond) {
	}
	for range 2 { // the second one follows a 408: nothing came in time
		if _, err := pulls.NextMsg(patience); err != nil {
			t.Fatalf("no pull after one that ended: %v", err)
		}
	}
	between.cut()
	c.contact(1)
	c.eventually("what comes after a lost connection", func() bool {
		return c.acknowledged(forward.FindingsStream, "soc_python") > read
	})
	if got, want := len(p.records()), int(c.acknowledged(forward.FindingsStream, "soc_python")); got != want {
		t.Errorf("%d findings, want %d: %s", got, want, p.out.String())
	}
	if err := c.js.DeleteConsumer(t.Context(), forward.FindingsStream, "soc_python"); err != nil {
		t.Fatal(err)
	}
	all := c.acknowledged(forward.FindingsStream, "soc_python")
	p.interrupt()
	if got, want := len(p.records()), int(read+1+all); got < want {
		t.Errorf("%d findings, want %d at least: %s", got, want, p.out.String())
	}
	if said := p.err.String(); strings.Count(said, "connecting again") != 2 || !strings.Contains(said, "409 Consumer Deleted") {
		t.Errorf("it says: %s", said)
	}
}

func consumingPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/consuming.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// need skips the test where a program is not installed.
func need(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("not tried: %v", err)
	}
}

// unlessOffline fails, or skips where a module would have to be downloaded.
func unlessOffline(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(err.Error(), "GOPROXY=off") || errors.Is(err, exec.ErrNotFound) {
		t.Skipf("not tried: the program cannot be built from what is on this machine: %v", err)
	}
	t.Fatal(err)
}

// buildGo builds the Go program of the page, with the modules that this module
// has, which have to be the ones that the page names.
func buildGo(ctx context.Context, dir, page string) (file string, err error) {
	mod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		return "", err
	}
	for _, named := range regexp.MustCompile(`go get (.*)`).FindAllStringSubmatch(page, -1) {
		for required := range strings.FieldsSeq(strings.ReplaceAll(named[1], "@", " ")) {
			if !strings.Contains(string(mod), required) {
				return "", fmt.Errorf("the page says %q, go.mod does not have %s", named[0], required)
			}
		}
	}
	sum, err := os.ReadFile("../../../go.sum")
	if err != nil {
		return "", err
	}
	mod = regexp.MustCompile(`(?m)^module .*`).ReplaceAll(mod, []byte("module example.com/egresswatch"))
	for name, text := range map[string]string{"go.mod": string(mod), "go.sum": string(sum), "main.go": blocks(page, "go")[0]} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", "egresswatch", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, said)
	}
	return filepath.Join(dir, "egresswatch"), nil
}

// natsCommand is a command of the nats CLI, as a page has it.
type natsCommand struct {
	line string
	want *regexp.Regexp // what it has to print
}

// prints says what a command prints, by what is in its line. A command that
// is not here has no place in the documentation.
var prints = []struct{ in, out string }{
	{"stream ls", `VEGRESS_EVENTS`},
	{"stream info VEGRESS_FINDINGS --json", `^\d+\n$`},
	{"stream info VEGRESS_FINDINGS", `First Sequence: 1`},
	{"stream subjects VEGRESS_EVENTS", `vegress\.events\.network_activity\.0\.test`},
	{"critical.>' --raw", `\{"title":".+","count":\d+\}\n`},
	{"sub 'vegress.findings.>'", `"class_uid":2004,.*\n`},
	{"sub 'vegress.events", `^\{"ip":"10\.\d+\.\d+\.\d+",`},
	{"stream get VEGRESS_FINDINGS", `(?s)ce-type: vegress\.finding\..*"class_uid":2004`},
	{"consumer add", `Unprocessed Messages: \d\d`},
	{"consumer next", `^(\{"class_uid":2004,.*\n){10}$`},
	{"consumer info VEGRESS_FINDINGS NAME --json", `^0\n$`},
	{"consumer info VEGRESS_FINDINGS NAME", `Last Delivered Message`},
	{"consumer info VEGRESS_FINDINGS soc", `Acknowledgment Floor: Consumer sequence: 10 `},
	{"consumer ls", `soc`},
	{"consumer rm", `^$`},
	{"kv get vegress_state", `^\{"host":`},
	{"kv get", `^\{"name":`},
	{"kv ls", `(?m)^vc1\.[0-9a-f-]{36}$`},
	{"context add", `Connection: OK`},
	{"server passwd --generate", `bcrypt hash: \$2a\$11\$`},
	{"backup stream", `Received .* compressed data`},
}

// natsCommands finds the nats commands of a page, in its shell blocks and its
// text.
func natsCommands(t *testing.T, file string) (all []natsCommand) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../..", file))
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(text), "\\\n", " ")
	lines := strings.Split(shellBlocks(page), "\n")
	for _, span := range regexp.MustCompile("[^`]`(nats [^`\n]+)`").FindAllStringSubmatch(page, -1) {
		lines = append(lines, span[1])
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "nats ") {
			continue
		}
		known := slices.IndexFunc(prints, func(p struct{ in, out string }) bool { return strings.Contains(line, p.in) })
		if known < 0 {
			t.Fatalf("%s: what should this print? %s", file, line)
		}
		all = append(all, natsCommand{line, regexp.MustCompile(prints[known].out)})
	}
	return all
}

// try runs a command; one that follows a subject until it has shown something,
// while things go on.
func (c *consumed) try(command natsCommand) {
	c.t.Helper()
	for _, name := range []string{"jq", "zstd"} {
		if _, err := exec.LookPath(name); err != nil && strings.Contains(command.line, name+" ") {
			c.t.Logf("not tried: %s: %v", command.line, err)
			return
		}
	}
	p := c.run(nil, "sh", "-c", command.line)
	follows := strings.HasPrefix(command.line, "nats sub ") && !strings.Contains(command.line, "--terminate-at-end")
	c.eventually(command.line, func() bool {
		if follows && !command.want.MatchString(p.out.String()) {
			c.contact(1)
			return false
		}
		return follows || p.over()
	})
	if follows {
		p.signal(syscall.SIGINT)
	} else if !p.cmd.ProcessState.Success() || !command.want.MatchString(p.out.String()) {
		c.t.Errorf("%s: %s: %s%s\nwant %s", command.line, p.cmd.ProcessState, p.out.String(), p.err.String(), command.want)
	}
}

func (p *program) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// TestNATSCommands runs the commands of the nats CLI that the documentation
// shows, on loopback without users, and over TLS as a consumer and an admin.
func TestNATSCommands(t *testing.T) {
	t.Parallel()
	bin, err := filepath.Abs("../../../.ci/bin")
	if err != nil {
		t.Fatal(err)
	}
	path := "PATH=" + os.Getenv("PATH") + string(os.PathListSeparator) + bin
	if _, err := exec.LookPath(filepath.Join(bin, "nats")); err != nil {
		need(t, "nats")
	}
	estate, vcenter := openEstate(t)
	config := write(t, "vegress.yaml", vcenter+estate.Site.Config())
	for _, secured := range []bool{false, true} {
		t.Run(fmt.Sprintf("secured=%v", secured), func(t *testing.T) {
			c := serveConsumers(t, estate.Site, config, forward.CompressZstd, secured)
			c.env = append(c.env, path)
			c.prepare()
			if !secured {
				for _, command := range c.documented("docs/consuming.md", "docs/troubleshooting.md", "README.md") {
					if !strings.Contains(command.line, "context add") {
						c.try(command)
					}
				}
				return
			}
			c.env = append(c.env, "NATS_URL=", "NATS_CA=") // a context says it
			commands := c.documented("docs/consuming.md", "docs/troubleshooting.md")
			context := slices.IndexFunc(commands, func(n natsCommand) bool { return strings.Contains(n.line, "context add") })
			c.try(commands[context])
			for _, command := range slices.Delete(commands, context, context+1) {
				c.try(command)
			}
			c.env = append(c.env, "NATS_URL="+c.as("ops"), "NATS_CA="+c.ca)
			for _, command := range c.documented("docs/operating.md") {
				c.try(command)
			}
		})
	}
}

// prepare makes the consumer NAME, and waits until the VMs are in their bucket.
func (c *consumed) prepare() {
	c.t.Helper()
	_, err := c.js.CreateConsumer(c.t.Context(), forward.FindingsStream, jetstream.ConsumerConfig{Durable: "NAME"})
	if err != nil {
		c.t.Fatal(err)
	}
	vms, err := c.js.KeyValue(c.t.Context(), forward.InventoryBucket)
	if err != nil {
		c.t.Fatal(err)
	}
	c.eventually("the VMs in their bucket", func() bool {
		state, err := vms.Status(c.t.Context())
		return err == nil && state.Values() > 0
	})
	c.contact(1)
	paths, err := c.js.KeyValue(c.t.Context(), forward.StateBucket)
	if err != nil {
		c.t.Fatal(err)
	}
	c.eventually("the host's log path in its bucket", func() bool {
		_, err := paths.Get(c.t.Context(), "host."+event.Slug(c.vm.Host))
		return err == nil
	})
}

// documented are the commands of the pages, for this service.
func (c *consumed) documented(files ...string) (all []natsCommand) {
	c.t.Helper()
	here := strings.NewReplacer("nats://127.0.0.1:4222", c.server, "tls://vegress.example.com:4222", c.server,
		"host.esx01_corp_local", "host."+event.Slug(c.vm.Host), "PASSWORD", "'"+secret+"'", "/etc/vegress/ca.pem", c.ca, "/backup/", c.t.TempDir()+"/")
	for _, file := range files {
		for _, command := range natsCommands(c.t, file) {
			command.line = here.Replace(command.line)
			all = append(all, command)
		}
	}
	if len(all) == 0 {
		c.t.Errorf("no nats command in %s", files)
	}
	return all
}
