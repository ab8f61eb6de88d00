package doctor

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"tftl/internal/cuda"
)

// cudaLibraries are what TensorFlow's CUDA build opens before it uses a GPU. Without one
// of them it uses none. The names are those of TensorFlow 2.18 to 2.21.
func cudaLibraries() []string {
	return []string{"libcudart.so.12", "libcublas.so.12", "libcublasLt.so.12", "libcufft.so.11", "libcusolver.so.11", "libcusparse.so.12", "libcudnn.so.9"}
}

var errNotFound = errors.New("not found")

// search looks for libraries where TensorFlow does.
type search struct {
	Host
	folders []string // in order, before the system's
	beside  string   // the folder of TensorFlow's own libraries, where only our program looks
	where   string   // in words
}

// newSearch takes the builds of TensorFlow's two files. The framework opens CUDA's
// libraries. internal/libtensorflow opens libcusolver from where the other one looks.
func newSearch(h Host, tf TensorFlow, framework, library cuda.Build) search {
	s := search{Host: h, beside: filepath.Dir(tf.Framework)}
	var places []string
	if value, _ := h.Env("LD_LIBRARY_PATH"); value != "" {
		for _, folder := range strings.FieldsFunc(value, func(r rune) bool { return r == ':' || r == ';' }) {
			if absolute, err := filepath.Abs(folder); err == nil {
				s.folders = append(s.folders, absolute)
			}
		}
		places = append(places, "LD_LIBRARY_PATH ("+value+")")
	}
	for _, folder := range slices.Concat(framework.Folders, library.Folders) {
		before, _, wheel := strings.Cut(folder, "/nvidia/")
		if place := before + "/nvidia/*/lib"; wheel {
			s.folders = append(s.folders, folder)
			if !slices.Contains(places, place) {
				places = append(places, place)
			}
		}
	}
	s.where = and(append(places, "the system's folders"))
	return s
}

// find opens a library and returns the path by which it was found.
func (s search) find(name string) (string, error) {
	for _, folder := range s.folders {
		file := path.Join(folder, name)
		if _, err := fs.Stat(s.Files, strings.TrimPrefix(file, "/")); err == nil {
			_, err := s.Load(file)
			return file, err
		}
	}
	file, err := s.Load(name)
	switch {
	case err != nil && strings.HasPrefix(err.Error(), name+": cannot open shared object file"):
		return "", errNotFound
	case err == nil && filepath.Dir(file) == s.beside:
		return "", errNotFound
	}
	return file, err
}

// libraries checks those of CUDA.
func (l *list) libraries(s search) {
	const name = "CUDA libraries"
	var folders, missing []string
	broken := false
	for _, library := range cudaLibraries() {
		file, err := s.find(library)
		switch {
		case errors.Is(err, errNotFound):
			missing = append(missing, library)
		case err != nil:
			l.bad(name, file+" does not load: "+err.Error(), "install what it needs, or the library again")
			broken = true
		default:
			folder := filepath.Dir(file)
			if before, _, wheel := strings.Cut(folder, "/nvidia/"); wheel {
				folder = before + "/nvidia/*/lib"
			}
			folders = append(folders, folder)
		}
	}
	switch {
	case len(missing) > 0:
		l.bad(name, and(missing)+" not found in "+s.where,
			"install NVIDIA's libraries beside TensorFlow, as pip install 'tensorflow[and-cuda]' does, or name their folder in LD_LIBRARY_PATH")
	case !broken:
		slices.Sort(folders)
		l.ok(name, "all %d in %s", len(folders), and(slices.Compact(folders)))
	}
}
