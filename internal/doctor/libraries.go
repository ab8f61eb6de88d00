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
	user    []string // LD_LIBRARY_PATH, in words
	wheels  []string // the folders of NVIDIA's wheels, in words
}

// newSearch takes the file that opens CUDA's libraries, and its build.
func newSearch(h Host, file string, build cuda.Build) search {
	s := search{Host: h, beside: filepath.Dir(file)}
	if value, _ := h.Env("LD_LIBRARY_PATH"); value != "" {
		s.user = []string{"LD_LIBRARY_PATH (" + value + ")"}
		for _, folder := range strings.FieldsFunc(value, func(r rune) bool { return r == ':' || r == ';' }) {
			if absolute, err := filepath.Abs(folder); err == nil {
				s.folders = append(s.folders, absolute)
			}
		}
	}
	for _, folder := range build.Folders {
		if wheels, ok := wheelsOf(folder); ok && !slices.Contains(s.wheels, wheels) {
			s.wheels = append(s.wheels, wheels)
			// internal/libtensorflow opens libcusolver, which is not in any of the build's folders.
			s.folders = append(s.folders, strings.Replace(wheels, "*", "cusolver", 1))
		}
		s.folders = append(s.folders, folder)
	}
	return s
}

// wheelsOf returns the folders of NVIDIA's wheels, if this is one of them.
func wheelsOf(folder string) (pattern string, ok bool) {
	before, _, ok := strings.Cut(folder, "/nvidia/")
	return before + "/nvidia/*/lib", ok
}

// where lists where it looks.
func (s search) where(wheels ...string) string {
	return and(slices.Concat(s.user, wheels, []string{"the system's folders"}))
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
			if wheels, ok := wheelsOf(folder); ok {
				folder = wheels
			}
			folders = append(folders, folder)
		}
	}
	switch {
	case len(missing) > 0:
		l.bad(name, and(missing)+" not found in "+s.where(s.wheels...),
			"install NVIDIA's libraries beside TensorFlow, as pip install 'tensorflow[and-cuda]' does, or name their folder in LD_LIBRARY_PATH")
	case !broken:
		slices.Sort(folders)
		l.ok(name, "all %d in %s", len(folders), and(slices.Compact(folders)))
	}
}
