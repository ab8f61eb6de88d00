package savedmodels

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tftl/internal/standin"
	"tftl/pipeline"
)

// noFolder says what a file is that was named in place of a SavedModel's folder.
func noFolder(path string) error {
	switch ext := strings.ToLower(filepath.Ext(path)); {
	case filepath.Base(path) == "saved_model.pb":
		return pipeline.WithHint(pipeline.Errorf(pipeline.BadModel, "model %s: is a file of a model", path),
			"name the folder that holds it: %s", strconv.Quote(filepath.Dir(path)))
	case slices.Contains([]string{".keras", ".h5", ".hdf5"}, ext):
		return pipeline.WithHint(pipeline.Errorf(pipeline.BadModel, "model %s: is a Keras file, not a SavedModel's folder", path),
			"in Keras, model.export(DIR) writes one that predicts; scripts/export.py %s FILE writes one that can be trained", pipeline.Option("keras-model"))
	}
	return pipeline.Errorf(pipeline.BadModel, "model %s: is not a folder", path)
}

// noSavedModel says of a folder without saved_model.pb where one lies below it,
// as TensorFlow Serving has a folder for each version of a model.
func noSavedModel(dir string) error {
	err := pipeline.Errorf(pipeline.BadModel, "model %s: is no SavedModel: it has no saved_model.pb", dir)
	newest, of := 0, ""
	found, _ := filepath.Glob(filepath.Join(escaped(dir), "*", "saved_model.pb")) // the pattern is well formed
	for _, path := range found {
		name := filepath.Base(filepath.Dir(path))
		version, notOne := strconv.Atoi(name)
		if notOne == nil && version >= newest {
			newest, of = version, name
		}
	}
	if of != "" {
		return pipeline.WithHint(err, "it has a folder for each version; name one: %s", strconv.Quote(filepath.Join(dir, of)))
	}
	return pipeline.WithHint(err, "export one with scripts/export.py")
}

// escaped is a path as a pattern that it alone matches.
func escaped(path string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(path)
}

// standIn is an error for what stands in for a file of a model; nil: nothing does.
func standIn(path string, head []byte) error {
	switch standin.Of(head) {
	case standin.LFSPointer:
		return pipeline.WithHint(
			pipeline.Errorf(pipeline.BadModel, "model %s: is a Git LFS pointer, not the file that it stands for", path),
			"git lfs pull, in the repository, fetches it")
	case standin.WebPage:
		return pipeline.WithHint(
			pipeline.Errorf(pipeline.BadModel, "model %s: is a web page, not the file of this name", path),
			"download the file itself again")
	}
	return nil
}

// standInFile is standIn for a file that may be large.
func standInFile(path string) error {
	file, err := os.Open(path)
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
