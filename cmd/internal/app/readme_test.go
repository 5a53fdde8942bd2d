package app

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestDocumentedCommands: every vegress command that the README, the pages in
// docs and the help texts show is one that this binary takes.
func TestDocumentedCommands(t *testing.T) {
	files, err := filepath.Glob("../../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, file := range append(files, "../../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range commandsIn(shellBlocks(string(text))) {
			total++
			if err := accepted(command); err != nil {
				t.Errorf("%s: %s: %v", filepath.Base(file), strings.Join(command, " "), err)
			}
		}
	}
	if total < 20 {
		t.Errorf("found only %d commands in the documentation", total)
	}
	for _, cmd := range commands(newRoot(Streams{})) {
		if cmd.Example == "" && !cmd.HasSubCommands() {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for _, command := range commandsIn(cmd.Example) {
			if err := accepted(command); err != nil {
				t.Errorf("help of %s: %s: %v", cmd.CommandPath(), strings.Join(command, " "), err)
			}
		}
	}
}

func shellBlocks(markdown string) string { return strings.Join(blocks(markdown, "sh"), "") }

// blocks finds the code of a language.
func blocks(markdown, language string) (all []string) {
	block := regexp.MustCompile("(?ms)^[ \t]*```" + language + "\n(.*?)^[ \t]*```")
	for _, found := range block.FindAllStringSubmatch(markdown, -1) {
		all = append(all, found[1])
	}
	return all
}

// commandsIn finds the calls of vegress in shell lines, and gives their words
// after the program's name.
func commandsIn(script string) (all [][]string) {
	script = strings.ReplaceAll(script, "\\\n", " ")
	for line := range strings.SplitSeq(script, "\n") {
		for _, words := range shellCommands(line) {
			words = slices.DeleteFunc(words, func(w string) bool { return assignment.MatchString(w) })
			if len(words) > 0 && words[0] == "sudo" {
				words = words[1:]
			}
			switch {
			case len(words) > 2 && slices.Equal(words[:3], []string{"go", "run", "./cmd/vegress"}):
				all = append(all, words[3:])
			case len(words) > 0 && filepath.Base(words[0]) == "vegress":
				all = append(all, words[1:])
			}
		}
	}
	return all
}

var assignment = regexp.MustCompile(`^[A-Z_]+=`)

// shellCommands takes a line apart: commands, and words in them. It knows
// quotes, comments, pipes and lists, and leaves redirections out.
func shellCommands(line string) (all [][]string) {
	var words []string
	end := func() {
		if len(words) > 0 {
			all = append(all, words)
		}
		words = nil
	}
	for rest := line; ; {
		m := token.FindStringSubmatchIndex(rest)
		if m == nil {
			break
		}
		word := rest[m[2]:m[3]]
		rest = rest[m[1]:]
		switch {
		case strings.HasPrefix(word, "#"):
			rest = ""
		case strings.ContainsAny(word[:1], "|&;()"):
			end()
		case redirection.MatchString(word):
			if target := redirection.FindString(word); target == word {
				if m := token.FindStringIndex(rest); m != nil {
					rest = rest[m[1]:]
				}
			}
		default:
			words = append(words, strings.NewReplacer(`'`, "", `"`, "").Replace(word))
		}
	}
	end()
	return all
}

var (
	token       = regexp.MustCompile(`[ \t]*(#.*|[|&;()]+|(?:'[^']*'|"[^"]*"|\\.|[^\s'"\\|&;()])+)`)
	redirection = regexp.MustCompile(`^[0-9]?[<>]+`)
)

// commands is the tree below cmd, as a list.
func commands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		all = append(all, commands(sub)...)
	}
	return all
}

// accepted parses a command line as Main does, and runs nothing.
func accepted(words []string) error {
	cmd, rest, err := newRoot(Streams{}).Find(words)
	if err != nil {
		return err
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if help, err := cmd.Flags().GetBool("help"); err == nil && help {
		return nil
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

func TestCommandsIn(t *testing.T) {
	script := "# vegress no\n" +
		"zcat x.gz | vegress replay --json - >a 2> b   # vegress no\n" +
		"FOO=1 ./vegress run & go run ./cmd/vegress demo && vegress tail --events \\\n  | grep 'vegress | test'\n"
	want := [][]string{{"replay", "--json", "-"}, {"run"}, {"demo"}, {"tail", "--events"}}
	got := commandsIn(script)
	if !slices.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, wrong := range []string{"bogus", "config bogus", "run --bogus", "replay", "version x", "demo --for soon"} {
		if accepted(strings.Fields(wrong)) == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}

// TestDocumentedReload: docs/configuration.md says of each key whether a reload
// puts it in force, and of those that it does not, reload.go warns.
func TestDocumentedReload(t *testing.T) {
	text, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	config := testConfig(t, write(t, "c.yaml", "vcenters: [{name: a, url: \"https://a\", username: u}]\n"), nil)
	restart := new(App).restartKeys(&config)
	row := regexp.MustCompile("(?m)^\\| `([a-z_.]+)`.* \\| (yes|no) \\|$")
	keys := row.FindAllStringSubmatch(string(text), -1)
	for _, key := range keys {
		kept := slices.ContainsFunc(restart, func(k string) bool { return key[1] == k || strings.HasPrefix(key[1], k+".") })
		if inVCenter := !strings.Contains(key[1], ".") && !slices.Contains([]string{"data_dir", "collector", "max_skew"}, key[1]); !inVCenter && kept != (key[2] == "no") {
			t.Errorf("reload of %s: the page says %s; needs a restart: %t", key[1], key[2], kept)
		}
	}
	if len(keys) < 40 {
		t.Errorf("only %d keys found", len(keys))
	}
}
