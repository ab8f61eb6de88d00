package dataset

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tftl/pipeline"
)

// list finds out what kind of source a path is, and lists it.
func list(path string, options Options) (listing, error) {
	if _, ok := manifestComma(path); options.Fold != nil && !ok {
		err := pipeline.Errorf(pipeline.BadUsage, "--fold: %s is no manifest", path)
		return listing{}, pipeline.WithHint(err, "tftl split --folds writes one with a column of folds")
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(path, "*?["):
		return listTFRecordPattern(path)
	case err != nil:
		return listing{}, pipeline.Errorf(pipeline.BadData, "%w", err)
	case info.IsDir():
		return listDir(path, options)
	}
	if info.Mode().IsRegular() { // a pipe would be waited for
		if comma, ok := manifestComma(path); ok {
			return listManifest(path, comma, options)
		}
		is, err := isTFRecord(path)
		if err != nil {
			return listing{}, pipeline.Errorf(pipeline.BadData, "%w", err)
		}
		if is {
			return listTFRecordFile(path)
		}
	}
	err = pipeline.Errorf(pipeline.BadData, "%s is no folder, no manifest and no TFRecord file", path)
	return listing{}, pipeline.WithHint(err, "a manifest's name ends in .csv or .tsv")
}

// listDir tells folders of other things from class folders by the names of
// the files that lie directly in it.
func listDir(root string, options Options) (listing, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return listing{}, pipeline.Errorf(pipeline.BadData, "%w", err)
	}
	var files []string
	for _, e := range entries {
		if kind := e.Type(); (kind.IsRegular() || kind == fs.ModeSymlink) && !unseen(e.Name()) {
			files = append(files, e.Name())
		}
	}
	if format, ok := cifarFormat(files); ok {
		return listCIFAR(root, format, files)
	}
	if shards := tfrecordNames(files); len(shards) > 0 {
		for i, name := range shards {
			shards[i] = filepath.Join(root, name)
		}
		return listTFRecord(root, root, shards)
	}
	return listFolder(root, options)
}
