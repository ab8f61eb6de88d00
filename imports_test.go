// Package tftl_test checks the rules of the design that the compiler cannot.
package tftl_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "tftl"

// pkg is a package of the module as go list describes it, without tests.
type pkg struct {
	ImportPath, Dir, Name string
	GoFiles, CgoFiles     []string
	Imports               []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Name,GoFiles,CgoFiles,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []pkg
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if len(list) < 10 {
		t.Fatalf("go list finds %d packages", len(list))
	}
	return list
}

// room is the layer that a package belongs to: cmd, savedmodels, pipeline,
// internal and so on. Each child of pipeline is a room of its own.
func room(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, module+"/"), "/")
	if parts[0] == "pipeline" && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// workflow composes the other children of pipeline. It gets models, decoders and
// painters as interfaces, so it runs without TensorFlow.
const workflow = "pipeline/workflow"

// front is the root package, the library's front door. It connects workflows,
// models and pixels.
const front = module

// mayImport reports whether one room may import another.
func mayImport(from, to string) bool {
	child := strings.HasPrefix(from, "pipeline/") && from != workflow
	switch {
	case from == to || to == "internal":
		return true
	case from == "cmd" || from == "scripts":
		return to != "cmd" && to != "scripts"
	case from == front:
		return to == "savedmodels" || strings.HasPrefix(to, "pipeline")
	case from == workflow:
		return to == "pipeline" || strings.HasPrefix(to, "pipeline/") && to != "pipeline/pixels"
	case from == "savedmodels" || child && to == "pipeline":
		return to == "pipeline"
	}
	// The report shows the content of a run's folder.
	return from == "pipeline/report" && (to == "pipeline/rundir" || to == "pipeline/metrics")
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range packages(t) {
		for _, path := range p.Imports {
			if strings.HasPrefix(path, module+"/") && !mayImport(room(p.ImportPath), room(path)) {
				t.Errorf("%s imports %s: imports point from cmd to the root package, workflow, the other children of pipeline and savedmodels, then to pipeline, then to internal. "+
					"Children of pipeline do not import each other: workflow passes in what one needs from another", p.ImportPath, path)
			}
		}
	}
}

// importers lists the packages that import a wanted path.
func importers(t *testing.T, wanted func(path string) bool) []string {
	t.Helper()
	var list []string
	for _, p := range packages(t) {
		if slices.ContainsFunc(p.Imports, wanted) {
			list = append(list, strings.TrimPrefix(p.ImportPath, module+"/"))
		}
	}
	return list
}

func isTensorFlow(path string) bool { return strings.HasPrefix(path, "github.com/galeone/") }

func TestTensorFlowIsImportedByThreePackages(t *testing.T) {
	got, want := importers(t, isTensorFlow), []string{"internal/tensor", "pipeline/pixels", "savedmodels"}
	if !slices.Equal(got, want) {
		t.Errorf("TensorFlow is imported by %v, want only %v", got, want)
	}
}

func TestCommandLineLibraryIsImportedByTwoPackages(t *testing.T) {
	got := importers(t, func(path string) bool { return strings.HasPrefix(path, "github.com/urfave/cli/") })
	if want := []string{"cmd/tftl", "internal/cli"}; !slices.Equal(got, want) {
		t.Errorf("the command-line library is imported by %v, want only %v", got, want)
	}
}

func TestUnsafeCodeIsInOnePackage(t *testing.T) {
	if got := importers(t, func(path string) bool { return path == "unsafe" }); !slices.Equal(got, []string{"internal/tensor"}) {
		t.Errorf("unsafe is imported by %v, want only internal/tensor", got)
	}
	if got := importers(t, func(path string) bool { return path == "C" }); !slices.Equal(got, []string{"internal/cuda", "internal/libtensorflow", "internal/quiet", "internal/server", "internal/tensor"}) {
		t.Errorf("C is imported by %v, want only internal/cuda, libtensorflow, quiet, server and tensor", got)
	}
}

