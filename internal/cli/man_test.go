package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func awkwardPage() string {
	return Manual{
		Date: "2026-01-02", Description: "First.\n\n   example\n\n" + awkward,
		ExitStatus: []Entry{{"0", "done"}, {"12", awkward}}, AboutVariables: ".about", Variables: []Entry{{"V", "a variable"}},
		Files: []Entry{{".file", "a file"}}, SeeAlso: "others",
	}.Page(awkwardApp())
}

// What is in the page is text, except for macros that the page itself uses.
func TestPageIsPlain(t *testing.T) {
	page := awkwardPage()
	macros := regexp.MustCompile(`^\.(TH|SH|SS|PP|TP|RS|RE|EX|EE|nr|ad)( |$)`)
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '\'' || line[0] == '.' && !macros.MatchString(line) || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("line %q", line)
		}
	}
	headings := strings.Join(regexp.MustCompile(`(?m)^\.SH .*$`).FindAllString(page, -1), " ")
	if want := `.SH "NAME" .SH "SYNOPSIS" .SH "DESCRIPTION" .SH "COMMANDS" .SH "EXIT STATUS" .SH "ENVIRONMENT" .SH "FILES" .SH "SEE ALSO"`; headings != want {
		t.Errorf("headings %s", headings)
	}
	for _, want := range []string{
		".TH \"TRY\" 1 \"2026-01-02\" \"try 1\\-2\" ", "\n.SS \"try all\\-of, a [options] FILES:[X]\"\n",
		"\n.TP\n\\fB\\-\\-top\\-k\\fR \\fIvalue\\fR\nnumber (default: 5)\n", "\n.PP\n\\fIOthers:\\fR\n.TP\n\\fB\\-\\-yes\\fR, \\fB\\-y\\fR\n",
		"\n.TP\n\\fB\\-\\-min\\fR \\fINAME=X\\fR\n", "\n\\&.TH\n", "\n\\&.one \\(aqtwo\\(aq\n\\ethree\n.EE\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, not := range []string{`\-older`, "secret"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %q", not)
		}
	}
}

// The formatters that people have show the page without a warning, and texts as they
// were written.
func TestFormattersShowThePage(t *testing.T) {
	name := filepath.Join(t.TempDir(), "try.1")
	if err := os.WriteFile(name, []byte(awkwardPage()), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"groff", "-ww", "-man", "-Tutf8", "-P-cbou", "-rLL=2000n", name},
		{"mandoc", "-T", "utf8", "-O", "width=900", "-W", "warning", name},
	} {
		t.Run(command[0], func(t *testing.T) {
			if _, err := exec.LookPath(command[0]); err != nil {
				t.Skipf("cannot format the page: %v", err)
			}
			c := exec.Command(command[0], command[1:]...)
			c.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
			var stderr bytes.Buffer
			c.Stderr = &stderr
			out, err := c.Output()
			if err != nil || stderr.Len() > 0 {
				t.Errorf("%v, stderr %s", err, stderr.String())
			}
			shown := strings.Join(strings.Fields(regexp.MustCompile(`.\x08`).ReplaceAllString(string(out), "")), " ")
			if n := strings.Count(shown, awkward); n < 4 {
				t.Errorf("%d times, not 4, it shows %s\n%s", n, awkward, shown)
			}
		})
	}
}
