package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	commandline "tftl/internal/cli"
)

// printed is what a command prints.
func printed(t *testing.T, arguments ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), append([]string{"tftl"}, arguments...), &stdout, &stderr); code != 0 || stderr.Len() > 0 {
		t.Fatalf("tftl %q: exit code %d, stderr %q", arguments, code, stderr.String())
	}
	return stdout.String()
}

// between cuts what is between two texts, the second of which may be missing.
func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

// Every command that help lists, and each of its flags, is in the scripts and on the
// manual page.
func TestEveryFlagIsInCompletionsAndManual(t *testing.T) {
	bash, zsh, fish, man := printed(t, "completion", "bash"), printed(t, "completion", "zsh"), printed(t, "completion", "fish"), printed(t, "man")
	count := 0
	for _, command := range commands() {
		name := command.Name
		parts := map[string]string{ // what each says about the command
			"bash": between(bash, "\n    "+name+")\n", "\n        ;;\n    "),
			"zsh":  between(zsh, "\n    "+name+")\n", "\n        ;;\n"),
			"fish": strings.Join(regexp.MustCompile(`(?m)^.*__tftl_command `+name+`'.*$`).FindAllString(fish, -1), "\n"),
			"man":  between(man, "\n.SS \"tftl "+strings.ReplaceAll(name, "-", `\-`)+" ", "\n.S"),
		}
		for where, part := range parts {
			if command.Hidden != (part == "") {
				t.Errorf("%s, hidden %v, in %s: %q", name, command.Hidden, where, part)
			}
		}
		if command.Hidden {
			continue
		}
		for _, f := range append(command.Flags, cli.HelpFlag) {
			if visible, ok := f.(cli.VisibleFlag); ok && !visible.IsVisible() {
				continue
			}
			for _, flag := range f.Names() {
				dashed, option := commandline.Dashed(flag), " -l "+flag+" "
				if len(flag) == 1 {
					option = " -s " + flag + " "
				}
				count++
				for where, found := range map[string]bool{
					"bash": strings.Contains(parts["bash"]+" ", " "+dashed+" ") || strings.Contains(parts["bash"], " "+dashed+"\n"),
					"zsh":  regexp.MustCompile(`[ ')*]` + dashed + `=?\[`).MatchString(parts["zsh"]),
					"fish": strings.Contains(parts["fish"], option),
					"man":  strings.Contains(parts["man"], `\fB`+strings.ReplaceAll(dashed, "-", `\-`)+`\fR`),
				} {
					if !found {
						t.Errorf("tftl %s %s is missing in %s", name, dashed, where)
					}
				}
			}
		}
	}
	if count < 200 {
		t.Errorf("only %d flags", count)
	}
}

// The shells can read the scripts, and checkers of manual pages find nothing.
func TestScriptsAndManualAreValid(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "86400")
	man := filepath.Join(t.TempDir(), "tftl.1")
	if err := os.WriteFile(man, []byte(printed(t, "man")), 0o644); err != nil {
		t.Fatal(err)
	}
	checks := [][]string{{"groff", "-ww", "-man", "-Tutf8", "-Z", man}, {"mandoc", "-T", "lint", "-W", "warning", man}}
	for _, shell := range commandline.Shells() {
		script := filepath.Join(t.TempDir(), shell)
		if err := os.WriteFile(script, []byte(printed(t, "completion", shell)), 0o644); err != nil {
			t.Fatal(err)
		}
		checks = append(checks, []string{shell, "-n", script})
	}
	for _, check := range checks {
		t.Run(check[0], func(t *testing.T) {
			if _, err := exec.LookPath(check[0]); err != nil {
				t.Skipf("cannot check: %v", err)
			}
			c := exec.Command(check[0], check[1:]...)
			var stderr bytes.Buffer
			c.Stderr = &stderr
			out, err := c.Output()
			if check[0] != "mandoc" { // which prints what it finds
				out = nil
			}
			if err != nil || stderr.Len() > 0 || len(out) > 0 {
				t.Errorf("%q: %v\n%s%s", check, err, out, stderr.String())
			}
		})
	}
}

// The program refuses none of the values that completions offer, and the usage names
// them. A flag whose error lists what is valid offers all of that.
func TestOfferedValuesAreValid(t *testing.T) {
	base := map[string]string{
		"fit": "--data p --model m", "evaluate": "--model m", "predict": "--model m a", "compare": "a b --no-worse-than 1",
		"lr-find": "--data p --model m", "preview": "--data p --image-size 32 --output x.png", "split": "p --output x.csv", "inspect": "p",
	}
	valid := regexp.MustCompile(`must be (?:one of )?((?:[\w\[\]]+, )*[\w\[\]]+(?: or [\w\[\]]+)?)\n`)
	values, lists := 0, 0
	for _, command := range commands() {
		for _, f := range command.Flags {
			offered, ok := f.(*commandline.Offered)
			if !ok {
				continue
			}
			flag := "--" + offered.Name
			refusal := func(value string) (text string, refused bool) {
				var stdout, stderr bytes.Buffer
				run(t.Context(), append([]string{"tftl", command.Name, flag, value}, strings.Fields(base[command.Name])...), &stdout, &stderr)
				return stderr.String(), strings.Contains(stderr.String(), flag+" \""+value+"\": ")
			}
			usage := strings.FieldsFunc(offered.Usage, func(r rune) bool { return strings.ContainsRune(" ,;:.", r) })
			for _, value := range offered.Values() {
				values++
				if text, refused := refusal(value); refused {
					t.Errorf("tftl %s %s %s: %s", command.Name, flag, value, text)
				}
				// tftl evaluate --help lists metrics. Numbers are examples.
				if offered.Name != "metric" && !strings.ContainsAny(value, "0123456789") && !slices.Contains(usage, value) {
					t.Errorf("tftl %s %s %s is not in the usage %q", command.Name, flag, value, offered.Usage)
				}
			}
			text, _ := refusal("nonsense")
			if list := valid.FindStringSubmatch(text); list != nil && offered.Name != "monitor" { // it offers no metric of the training part
				lists++
				want := strings.Split(strings.ReplaceAll(list[1], " or ", ", "), ", ")
				slices.Sort(want)
				if got := slices.Sorted(slices.Values(offered.Values())); !slices.Equal(got, want) {
					t.Errorf("tftl %s %s: offers %q, accepts %q", command.Name, flag, got, want)
				}
			}
		}
	}
	if values < 60 || lists < 15 {
		t.Errorf("%d values, %d lists", values, lists)
	}
}
