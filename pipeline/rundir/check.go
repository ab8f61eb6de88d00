package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tftl/pipeline"
)

// Checked is a file that was compared with its seal.
type Checked struct {
	File    string `json:"file"`              // relative to the run's folder
	Problem string `json:"problem,omitempty"` // empty if it is as it was written
}

// Sealed says whether the run has seals. Those of older versions have digests of their
// checkpoints only.
func (d Dir) Sealed() bool { return d.sealed() }

// Check reads every file that has a digest. Those of the model are left out, which the
// package savedmodels knows.
func (d Dir) Check() []Checked {
	c := checks{dir: d}
	for _, name := range []string{runSeal, evaluationSeal, gallerySeal} {
		if _, err := d.readSeal(name); err != nil {
			c.add(name, err)
		}
	}
	if _, err := os.Stat(d.File(runSeal)); err != nil && d.sealed() {
		c.add(runSeal, d.damaged(runSeal, "it is missing"))
	}
	names, _ := d.galleryNames()
	for _, f := range files() {
		if f.seal != "" && f.seal != gallerySeal {
			names = append(names, f.pattern)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		file, err := d.open(name)
		if err == nil {
			err = file.Close()
		}
		c.add(name, err)
	}
	for _, name := range []string{pipeline.Best, pipeline.Last, previous} {
		_, _, err := d.Verify(name)
		c.add(filepath.Join(checkpointsDir, name), err)
	}
	if _, err := d.ReadHistory(); err != nil {
		c.add(historyFile, err)
	}
	decisions := d.decisions()
	for i, path := range decisions {
		err := d.readDecision(path, &struct{}{})
		name, _ := filepath.Rel(d.Path, path)
		if errors.Is(err, fs.ErrNotExist) && d.sealed() && d.HasModel() && exists(decisions[1-i]) {
			err = d.damaged(name, "it is missing")
		}
		c.add(name, err)
	}
	return c.found
}

// galleryNames are the files of the gallery that should or do exist.
func (d Dir) galleryNames() ([]string, error) {
	s, err := d.readSeal(gallerySeal)
	names := map[string]bool{galleryFile: true}
	for name := range s {
		names[name] = true
	}
	var all []string
	for name := range names {
		all = append(all, galleryDir+"/"+name)
	}
	return all, err
}

// checks is a Check in progress.
type checks struct {
	dir   Dir
	found []Checked
}

// add adds a file, unless there is none. A file that is known to be damaged stays so.
func (c *checks) add(name string, err error) {
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errDamaged) {
		return
	}
	var problem string
	if err != nil {
		problem = strings.TrimPrefix(err.Error(), c.dir.File(name)+" "+errDamaged.Error()+": ")
	}
	at := slices.IndexFunc(c.found, func(f Checked) bool { return f.File == name })
	if at < 0 {
		c.found = append(c.found, Checked{name, problem})
	} else if c.found[at].Problem == "" {
		c.found[at].Problem = problem
	}
}
