package cli

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/urfave/cli/v2"
)

// Entry is a row of a table: a term and what it means.
type Entry struct{ Term, Text string }

// Table is entries in two columns, for help.
func Table(entries []Entry) string {
	width := 0
	for _, e := range entries {
		width = max(width, len(e.Term))
	}
	var lines []string
	for _, e := range entries {
		lines = append(lines, fmt.Sprintf("%*s%-*s  %s", helpIndent, "", width, e.Term, e.Text))
	}
	return strings.Join(lines, "\n")
}

// Manual is what a manual page says beyond the definitions of commands and flags.
type Manual struct {
	Date           string // of the page; may be empty
	Description    string
	ExitStatus     []Entry
	AboutVariables string
	Variables      []Entry
	Files          []Entry
	SeeAlso        string
}

// Page is the manual page of a program in section 1, in roff. It is ASCII, with the
// macros of man(7) that man-db and mandoc know.
func (m Manual) Page(app *cli.App) string {
	var p page
	p.line(".nr HY 0\n.ad l\n.TH %s 1 \"%s\" %s %s", macro(strings.ToUpper(app.Name)), m.Date, macro(app.Name+" "+app.Version), macro("User Commands"))
	p.section("NAME")
	p.line("%s \\- %s", roff(app.Name), roff(app.Usage))
	p.section("SYNOPSIS")
	p.line("%s %s [%s]", bold(app.Name), italic("COMMAND"), italic("options"))
	p.section("DESCRIPTION")
	p.prose(m.Description)
	p.options(options(app.Flags))
	p.section("COMMANDS")
	for _, c := range commands(app) {
		p.command(app.Name, c)
	}
	p.section("EXIT STATUS")
	p.entries(m.ExitStatus)
	p.section("ENVIRONMENT")
	p.prose(m.AboutVariables)
	p.entries(m.Variables)
	p.section("FILES")
	p.entries(m.Files)
	p.section("SEE ALSO")
	p.prose(m.SeeAlso)
	return p.String()
}

// page is a manual page that is being written.
type page struct{ script }

func (p *page) section(name string) { p.line(".SH %s", macro(name)) }

func (p *page) entries(entries []Entry) {
	for _, e := range entries {
		p.item(bold(e.Term), e.Text)
	}
}

// item is a row of a list.
func (p *page) item(term, text string) {
	p.line(".TP\n%s", term)
	p.filled(text)
}

// filled is text whose lines the reader breaks. Those of the page are short.
func (p *page) filled(text string) {
	for _, line := range wrapped(roff(text), helpWidth) {
		p.line("%s", begun(line))
	}
}

func (p *page) command(program string, c command) {
	p.line(".SS %s", macro(strings.TrimSpace(program+" "+strings.Join(c.names, ", ")+" [options] "+c.arguments)))
	p.prose(strings.ToUpper(c.usage[:1]) + c.usage[1:] + ".\n\n" + c.description)
	p.options(c.options)
}

// options lists flags, first those without a category, then by categories.
func (p *page) options(list []option) {
	var categories []string
	members := map[string][]option{"": nil}
	for _, o := range list {
		if _, seen := members[o.category]; !seen {
			categories = append(categories, o.category)
		}
		members[o.category] = append(members[o.category], o)
	}
	for _, category := range append([]string{""}, categories...) {
		if category != "" {
			p.line(".PP\n%s", italic(strings.ToUpper(category[:1])+category[1:]+":"))
		}
		for _, o := range members[category] {
			names := make([]string, len(o.names))
			for i, name := range o.names {
				names[i] = bold(name)
			}
			entry := strings.Join(names, ", ")
			if o.value != "" {
				entry += " " + italic(o.value)
			}
			p.item(entry, o.explained())
		}
	}
}

// prose writes paragraphs, the first right after a heading. Indented lines are examples and stay as they are.
func (p *page) prose(text string) {
	for i, paragraph := range strings.Split(strings.TrimRight(text, "\n"), "\n\n") {
		if i > 0 {
			p.line(".PP")
		}
		if !strings.HasPrefix(paragraph, " ") {
			p.filled(paragraph)
			continue
		}
		p.line(".RS 4\n.EX")
		for line := range strings.SplitSeq(paragraph, "\n") {
			p.line("%s", begun(roff(strings.TrimPrefix(line, strings.Repeat(" ", helpIndent)))))
		}
		p.line(".EE\n.RE")
	}
}

func bold(text string) string { return `\fB` + roff(text) + `\fR` }

func italic(text string) string { return `\fI` + roff(text) + `\fR` }

// macro is an argument of a macro.
func macro(text string) string { return `"` + roff(text) + `"` }

// begun is a line that does not begin with a request. An apostrophe is escaped anyway.
func begun(line string) string {
	if strings.HasPrefix(line, ".") {
		return `\&` + line
	}
	return line
}

// roff is a text as it should be shown.
func roff(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r == '"':
			b.WriteString(`\(dq`)
		case r == '\'':
			b.WriteString(`\(aq`)
		case r == '`':
			b.WriteString(`\(ga`)
		case r == '^':
			b.WriteString(`\(ha`)
		case r == '~':
			b.WriteString(`\(ti`)
		case r > unicode.MaxASCII:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
