package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vegress/vegress/simulator"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"vegress": func() { os.Exit(run()) },
		"code":    func() { os.Exit(code(os.Args[1:])) },
	})
}

// code runs a command and succeeds when it ends with that exit code.
//
//	exec code 2 vegress run --bogus
func code(args []string) int {
	want, err := strconv.Atoi(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		fmt.Fprintf(os.Stderr, "exit code %d, want %d\n", got, want)
		return 1
	}
	return 0
}

// TestScripts runs the command as a shell does: each file in testdata is one
// script, and the files that it works with.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("VEGRESS_DATA_DIR", filepath.Join(env.WorkDir, "data"))
			env.Setenv("VEGRESS_COLLECTOR", "script")
			env.Setenv("VEGRESS_LISTEN_SYSLOG", "tcp://127.0.0.1:0")
			env.Setenv("VEGRESS_LISTEN_HTTP", "127.0.0.1:0")
			env.Setenv("VEGRESS_FORWARD_LISTEN", "127.0.0.1:0")
			env.Setenv("VEGRESS_LOG_FORMAT", "json")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"await": await, "occupy": occupy, "ready": ready, "vcsim": vcsim,
		},
	})
}

const patience = 3 * time.Minute

// await waits until a file has a line that matches.
//
//	await FILE PATTERN
func await(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile("(?m)" + args[1])
	file := ts.MkAbs(args[0])
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if text, err := os.ReadFile(file); err == nil && pattern.Match(text) {
			return
		}
	}
	text, _ := os.ReadFile(file)
	ts.Fatalf("%s has no %q within %s:\n%s", args[0], args[1], patience, text)
}

// ready waits until a service says in its log that it is ready, and sets
// SYSLOG, NATS and HTTP to its addresses.
//
//	ready LOG
func ready(ts *testscript.TestScript, neg bool, args []string) {
	await(ts, neg, []string{args[0], `"msg":"ready"`})
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile(args[0])))
	for lines.Scan() {
		var line struct {
			Msg        string
			Syslog     []string
			Nats, HTTP string
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
			ts.Setenv("SYSLOG", line.Syslog[0])
			ts.Setenv("NATS", line.Nats)
			ts.Setenv("HTTP", line.HTTP)
		}
	}
}

// occupy listens on a free port until the script ends, and sets the variable
// to its address.
//
//	occupy VARIABLE
func occupy(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// vcsim starts a simulated vCenter until the script ends, and sets VCENTER,
// VCUSER and VM (a backup proxy's name). It writes password, ca.pem,
// vegress.yaml, and night.log, the firewall lines of that VM.
func vcsim(ts *testscript.TestScript, _ bool, _ []string) {
	e, err := simulator.Start(context.Background(), simulator.Options{})
	ts.Check(err)
	ts.Defer(func() { ts.Check(e.Close()) })
	ca, err := os.ReadFile(e.CAFile())
	ts.Check(err)
	at := slices.IndexFunc(e.Site.VMs, func(vm *simulator.VM) bool { return vm.Role == "backup" })
	proxy := e.Site.VMs[at]
	ts.Setenv("VM", proxy.Name)
	var night strings.Builder
	for r := range e.Site.Traffic().Records() {
		if strings.Contains(r.Line, " "+proxy.Address.String()+"/") {
			night.WriteString(r.Line + "\n")
		}
	}
	ts.Setenv("VCENTER", e.URL())
	ts.Setenv("VCUSER", e.Username())
	config := fmt.Sprintf("vcenters: [{name: vc1, url: %q, username: %q, password_file: %q, ca_file: %q}]\n%s",
		e.URL(), e.Username(), ts.MkAbs("password"), ts.MkAbs("ca.pem"), e.Site.Config())
	for name, text := range map[string]string{
		"password": e.Password(), "ca.pem": string(ca), "vegress.yaml": config, "night.log": night.String(),
	} {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}
