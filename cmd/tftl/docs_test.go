package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// Commands shown in README and docs use flags that exist.
func TestDocsShowFlagsThatExist(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) < 5 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	command := regexp.MustCompile(`\btftl ([a-z-]+)((?: +[^\s|#` + "`" + `]+)*)`)
	launched := regexp.MustCompile(`(\btftl launch .*) -- `) // has two commands
	flag := regexp.MustCompile(` (--?[a-z][a-z-]*)`)
	helps := map[string]string{}
	for _, page := range append(pages, "../../README.md", "../../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text = launched.ReplaceAll(text, []byte("$1\ntftl "))
		for _, m := range command.FindAllSubmatch(text, -1) {
			name := string(m[1])
			for _, f := range flag.FindAllSubmatch(m[2], -1) {
				if helps[name] == "" {
					helps[name] = helpOf(t, name)
				}
				if !slices.Contains(regexp.MustCompile(`--?[a-z][a-z-]*`).FindAllString(helps[name], -1), string(f[1])) {
					t.Errorf("%s: tftl %s has no %s: %s", page, name, f[1], m[0])
				}
			}
		}
	}
	if len(helps) < 5 {
		t.Errorf("only %d commands were found", len(helps))
	}
}

func helpOf(t *testing.T, command string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"tftl", command, "--help"}, &stdout, &stderr); code != 0 {
		t.Fatalf("tftl %s --help: exit code %d: %s", command, code, stderr.String())
	}
	return stdout.String()
}
