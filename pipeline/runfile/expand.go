package runfile

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"tftl/pipeline"
)

// matrix lists the options that vary.
type matrix struct {
	axes    []axis
	include []entry
}

// axis is an option with all its values.
type axis struct {
	option Option // its value is the whole list
	values []ast.Node
}

func (r *reader) matrix(node ast.Node) (*matrix, error) {
	pairs, err := r.mapping(node)
	if err != nil {
		return nil, err
	}
	m := &matrix{}
	for _, o := range pairs {
		values, err := r.list(o)
		if err != nil {
			return nil, err
		}
		if o.Name != IncludeKey {
			m.axes = append(m.axes, axis{o, values})
			continue
		}
		for _, value := range values {
			e, err := r.entry(value, false)
			if err != nil {
				return nil, err
			}
			if e.matrix != nil || e.folds != nil || e.evaluate != nil {
				return nil, r.errorf(e.at, "include: may have only options of tftl fit, and a name")
			}
			m.include = append(m.include, e)
		}
	}
	if len(m.axes) == 0 && len(m.include) == 0 {
		return nil, r.errorf(position(node), "matrix: is empty")
	}
	return m, nil
}

// combination is one combination of a matrix: its options and its name.
type combination struct {
	name    string
	group   string // name without the seed
	options []Option
	at      Position
}

// combinations lists every choice of one value per axis, then the entries of
// include. The first axis varies slowest.
func (m *matrix) combinations() []combination {
	all := []combination{{}}
	if len(m.axes) == 0 {
		all = nil
	}
	for _, a := range m.axes {
		texts := a.texts()
		var longer []combination
		for _, c := range all {
			for i, value := range a.values {
				chosen := Option{a.option.Name, value, a.option.At}
				next := combination{name: join(",", c.name, a.option.Name+"="+texts[i]), group: c.group, options: append(slices.Clone(c.options), chosen), at: position(value)}
				if a.option.Name != SeedOption {
					next.group = join(",", c.group, a.option.Name+"="+texts[i])
				}
				longer = append(longer, next)
			}
		}
		all = longer
	}
	for _, e := range m.include {
		all = append(all, combination{named(e), grouped(e), e.fit, e.at})
	}
	return all
}

// texts returns the names of an axis's values. A path is shortened to its last
// element, unless two values would then have the same name.
func (a axis) texts() []string {
	var short, whole []string
	for _, value := range a.values {
		short, whole = append(short, called(value, path.Base)), append(whole, called(value, nil))
	}
	if len(slices.Compact(slices.Sorted(slices.Values(short)))) < len(short) {
		return whole
	}
	return short
}

// called returns a value as part of a name. base, if not nil, shortens paths.
func called(value ast.Node, base func(string) string) string {
	if array, ok := value.(ast.ArrayNode); ok {
		var parts []string
		for values := array.ArrayRange(); values.Next(); {
			parts = append(parts, called(values.Value(), base))
		}
		return strings.Join(parts, "+")
	}
	text := value.GetToken().Value
	if base != nil && strings.Contains(text, "/") {
		text = base(text)
	}
	return text
}

// named returns the name of an entry: the one it was given, or its own options.
func named(e entry) string {
	if e.name != "" {
		return e.name
	}
	var parts []string
	for _, o := range e.own {
		parts = append(parts, o.Name+"="+called(o.Value, path.Base))
	}
	return strings.Join(parts, ",")
}

// grouped returns the name of an entry's group, which other seeds share.
func grouped(e entry) string {
	if e.name == "" {
		e.own = slices.DeleteFunc(slices.Clone(e.own), func(o Option) bool { return o.Name == SeedOption })
	}
	return named(e)
}

// runs returns the number of runs of an entry, or more than most if it is more.
func (e entry) runs(folds, most int) int {
	n := 1
	if e.matrix != nil {
		for _, a := range e.matrix.axes {
			n = min(n*len(a.values), most+1)
		}
		if len(e.matrix.axes) == 0 {
			n = 0
		}
		n += len(e.matrix.include)
	}
	if folds > most {
		return most + 1
	}
	return n * max(folds, 1)
}

