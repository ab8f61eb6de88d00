package runfile_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/runfile"
)

// spelt lists a file's runs, one per line, with their names and options.
func spelt(f runfile.File) string {
	var lines []string
	for _, run := range f.Runs {
		line := run.Name + ":"
		for _, o := range run.Fit {
			line += " " + o.Name + "=" + o.Value.String()
		}
		for _, o := range run.Evaluate {
			line += " evaluate." + o.Name + "=" + o.Value.String()
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestRunsAreSpeltOut(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"one": {"data: photos\nmodel: m\nevaluate: {min: accuracy=0.9}\n", "run: data=photos model=m evaluate.min=accuracy=0.9"},
		"a matrix": {
			"data: p\nlr: 1\nmatrix:\n  lr: [1e-3, 1e-4]\n  units: [8, 16]\n",
			"lr=1e-3,units=8: data=p lr=1e-3 units=8\nlr=1e-3,units=16: data=p lr=1e-3 units=16\n" +
				"lr=1e-4,units=8: data=p lr=1e-4 units=8\nlr=1e-4,units=16: data=p lr=1e-4 units=16",
		},
		"more than the matrix": {
			"data: p\nmatrix:\n  lr: [1]\n  include:\n    - {lr: 2, units: 8}\n    - {name: wide, units: 512}\n",
			"lr=1: data=p lr=1\nlr=2,units=8: data=p lr=2 units=8\nwide: data=p units=512",
		},
		"included alone": {"data: p\nmatrix:\n  include:\n    - {name: wide, units: 512}\n", "wide: data=p units=512"},
		"lists": {
			"matrix:\n  stage: [head, ['head:epochs=2', block5]]\n",
			"stage=head: stage=head\nstage=head-epochs=2+block5: stage=['head:epochs=2', block5]",
		},
		"paths": {"matrix:\n  model: [m/a, m/b]\n", "model=a: model=m/a\nmodel=b: model=m/b"},
		"paths that end alike": {
			"matrix:\n  model: [x/a, y/a]\n",
			"model=x-a: model=x/a\nmodel=y-a: model=y/a",
		},
		"folds": {"data: p.csv\nfolds: 2\n", "fold-0: data=p.csv fold=0\nfold-1: data=p.csv fold=1"},
		"a matrix in folds": {
			"matrix: {lr: [1, 2]}\nfolds: 2\n",
			"lr=1/fold-0: lr=1 fold=0\nlr=1/fold-1: lr=1 fold=1\nlr=2/fold-0: lr=2 fold=0\nlr=2/fold-1: lr=2 fold=1",
		},
		"a list": {
			"data: p\nlr: 1\nevaluate: {min: accuracy=0.9, gate-on: lower}\nruns:\n- name: small\n  units: 8\n" +
				"- units: 512\n  lr: 2\n  evaluate: {min: [accuracy=0.5, f1=0.5]}\n- name: sweep\n  matrix: {lr: [3, 4]}\n",
			"small: data=p lr=1 units=8 evaluate.min=accuracy=0.9 evaluate.gate-on=lower\n" +
				"units=512,lr=2: data=p units=512 lr=2 evaluate.gate-on=lower evaluate.min=[accuracy=0.5, f1=0.5]\n" +
				"sweep/lr=3: data=p lr=3 evaluate.min=accuracy=0.9 evaluate.gate-on=lower\n" +
				"sweep/lr=4: data=p lr=4 evaluate.min=accuracy=0.9 evaluate.gate-on=lower",
		},
		"a list that shares a matrix": {
			"matrix: {lr: [1, 2]}\nruns:\n- name: a\n- name: b\n  matrix: {units: [3]}\n",
			"a/lr=1: lr=1\na/lr=2: lr=2\nb/units=3: units=3",
		},
		"anchors": {
			"model: &m vgg\nevaluate: &e {min: a=1}\nruns:\n- name: a\n  labels: *m\n- name: b\n  evaluate: *e\n",
			"a: model=vgg labels=vgg evaluate.min=a=1\nb: model=vgg evaluate.min=a=1",
		},
		"anchors in lists": {
			"evaluate: {min: [&g a=1, b=1], max: [*g]}\nstage: [&h head, {of: *h}]\nmatrix: {units: [&u 8, [*u, 4]]}\n",
			"units=8: stage=[head, {of: head}] units=8 evaluate.min=[a=1, b=1] evaluate.max=[a=1]\n" +
				"units=8+4: stage=[head, {of: head}] units=[8, 4] evaluate.min=[a=1, b=1] evaluate.max=[a=1]",
		},
		"hostile": {
			"matrix:\n  data: ['../../etc', '<script>', \"a\\u202eb\", '.', '']\n",
			"data=etc: data='../../etc'\ndata=-script-: data='<script>'\ndata=a-b: data=\"a\\u202eb\"\ndata=.: data='.'\ndata=: data=''",
		},
	} {
		f, err := runfile.Read("f.yaml", []byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := spelt(f); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// Runs that differ in their seed alone are of one group, and so are folds.
func TestSeedsAreGrouped(t *testing.T) {
	for text, want := range map[string]string{
		"matrix: {lr: [1, 2]}\n":                             "lr=1 of lr=1, lr=2 of lr=2",
		"matrix: {seed: [1, 2]}\n":                           "seed=1 of , seed 1; seed=2 of , seed 2",
		"matrix: {seed: [1, 2], lr: [3]}\n":                  "seed=1,lr=3 of lr=3, seed 1; seed=2,lr=3 of lr=3, seed 2",
		"matrix: {lr: [3], seed: [1]}\n":                     "lr=3,seed=1 of lr=3,seed=1",
		"matrix: {seed: [1, 2]}\nfolds: 2\n":                 "seed=1/fold-0 of , seed 1; seed=1/fold-1 of , seed 1; seed=2/fold-0 of , seed 2; seed=2/fold-1 of , seed 2",
		"matrix: {seed: [1]}\nfolds: 2\n":                    "seed=1/fold-0 of seed=1, seed=1/fold-1 of seed=1",
		"runs: [{lr: 3, seed: 1}, {seed: 2, lr: 3}]\n":       "lr=3,seed=1 of lr=3, seed 1; seed=2,lr=3 of lr=3, seed 2",
		"runs: [{name: a, seed: 1}, {name: b, seed: 2}]\n":   "a of a, b of b",
		"runs: [{name: a, matrix: {seed: [1, 2]}}]\n":        "a/seed=1 of a, seed 1; a/seed=2 of a, seed 2",
		"matrix: {lr: [1], include: [{lr: 1, seed: 2}]}\n":   "lr=1 of lr=1, lr=1,seed=2 of lr=1, seed 2",
		"matrix: {lr: [1], include: [{name: a, seed: 2}]}\n": "lr=1 of lr=1, a of a",
	} {
		f, err := runfile.Read("f.yaml", []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		var runs []string
		for _, run := range f.Runs {
			one := run.Name + " of " + run.Group
			if run.Seed != "" {
				one += ", seed " + run.Seed
			}
			runs = append(runs, one)
		}
		if got := strings.Join(runs, ", "); got != strings.ReplaceAll(want, ";", ",") {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestErrorsNameLineAndColumn(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "f.yaml: is empty",
		"# a: 1\n":                    "f.yaml: is empty",
		"a: 1\n---\nb: 2\n":           "f.yaml: must be one document, not 2",
		"- a\n":                       "f.yaml:1:1: must be a mapping",
		"a: 1\n  b: 2\n":              "f.yaml:1:4: mapping value",
		"a: 1\na: 2\n":                "f.yaml:2:1: ",
		"a: [1\n":                     "f.yaml:1:",
		"a: 1\nmatrix: 3\n":           "f.yaml:2:9: must be a mapping",
		"a: 1\nmatrix:\n  lr: 3\n":    "f.yaml:3:3: lr: must be a list",
		"matrix:\n  lr: []\n":         "f.yaml:2:3: lr: is empty",
		"matrix: {}\n":                "f.yaml:1:9: matrix: is empty",
		"folds: 1\n":                  "f.yaml:1:1: folds: must be a whole number of 2 or more",
		"folds: many\n":               "f.yaml:1:1: folds: ",
		"output: [a]\n":               "f.yaml:1:1: output: must be one value",
		"rank: {a: b}\n":              "f.yaml:1:1: rank: must be one value",
		"name: x\n":                   "f.yaml:1:1: name: is for entries of the list",
		"runs: []\n":                  "f.yaml:1:1: runs: is empty",
		"runs:\n- a\n":                "f.yaml:2:3: must be a mapping",
		"runs:\n- output: x\n":        "f.yaml:2:3: output: is for the whole file",
		"runs:\n- name: a/b\n":        `f.yaml:2:3: name "a/b": must be a folder name`,
		"runs:\n- name: ..\n":         `f.yaml:2:3: name "..": must be a folder name`,
		"runs:\n- name: a\n- name: a": "f.yaml:3:3: another run is also called a",
		"matrix: {lr: [1, 1]}\n":      "f.yaml:1:18: another run is also called lr=1",
		"runs:\n- name: a\n- {name: a, matrix: {lr: [1]}}":                                "f.yaml:3:27: run a/lr=1 would be inside the folder of run a",
		"matrix: {a: &l [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], b: *l, c: *l, d: *l, e: [1, 2]}": "f.yaml:1:1: makes more than 10000 runs, the limit for a file",
		"matrix: {lr: [1, 2]}\nfolds: 5001":                                               "f.yaml:1:1: makes more than 10000 runs, the limit for a file",
		"folds: 9223372036854775807":                                                      "f.yaml:1:1: makes more than 10000 runs, the limit for a file",
		"runs:\n- {name: a, folds: 6000}\n- {name: b, folds: 6000}":                       "f.yaml:3:4: makes more than 10000 runs, the limit for a file",
		"a: " + strings.Repeat("[", 100):                                                  "f.yaml:1:66: is nested more than 64 levels deep",
		"evaluate: 3\n":                                                                   "f.yaml:1:11: must be a mapping",
		"lr: *x\n":                                                                        "f.yaml:1:5: *x: there is no anchor &x before it",
		"evaluate: !x 3\n":                                                                "f.yaml:1:11: !x: tags are not allowed",
		"evaluate: {max: [*x]}\n":                                                         "f.yaml:1:18: *x: there is no anchor &x before it",
		"runs:\n- &b {matrix: {include: [*b]}}\n":                                         "f.yaml:2:26: *b is inside &b, so it would never end",
		"matrix:\n  include:\n  - folds: 3\n":                                             "f.yaml:3:5: include: may have only options of tftl fit",
	} {
		_, err := runfile.Read("f.yaml", []byte(text))
		if err == nil || pipeline.KindOf(err) != pipeline.BadUsage || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// Whatever the values are, every run gets its own folder below the output.
func FuzzRead(f *testing.F) {
	f.Add("matrix: {lr: [1, 2]}\nfolds: 3\n")
	f.Add("runs:\n- name: a\n  data: ../x\n- &b {units: [.., /]}\n- *b\n")
	f.Add("a: " + strings.Repeat("x", 300) + "\nmatrix: {a: [" + strings.Repeat("y", 300) + "," + strings.Repeat("y", 301) + "]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := runfile.Read("f.yaml", []byte(text))
		if err != nil {
			if pipeline.KindOf(err) != pipeline.BadUsage {
				t.Errorf("%v", err)
			}
			return
		}
		var names []string
		for _, run := range file.Runs {
			if path.Clean("/"+run.Name) != "/"+run.Name || strings.HasPrefix(path.Base(run.Name), ".") || len(path.Base(run.Name)) > 255 {
				t.Errorf("%q is no path below a folder", run.Name)
			}
			names = append(names, run.Name)
		}
		if slices.Sort(names); len(slices.Compact(names)) < len(file.Runs) || len(file.Runs) == 0 {
			t.Errorf("%d runs called %q", len(file.Runs), names)
		}
	})
}

func TestLongNamesStayApart(t *testing.T) {
	long := strings.Repeat("é", 200)
	f, err := runfile.Read("f.yaml", fmt.Appendf(nil, "matrix: {data: [%sx, %sy]}\n", long, long))
	if err != nil {
		t.Fatal(err)
	}
	a, b := f.Runs[0].Name, f.Runs[1].Name
	if a == b || len(a) > 120 || a[:100] != b[:100] {
		t.Errorf("%s\n%s", a, b)
	}
}
