package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

// awkward has what a shell or roff could take for its own.
const awkward = `a "b" it's [c] (d) {e}: \f \\ $g $(h) ${i} ` + "\u00e9\u2026" + ` 100% <j> | k; & * ? # ~ ! ^ - -- = @ , ./`

func awkwardApp() *cli.App {
	return &cli.App{
		Name: "try", Usage: awkward, Version: "1-2", HideHelpCommand: true,
		Commands: []*cli.Command{
			{
				Name: "all-of", Aliases: []string{"a"}, Usage: awkward, ArgsUsage: "FILES:[X]", Description: awkward + "\n\n.TH\n\n   .one 'two'\n   \\three",
				Flags: []cli.Flag{
					Offer(&cli.StringFlag{Name: "one-of", Aliases: []string{"o"}, Usage: awkward}, "plain", "wi th", "$x", "qu'ote", "b(r)[a]c", `back\slash`, "é"),
					Offer(&cli.StringFlag{Name: "weights", Usage: "none or a `FILE`"}, "none"),
					&cli.StringFlag{Name: "folder", Usage: "in `DIR`:[x]"},
					&cli.StringFlag{Name: "from", Usage: "of `DATA`"},
					&cli.StringSliceFlag{Name: "min", Usage: "`NAME=X`, may be repeated"},
					&cli.IntFlag{Name: "top-k", Value: 5, Usage: "number"},
					&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do it", Category: "others"},
					OldName("older", "from"),
				},
			},
			{Name: "none", Usage: "no arguments"},
			{Name: "shell", Usage: "one of some", ArgsUsage: "this|that"},
			{Name: "secret", Usage: "not listed", Hidden: true},
		},
	}
}

// lines are command lines, each a list of words of which the last is to be completed,
// with what every shell offers.
func lines() []struct{ words, want []string } {
	one := []string{"--one-of", "-o", "--weights", "--folder", "--from", "--min", "--top-k", "--yes", "-y", "--help", "-h"}
	choices := []string{"plain", "wi th", "$x", "qu'ote", "b(r)[a]c", `back\slash`, "é"}
	return []struct{ words, want []string }{
		{[]string{"try", ""}, []string{"all-of", "a", "none", "shell"}},
		{[]string{"try", "sh"}, []string{"shell"}},
		{[]string{"try", "-"}, []string{"--help", "-h"}},
		{[]string{"try", "all-of", "-"}, one},
		{[]string{"try", "a", "--y"}, []string{"--yes"}},
		{[]string{"try", "all-of", "-y", "--one-of", ""}, choices},
		{[]string{"try", "a", "-o", "p"}, []string{"plain"}},
		{[]string{"try", "a", "--one-of", "zz"}, nil},
		{[]string{"try", "a", ""}, []string{"file x", "folder y"}},
		{[]string{"try", "a", "--top-k", ""}, nil},
		{[]string{"try", "a", "--min", ""}, nil},
		{[]string{"try", "a", "--min", "x=1", "--mi"}, []string{"--min"}},
		{[]string{"try", "a", "--folder", ""}, []string{"folder y"}},
		{[]string{"try", "a", "--folder", "f"}, []string{"folder y"}},
		{[]string{"try", "a", "--from", ""}, []string{"file x", "folder y"}},
		{[]string{"try", "a", "--weights", "n"}, []string{"none"}},
		{[]string{"try", "a", "--weights", "fi"}, []string{"file x"}},
		{[]string{"try", "a", "--", "-"}, nil},
		{[]string{"try", "none", "-"}, []string{"--help", "-h"}},
		{[]string{"try", "shell", ""}, []string{"this", "that"}},
		{[]string{"try", "secret", "--h"}, nil},
	}
}

