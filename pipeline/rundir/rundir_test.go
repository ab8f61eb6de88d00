package rundir

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tftl/pipeline"
)

// create makes a run with a configuration.
func create(t *testing.T, path string) Dir {
	t.Helper()
	d, err := Create(path, false, func(d Dir) error { return d.WriteJSON("config.json", Config{Seed: 1}) })
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(text), 0o666)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// names lists all files below a folder, and empty folders.
func names(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if entries, _ := os.ReadDir(path); !e.IsDir() || len(entries) == 0 {
			list = append(list, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestCreateIsWholeOrNotAtAll(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "runs", "first")
	broken := errors.New("broken")
	_, err := Create(path, false, func(d Dir) error {
		return errors.Join(d.WriteJSON("config.json", Config{}), broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if got := names(t, root); !slices.Equal(got, []string{"runs"}) {
		t.Errorf("a run that could not be made left %v", got)
	}
	d := create(t, path)
	if got, want := names(t, root), []string{"runs/first/checkpoints", "runs/first/config.json"}; !slices.Equal(got, want) {
		t.Errorf("made %v, want %v", got, want)
	}
	if d.Path != path || !Is(path) {
		t.Errorf("it is at %s", d.Path)
	}
}

func TestCreateOverwritesOnlyARun(t *testing.T) {
	root := t.TempDir()
	fill := func(d Dir) error { return d.WriteJSON("config.json", Config{Seed: 2}) }
	foreign, empty, run := filepath.Join(root, "photos"), filepath.Join(root, "empty"), filepath.Join(root, "run")
	for _, dir := range []string{foreign, empty} {
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(foreign, "a.jpg"), "a")
	create(t, run)
	write(t, filepath.Join(run, "report.html"), "old")
	file := filepath.Join(root, "file")
	write(t, file, "a")

	for _, test := range []struct {
		path      string
		overwrite bool
		ok        bool
		hint      string
	}{
		{foreign, false, false, "choose another output"},
		{foreign, true, false, "choose another output"},
		{file, true, false, ""},
		{run, false, false, "choose another output, overwrite to replace the run, or resume to continue it"},
		{empty, false, true, ""},
		{run, true, true, ""},
	} {
		_, err := Create(test.path, test.overwrite, fill)
		switch {
		case test.ok && err != nil:
			t.Errorf("%s, %v: %v", test.path, test.overwrite, err)
		case !test.ok && (pipeline.KindOf(err) != pipeline.BadUsage || !strings.Contains(err.Error(), test.path)):
			t.Errorf("%s, %v: %v", test.path, test.overwrite, err)
		case pipeline.HintOf(err).String() != test.hint:
			t.Errorf("%s, %v: hint %q", test.path, test.overwrite, pipeline.HintOf(err))
		}
	}
	want := []string{"empty/checkpoints", "empty/config.json", "file", "photos/a.jpg", "run/checkpoints", "run/config.json"}
	if got := names(t, root); !slices.Equal(got, want) {
		t.Errorf("there is %v, want %v", got, want)
	}
}

// Of several processes that begin a run in one folder at the same time, one does.
func TestOneOfManyCreates(t *testing.T) {
	for name, before := range map[string]func(path string) error{
		"nothing there": func(string) error { return nil },
		"empty folder":  func(path string) error { return os.Mkdir(path, 0o777) },
		"an older run": func(path string) error {
			_, err := Create(path, false, func(d Dir) error { return d.WriteConfig(Config{}) })
			return err
		},
	} {
		for range 20 {
			path := filepath.Join(t.TempDir(), "run")
			if err := before(path); err != nil {
				t.Fatal(err)
			}
			const processes = 6
			var all sync.WaitGroup
			errs, unlocks := make([]error, processes), make([]func(), processes)
			for i := range processes {
				all.Go(func() {
					_, errs[i] = Create(path, name == "an older run", func(d Dir) error {
						unlock, err := d.Lock()
						unlocks[i] = unlock
						return errors.Join(err, d.WriteConfig(Config{Seed: uint64(i)}))
					})
				})
			}
			all.Wait()
			var began []int
			for i, err := range errs {
				switch {
				case err == nil:
					began = append(began, i)
				case pipeline.KindOf(err) != pipeline.BadUsage:
					t.Errorf("%s: %v", name, err)
				}
			}
			if config, err := (Dir{path}).ReadConfig(); len(began) != 1 || err != nil || config.Seed != uint64(began[0]) {
				t.Errorf("%s: %v began, and the config is %+v, %v", name, began, config, err)
			}
			for _, unlock := range unlocks {
				if unlock != nil {
					unlock()
				}
			}
		}
	}
}

// A process that was killed while it began a run leaves a folder beside it, which the
// next one removes. A folder that is locked or new belongs to a process that lives.
func TestCreateRemovesWhatWasKilled(t *testing.T) {
	root := t.TempDir()
	hour := time.Now().Add(-time.Hour)
	for _, name := range []string{".run.DEAD.tmp", ".run.LOCKED.tmp", ".run.NEW.tmp", ".other.DEAD.tmp"} {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "data.csv"), "half")
		if name == ".run.LOCKED.tmp" {
			unlock, err := Dir{dir}.Lock()
			if err != nil {
				t.Fatal(err)
			}
			defer unlock()
		}
		if name != ".run.NEW.tmp" {
			if err := os.Chtimes(dir, hour, hour); err != nil {
				t.Fatal(err)
			}
		}
	}
	create(t, filepath.Join(root, "run"))
	want := []string{".other.DEAD.tmp/data.csv", ".run.LOCKED.tmp/data.csv", ".run.NEW.tmp/data.csv", "run/checkpoints", "run/config.json"}
	if got := names(t, root); !slices.Equal(got, want) {
		t.Errorf("there is %v, want %v", got, want)
	}
}

func TestConfigReturnsAsItWas(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	want := Config{
		Tftl: "v1", Seed: math.MaxUint64,
		Data: Data{Path: "/photos", Split: [3]float64{0.7, 0.15, 0.15}, Exact: true, SHA256: "12", Train: 3},
		Training: Training{
			BatchSize: 32, Hyper: pipeline.Hyperparameters{Optimizer: "adam", Dropout: 0.5},
			Stages: []Stage{{Name: "head", Epochs: 10, LearningRate: 1e-3, Rate: Rate{Schedule: "cosine"}}},
		},
		Runtime: Runtime{Devices: []string{"CPU:0"}},
	}
	if err := d.WriteJSON("config.json", want); err != nil {
		t.Fatal(err)
	}
	if got, err := d.ReadConfig(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	write(t, d.File("config.json"), "{")
	if _, err := d.ReadConfig(); err == nil || !strings.Contains(err.Error(), d.File("config.json")) {
		t.Errorf("a broken one: %v", err)
	}
}

func TestOpenFinishesWhatWasKilled(t *testing.T) {
	if _, err := Open(t.TempDir()); pipeline.KindOf(err) != pipeline.BadUsage {
		t.Errorf("no run: %v", err)
	}
	d := create(t, filepath.Join(t.TempDir(), "run"))
	for name, text := range map[string]string{
		".model.old":              "old",  // killed before the new one moved in
		"checkpoints/.last.x.tmp": "half", // killed while it was written
		"checkpoints/best":        "best",
	} {
		if err := os.Mkdir(d.File(name), 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(d.File(name), "file"), text)
	}
	if _, err := Open(d.Path); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, d.Path), []string{"checkpoints/best/file", "config.json", "model/file"}; !slices.Equal(got, want) {
		t.Errorf("there is %v, want %v", got, want)
	}
}

func TestModelIsReplacedWhole(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	export := func(text string, err error) func(string) error {
		return func(dir string) error {
			write(t, filepath.Join(dir, "saved_model.pb"), text)
			return err
		}
	}
	best := func(weights string) {
		t.Helper()
		err := d.save(pipeline.Best, at(1), func(prefix string) error {
			return os.WriteFile(prefix+".data-00000-of-00001", []byte(weights), 0o666)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := d.ReplaceModel(export("none", nil), nil); err == nil {
		t.Error("a model without weights")
	}
	best("1")
	if err := d.ReplaceModel(export("one", nil), nil); err != nil {
		t.Fatal(err)
	}
	measured := []string{"evaluation.json", "predictions.csv", "report.html", "report.md", "decision.json", filepath.Join("gallery", "gallery.json")}
	if err := os.Mkdir(d.File("gallery"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range measured {
		write(t, d.File(name), "of one")
	}
	best("2")
	broken := errors.New("broken")
	if err := d.ReplaceModel(export("two", broken), nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	// The same weights make the same model: it stays, and so does its evaluation.
	best("1")
	if err := d.ReplaceModel(export("one again", nil), nil); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(d.Model(), "saved_model.pb")); got != "one" {
		t.Errorf("after a failure, and of the same weights, the model is %q", got)
	}
	for _, name := range measured {
		if got := read(t, d.File(name)); got != "of one" {
			t.Errorf("%s is %q", name, got)
		}
	}
	best("3")
	if err := d.ReplaceModel(export("three", nil), nil); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(d.Model(), "saved_model.pb")); got != "three" {
		t.Errorf("the model is %q", got)
	}
	for _, name := range measured {
		if _, err := os.Stat(d.File(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
}

// A replaced run survives, wherever the process that replaced it was killed.
func TestAReplacedRunSurvives(t *testing.T) {
	fill := func(d Dir) error { return d.WriteJSON("config.json", Config{Seed: 2}) }
	for _, goOn := range []func(path string) error{
		func(path string) error { _, err := Open(path); return err },
		func(path string) error { _, err := Create(path, true, fill); return err },
	} {
		path := filepath.Join(t.TempDir(), "run")
		create(t, path)
		// As if killed when the new run was in place and the old one not yet.
		old := filepath.Join(filepath.Dir(path), ".run.old")
		write(t, filepath.Join(old, "config.json"), "{}")
		write(t, filepath.Join(old, "model", "saved_model.pb"), "trained")
		if err := goOn(path); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(filepath.Join(path, "replaced", "model", "saved_model.pb")); string(text) != "trained" {
			t.Errorf("the old run has %q, %v", text, err)
		}
		if _, err := os.Stat(old); err == nil {
			t.Errorf("%s is still there", old)
		}
	}
}

// A run that cannot be kept is not removed.
func TestAReplacedRunIsNotLostByAnError(t *testing.T) {
	path, old := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "old")
	write(t, filepath.Join(old, "model", "saved_model.pb"), "trained")
	write(t, filepath.Join(path, "replaced", "in the way"), "")
	if err := (Dir{path}).retire(old); err == nil {
		t.Error("there is no error")
	}
	if _, err := os.Stat(filepath.Join(old, "model", "saved_model.pb")); err != nil {
		t.Error(err)
	}
}
