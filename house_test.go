package tftl_test

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// most is the most parameters that a function may take.
const most = 6

func TestParameterListsAreShort(t *testing.T) {
	for _, p := range packages(t) {
		for name, file := range sources(t, p) {
			ast.Inspect(file, func(n ast.Node) bool {
				if f, ok := n.(*ast.FuncDecl); ok && f.Type.Params.NumFields() > most {
					t.Errorf("%s: %s takes %d parameters; the limit is %d", name, f.Name.Name, f.Type.Params.NumFields(), most)
				}
				return true
			})
		}
	}
}

// The library names options with pipeline.Option. Only the command line spells
// them --name.
func TestTheLibraryKnowsNoFlags(t *testing.T) {
	flag := regexp.MustCompile(`--[a-z%]`) // not a line of Markdown, nor a variable of CSS
	for _, p := range packages(t) {
		if room := room(p.ImportPath); room != front && room != "savedmodels" && !strings.HasPrefix(room, "pipeline") {
			continue
		}
		for name, file := range sources(t, p) {
			ast.Inspect(file, func(n ast.Node) bool {
				if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING && flag.MatchString(text.Value) {
					t.Errorf("%s: %s names a flag: name the option with pipeline.Option", name, text.Value)
				}
				return true
			})
		}
	}
}

// shared reports whether every command may use what a file of package main
// declares.
func shared(file string) bool {
	switch file {
	case "main.go", "app.go", "wire.go", "terminal.go", "progress.go":
		return true
	}
	return strings.HasPrefix(file, "flags")
}

// command returns the command that a file of package main belongs to: run for
// run.go and run_file.go.
func command(file string) string {
	name, _, _ := strings.Cut(strings.TrimSuffix(file, ".go"), "_")
	return name
}

// Commands share code only through the library and the shared files of package
// main.
func TestCommandsDoNotUseEachOther(t *testing.T) {
	for _, p := range packages(t) {
		if p.Name != "main" || room(p.ImportPath) != "cmd" {
			continue
		}
		files := sources(t, p)
		owner := map[string]string{} // the file of each top-level declaration
		for name, file := range files {
			if base := filepath.Base(name); !shared(base) {
				for _, decl := range file.Decls {
					for _, declared := range declares(decl) {
						owner[declared] = base
					}
				}
			}
		}
		for name, file := range files {
			base := filepath.Base(name)
			if base == "app.go" { // it lists the commands
				continue
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					ast.Inspect(s.X, func(n ast.Node) bool { return n != s.Sel })
				}
				if id, ok := n.(*ast.Ident); ok && owner[id.Name] != "" && command(owner[id.Name]) != command(base) && id.Obj == nil {
					t.Errorf("%s uses %s of %s: move it to wire.go, flags.go or the library", base, id.Name, owner[id.Name])
				}
				return true
			})
		}
	}
}

// declares lists the functions, types, constants and variables of a declaration.
// Methods belong to their type.
func declares(decl ast.Decl) []string {
	var names []string
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name.Name)
			case *ast.ValueSpec:
				for _, name := range s.Names {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}