// written writes the script of a shell, which must be there to run it, into a folder
// that has a file and a folder to offer.
func written(t *testing.T, shell string) (dir, script string) {
	t.Helper()
	if _, err := exec.LookPath(shell); err != nil {
		t.Skipf("cannot run the script: %v", err)
	}
	text, ok := Completion(awkwardApp(), shell)
	if !ok {
		t.Fatal("unknown shell")
	}
	script, dir = filepath.Join(t.TempDir(), "_try"), t.TempDir()
	for _, err := range []error{
		os.WriteFile(script, []byte(text), 0o644),
		os.WriteFile(filepath.Join(dir, "file x"), nil, 0o644),
		os.Mkdir(filepath.Join(dir, "folder y"), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir, script
}

// runShell runs a shell in a folder, with an empty home, and returns its lines.
func runShell(t *testing.T, dir, shell string, args ...string) []string {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute) // a shell that waits for input waits forever
	defer stop()
	c := exec.CommandContext(ctx, shell, args...)
	home := t.TempDir()
	c.Dir, c.Env = dir, append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "LC_ALL=C.UTF-8", "TERM=dumb")
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil || stderr.Len() > 0 {
		t.Errorf("%s %q: %v, stderr %q", shell, args, err, stderr.String())
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

func same(got, want []string) bool {
	got, want = slices.Clone(got), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	return slices.Equal(slices.Compact(got), want)
}

func TestBashCompletes(t *testing.T) {
	dir, script := written(t, "bash")
	// Files and folders are readline's work; the script says which.
	const driver = `source "$1"; shift
compopt() { said="$*"; }
said= files=() COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_try
case $said in
'') files=(*) ;;
*dirnames) files=(*/) ;;
esac
if ((${#COMPREPLY[@]})); then
    printf '%s\n' "${COMPREPLY[@]}"
    exit
fi
for file in ${files[@]+"${files[@]%/}"}; do
    [[ $file != "${COMP_WORDS[COMP_CWORD]#=}"* ]] || echo "$file"
done`
	more := []struct{ words, want []string }{ // bash makes three words of --one-of=p
		{[]string{"try", "a", "--one-of", "="}, []string{"plain", "wi th", "$x", "qu'ote", "b(r)[a]c", `back\slash`, "é"}},
		{[]string{"try", "a", "--one-of", "=", "p"}, []string{"plain"}},
		{[]string{"try", "a", "--folder", "="}, []string{"folder y"}},
		{[]string{"try", "none", ""}, []string{"--help", "-h"}},
	}
	for _, line := range append(lines(), more...) {
		if got := runShell(t, dir, "bash", append([]string{"--norc", "--noprofile", "-uc", driver, "bash", script}, line.words...)...); !same(got, line.want) {
			t.Errorf("%q: got %q, want %q", line.words, got, line.want)
		}
	}
}

// zshOffers is what zsh offers for each line, and what it shows beside that. The line
// editor needs a terminal, which zpty makes. When the first line begins, a widget fills
// it in and completes it, again and again, and compadd writes down what it finds.
func zshOffers(t *testing.T, dir, load string, lines []string) (offered, shown map[string][]string) {
	t.Helper()
	found, driver := filepath.Join(t.TempDir(), "found"), filepath.Join(t.TempDir(), "driver")
	const text = `LOAD
compadd() {
    local -a hits
    if [[ ${argv[(r)-[OAD]]} == "" ]]; then
        builtin compadd -O hits "$@"
        print -rl -- "+ "${^hits} >>FOUND
        integer shown=${argv[(i)-*d]}
        ((shown < $#)) && print -rl -- "# "${(P@)^argv[shown+1]} >>FOUND
    fi
    builtin compadd "$@"
}
zle-line-init() {
    local line COLUMNS=1000 # for usages in full
    for line in LINES; do
        print -r -- "> $line" >>FOUND
        BUFFER=$line CURSOR=$#line
        zle complete-word
    done
    BUFFER=exit
    zle accept-line
}
zle -N zle-line-init
`
	filled := strings.NewReplacer("LOAD", load, "FOUND", quoted(found), "LINES", quoted(lines...)).Replace(text)
	if err := os.WriteFile(driver, []byte(filled), 0o644); err != nil {
		t.Fatal(err)
	}
	runShell(t, dir, "zsh", "-fc", `zmodload zsh/zpty
zpty terminal zsh -fi
zpty -w terminal "source ${(q)1}"
while zpty -r terminal; do :; done >/dev/null`, "zsh", driver)
	out, err := os.ReadFile(found)
	if err != nil {
		t.Fatal(err)
	}
	offered, shown = map[string][]string{}, map[string][]string{}
	var line string
	for row := range strings.Lines(string(out)) {
		switch row = strings.TrimSpace(row); row[:min(2, len(row))] {
		case "> ":
			line = row[2:]
		case "# ":
			shown[line] = append(shown[line], row[2:])
		case "+ ":
			offered[line] = append(offered[line], strings.ReplaceAll(row[2:], `\ `, " ")) // names of files are quoted
		}
	}
	return offered, shown
}

func TestZshCompletes(t *testing.T) {
	dir, script := written(t, "zsh")
	all := append(lines(), []struct{ words, want []string }{
		{[]string{"try", "a", "--one-of=p"}, []string{"plain"}},
		{[]string{"try", "a", "--folder="}, []string{"folder y"}},
		{[]string{"try", "a", "--one-of", "x", "--one"}, nil}, // given already
		{[]string{"try", "a", "--one-of", "x", "-o"}, nil},
		{[]string{"try", "none", ""}, []string{"--help", "-h"}},
	}...)
	var typed []string
	for _, line := range all {
		typed = append(typed, strings.Join(line.words, " "))
	}
	for name, load := range map[string]string{
		"sourced": "autoload -Uz compinit; compinit -D -u; source " + quoted(script),
		"loaded":  "fpath=(" + quoted(filepath.Dir(script)) + " $fpath); autoload -Uz compinit; compinit -D -u",
	} {
		offered, shown := zshOffers(t, dir, load, typed)
		for i, line := range all {
			if got := offered[strings.TrimSpace(typed[i])]; !same(got, line.want) {
				t.Errorf("%s: %q: got %q, want %q", name, line.words, got, line.want)
			}
		}
		for _, line := range []string{"try", "try all-of -"} {
			if !slices.Contains(shown[line], "-- "+awkward) {
				t.Errorf("%s: %s: shows %q, not the usage %q", name, line, shown[line], awkward)
			}
		}
	}
}

func TestFishCompletes(t *testing.T) {
	dir, script := written(t, "fish")
	offer := func(line string) []string {
		return runShell(t, dir, "fish", "-c", "source $argv[1]; complete -C $argv[2]", script, line)
	}
	for _, line := range lines() {
		var got []string
		for _, row := range offer(strings.Join(line.words, " ")) {
			word, _, _ := strings.Cut(row, "\t")
			got = append(got, strings.TrimSuffix(word, "/"))
		}
		if !same(got, line.want) {
			t.Errorf("%q: got %q, want %q", line.words, got, line.want)
		}
	}
	if got := offer("try all"); len(got) != 1 || got[0] != "all-of\t"+awkward {
		t.Errorf("got %q, want the usage", got)
	}
	if got := offer("try a --folder=f"); len(got) != 1 || !strings.HasPrefix(got[0], "--folder=folder y/") {
		t.Errorf("got %q, want the folder", got)
	}
}
