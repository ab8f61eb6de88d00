package savedmodels

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"tftl/internal/atomicfile"
	"tftl/internal/regular"
	"tftl/pipeline"
)

// sealFile lists the SHA-256 of a model's files, as sha256sum writes them and
// `sha256sum --check` in the model's folder reads them.
const sealFile = "assets.extra/SHA256SUMS"

// graphFile has the MetaGraphs of a model.
const graphFile = "saved_model.pb"

// descriptionFile is a model's description of itself.
const descriptionFile = "assets.extra/tftl.json"

// sealed lists the files of a model that its seal covers.
func sealed(dir string) ([]string, error) {
	data, err := dataFiles(dir)
	return append([]string{graphFile, descriptionFile, "variables/variables.index"}, data...), err
}

// dataFiles lists the files with the values of a model's variables. Unlike fs.Glob it
// returns the errors of the disk.
func dataFiles(dir string) (files []string, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, "variables"))
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "variables.data-") {
			files = append(files, "variables/"+entry.Name())
		}
	}
	return files, err
}

// seal writes the digests of a model's files.
func seal(dir string) error {
	files, err := sealed(dir)
	if err != nil {
		return err
	}
	sums, err := sums(dir, files)
	if err != nil {
		return err
	}
	var text strings.Builder
	for i, file := range files {
		fmt.Fprintf(&text, "%s  %s\n", sums[i], file)
	}
	return atomicfile.WriteFile(filepath.Join(dir, sealFile), []byte(text.String()), 0o644)
}

// checkSeal checks that each file of a model is the one that was written with it: that
// no copy was interrupted, and no other model's file took its place. Models of older
// versions have no seal.
func checkSeal(dir string, d *Description) error {
	text, err := regular.Read(filepath.Join(dir, sealFile), maxDescription)
	if errors.Is(err, fs.ErrNotExist) && (d == nil || !d.Sealed) {
		return nil
	}
	differs := func(format string, args ...any) error {
		return pipeline.WithHint(pipeline.Errorf(pipeline.BadModel, "model %s: %w", dir, fmt.Errorf(format, args...)),
			"copy or export it again; if you changed it on purpose, write the file's new sha256sum into %s", sealFile)
	}
	if err != nil {
		return differs("cannot check its files: %w", err)
	}
	files, err := sealed(dir)
	if err != nil {
		return differs("cannot check its files: %w", err)
	}
	have, err := sums(dir, files)
	if err != nil {
		return differs("cannot check its files: %w", err)
	}
	want := map[string]string{}
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		sum, file, _ := strings.Cut(line, "  ")
		if len(sum) != 2*sha256.Size || file == "" {
			return differs("%s has a line that is no digest of a file", sealFile)
		}
		want[file] = sum
	}
	for file := range want {
		if !slices.Contains(files, file) {
			return differs("has no file %s, which %s lists", file, sealFile)
		}
	}
	for i, file := range files {
		if want[file] != have[i] && !(file == graphFile && want[file] == ofGraph(dir)) {
			return differs("%s is not the file that was written with the model: its SHA-256 differs", file)
		}
	}
	return nil
}

// sums returns the SHA-256 of files below a folder.
func sums(dir string, files []string) ([]string, error) {
	sums, errs := make([]string, len(files)), make([]error, len(files))
	var all sync.WaitGroup
	for i, file := range files {
		all.Add(1)
		go func() {
			defer all.Done()
			sums[i], errs[i] = fileDigest(filepath.Join(dir, file))
		}()
	}
	all.Wait()
	return sums, errors.Join(errs...)
}

// ofGraph is graphDigest, or empty if there is none.
func ofGraph(dir string) string {
	digest, err := graphDigest(dir)
	if err != nil {
		return ""
	}
	return digest
}

// Digest identifies a model by its graph and the values of its variables. Which images
// the graph answers does not count.
func Digest(dir string) (string, error) {
	files, err := dataFiles(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it may have no variables
		return "", err
	}
	all, err := sums(dir, files)
	if err != nil {
		return "", pipeline.Errorf(pipeline.BadModel, "%w", err)
	}
	graph, err := graphDigest(dir)
	if err != nil {
		return "", pipeline.Errorf(pipeline.BadModel, "%w", err)
	}
	all = append(all, graph)
	sum := sha256.Sum256([]byte(strings.Join(all, "\n")))
	return hex.EncodeToString(sum[:]), nil
}

func fileDigest(path string) (string, error) {
	file, err := regular.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