// sources parses a package's files.
func sources(t *testing.T, p pkg) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Join(p.ImportPath, name)] = file
	}
	return files
}

// names lists the names under which a file imports wanted paths.
func names(file *ast.File, wanted func(path string) bool) []string {
	var list []string
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil || !wanted(path) {
			continue
		}
		name := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		list = append(list, name)
	}
	return list
}

// mentions lists what a piece of code uses from the named packages.
func mentions(node ast.Node, packages []string) []string {
	var list []string
	ast.Inspect(node, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok && slices.Contains(packages, x.Name) {
				list = append(list, x.Name+"."+selector.Sel.Name)
			}
		}
		return true
	})
	return list
}

// exported returns what other packages can see of a file: signatures, types
// without unexported fields, constants and variables.
func exported(file *ast.File) []ast.Node {
	var nodes []ast.Node
	ast.FileExports(file)
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok {
			nodes = append(nodes, f.Type)
		} else {
			nodes = append(nodes, decl)
		}
	}
	return nodes
}

func TestNoTensorFlowTypeIsInAnExportedSignature(t *testing.T) {
	for _, p := range packages(t) {
		if room := room(p.ImportPath); room != "savedmodels" && room != "pipeline/pixels" {
			continue
		}
		for name, file := range sources(t, p) {
			tensorFlow := names(file, isTensorFlow)
			for _, node := range exported(file) {
				if used := mentions(node, tensorFlow); len(used) > 0 {
					t.Errorf("%s: %v is in an exported signature", name, used)
				}
			}
		}
	}
}

// The binding's lets the graph be freed too early.
func TestSessionsAreMadeInOnePlace(t *testing.T) {
	for _, p := range packages(t) {
		for name, file := range sources(t, p) {
			used := mentions(file, names(file, isTensorFlow))
			if slices.Contains(used, "tf.NewSession") && p.ImportPath != "tftl/internal/tensor" {
				t.Errorf("%s calls tf.NewSession: use internal/tensor.NewSession", name)
			}
		}
	}
}

func TestOnlyMainEndsTheProcess(t *testing.T) {
	for _, p := range packages(t) {
		for name, file := range sources(t, p) {
			used := mentions(file, names(file, func(path string) bool { return path == "os" || path == "log" }))
			used = slices.DeleteFunc(used, func(s string) bool {
				return s != "os.Exit" && !strings.HasPrefix(s, "log.Fatal") && !strings.HasPrefix(s, "log.Panic")
			})
			if len(used) > 0 && (p.Name != "main" || filepath.Base(name) != "main.go") {
				t.Errorf("%s calls %v: only main.go ends the process", name, used)
			}
		}
	}
}

// embedded reports whether the compiler fills a variable with files. Nothing
// changes it later, so it is a constant that Go cannot declare as one.
func embedded(g *ast.GenDecl) bool {
	return len(g.Specs) == 1 && g.Doc != nil && slices.ContainsFunc(g.Doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// Package variables and init functions are dependencies that no signature shows.
func TestNoPackageHasStateOfItsOwn(t *testing.T) {
	// The linker can set only a variable, which the version therefore is. Errors to
	// compare with are constants in all but name.
	allowed := func(name string) bool { return name == "_" || name == "version" || strings.HasPrefix(name, "err") }
	for _, p := range packages(t) {
		files := sources(t, p)
		for _, name := range slices.Sorted(maps.Keys(files)) {
			for _, decl := range files[name].Decls {
				if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
					t.Errorf("%s has an init", name)
				}
				g, ok := decl.(*ast.GenDecl)
				if !ok || g.Tok != token.VAR || embedded(g) {
					continue
				}
				for _, spec := range g.Specs {
					for _, v := range spec.(*ast.ValueSpec).Names {
						if !allowed(v.Name) {
							t.Errorf("%s has the variable %s", name, v.Name)
						}
					}
				}
			}
		}
	}
}
