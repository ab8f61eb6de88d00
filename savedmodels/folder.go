package savedmodels

import (
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tftl/internal/regular"
	"tftl/internal/standin"
	"tftl/pipeline"
)

// noFolder is the error for a file that was given instead of a SavedModel's
// folder.
func noFolder(path string) error {
	switch ext := strings.ToLower(filepath.Ext(path)); {
	case filepath.Base(path) == "saved_model.pb":
		return pipeline.WithHint(pipeline.Errorf(pipeline.BadModel, "model %s: is a file of a model, not its folder", path),
			"give the folder: %s", strconv.Quote(filepath.Dir(path)))
	case slices.Contains([]string{".keras", ".h5", ".hdf5"}, ext):
		return pipeline.WithHint(pipeline.Errorf(pipeline.BadModel, "model %s: is a Keras file, not the folder of a SavedModel", path),
			"in Keras, model.export(DIR) writes a SavedModel that predicts; tftl-export %s FILE writes one that can be trained", pipeline.Option("keras-model"))
	}
	return pipeline.Errorf(pipeline.BadModel, "model %s: is not a folder", path)
}

// noSavedModel is the error for a folder without saved_model.pb. It points to the
// newest version if there are folders for versions, as TensorFlow Serving has
// them.
func noSavedModel(dir string) error {
	err := pipeline.Errorf(pipeline.BadModel, "model %s: is not a SavedModel: it has no saved_model.pb", dir)
	newest, of := 0, ""
	found, _ := filepath.Glob(filepath.Join(escaped(dir), "*", "saved_model.pb")) // the pattern is valid
	for _, path := range found {
		name := filepath.Base(filepath.Dir(path))
		version, notOne := strconv.Atoi(name)
		if notOne == nil && version >= newest {
			newest, of = version, name
		}
	}
	if of != "" {
		return pipeline.WithHint(err, "it has a folder per version; give one: %s", strconv.Quote(filepath.Join(dir, of)))
	}
	return pipeline.WithHint(err, "export one with tftl-export")
}

// escaped returns a pattern that matches only this path.
func escaped(path string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(path)
}

// standIn is the error for a file that has other content in place of a model's;
// nil if it does not.
func standIn(path string, head []byte) error {
	switch standin.Of(head) {
	case standin.LFSPointer:
		return pipeline.WithHint(
			pipeline.Errorf(pipeline.BadModel, "model %s: is a Git LFS pointer, not the file itself", path),
			"run git lfs pull in the repository to fetch it")
	case standin.WebPage:
		return pipeline.WithHint(
			pipeline.Errorf(pipeline.BadModel, "model %s: is a web page, not a model file", path),
			"download the file again")
	}
	return nil
}

// standInFile is standIn for a file that may be large. It reads only the
// beginning.
func standInFile(path string) error {
	file, err := regular.Open(path)
	if err != nil {
		return pipeline.Errorf(pipeline.BadModel, "model: %w", err)
	}
	defer file.Close()
	head, err := io.ReadAll(io.LimitReader(file, 512))
	if err != nil {
		return pipeline.Errorf(pipeline.BadModel, "model %s: %w", path, err)
	}
	return standIn(path, head)
}