// expand returns the runs of an entry, at most so many.
func (r *reader) expand(e entry, most int) ([]Run, error) {
	folds := 0
	if e.folds != nil {
		var err error
		if folds, err = r.number(*e.folds, 2); err != nil {
			return nil, err
		}
	}
	if e.runs(folds, most) > most {
		return nil, pipeline.WithHint(r.errorf(e.at, "makes more than %d runs, the limit for a file", maxRuns), "a matrix makes a run of every combination of its values, and of every fold")
	}
	all := []combination{{at: e.at}}
	if e.matrix != nil {
		all = e.matrix.combinations()
	}
	var runs []Run
	for _, c := range all {
		name := join("/", folder(named(e)), folder(c.name))
		if name == "" && folds == 0 {
			name = "run"
		}
		run := Run{Name: name, Group: name, Folds: folds, Fit: with(e.fit, c.options), Evaluate: e.evaluate, At: c.at}
		if group := join("/", folder(grouped(e)), folder(c.group)); named(e)+c.name != grouped(e)+c.group {
			run.Group, run.Seed = group, seedOf(run.Fit)
		}
		if folds == 0 {
			runs = append(runs, run)
			continue
		}
		for k := range folds {
			value, err := yaml.ValueToNode(k)
			if err != nil {
				return nil, err
			}
			one := run
			one.Name = join("/", name, "fold-"+strconv.Itoa(k))
			one.Fit = with(run.Fit, []Option{{FoldOption, value, e.folds.At}})
			runs = append(runs, one)
		}
	}
	return runs, nil
}

// seedOf returns the text of the seed among options.
func seedOf(options []Option) string {
	for _, o := range options {
		if o.Name == SeedOption {
			return called(o.Value, nil)
		}
	}
	return ""
}

// ungroup gives a run that is the only one of its group, apart from folds, its own
// name.
func (f File) ungroup() {
	seeds := map[string]map[string]bool{}
	for _, run := range f.Runs {
		if seeds[run.Group] == nil {
			seeds[run.Group] = map[string]bool{}
		}
		seeds[run.Group][run.Seed] = true
	}
	for i := range f.Runs {
		run := &f.Runs[i]
		if run.Seed == "" || len(seeds[run.Group]) > 1 {
			continue
		}
		run.Group, run.Seed = run.Name, ""
		if run.Folds > 0 {
			run.Group = path.Dir(run.Name)
		}
	}
}

// checkNames checks that no two runs share a folder, and that no run's folder is
// inside another's.
func (f File) checkNames() error {
	taken := map[string]bool{}
	for _, run := range f.Runs {
		if taken[run.Name] {
			return pipeline.WithHint(f.errorf(run.At, "another run is also called %s", run.Name), "give each its own name: - name: NAME")
		}
		taken[run.Name] = true
	}
	for _, run := range f.Runs {
		for dir := path.Dir(run.Name); dir != "."; dir = path.Dir(dir) {
			if taken[dir] {
				return pipeline.WithHint(f.errorf(run.At, "run %s would be inside the folder of run %s", run.Name, dir), "give each its own name: - name: NAME")
			}
		}
	}
	return nil
}

// name reads the name of a run, which must also be the name of a folder.
func (r *reader) name(o Option) (string, error) {
	name, err := r.text(o)
	if err == nil && folder(name) != name {
		err = r.errorf(o.At, "name %q: must be a folder name: up to %d letters, digits and . _ = + , -, not starting with a dot", name, longest)
	}
	return name, err
}

// longest is the most bytes of a folder's name. File systems allow 255.
const longest = 120

// folder turns a text into a folder name. A shortened name ends with a hash, so
// that names with the same beginning stay different.
func folder(text string) string {
	safe := strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("._=+,-", c) {
			return c
		}
		return '-'
	}, text)
	if strings.HasPrefix(safe, ".") {
		safe = "-" + safe[1:]
	}
	if len(safe) <= longest {
		return safe
	}
	sum := sha256.Sum256([]byte(text))
	return strings.ToValidUTF8(safe[:longest-9], "") + "-" + hex.EncodeToString(sum[:4])
}

// join joins the parts that are not empty.
func join(by string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), by)
}
