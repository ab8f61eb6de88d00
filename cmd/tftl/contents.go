package main

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
)

// contentsFile says in a run's folder what each image was when the run began:
// a name alone does not tell whether it still is.
const contentsFile = "contents.csv"

// writeContents writes contentsFile: path,sha256.
func writeContents(ctx context.Context, t terminal, set *dataset.Set, workers int) (func(io.Writer) error, error) {
	all, err := set.Subset("all")
	if err != nil {
		return nil, err
	}
	shown := newProgress(t, rundir.Dir{})
	defer shown.end()
	sums, err := all.Contents(ctx, workers, shown.event)
	if err != nil {
		return nil, err
	}
	return func(w io.Writer) error {
		rows := [][]string{{"path", "sha256"}}
		for i, sum := range sums {
			if sum != [sha256.Size]byte{} {
				rows = append(rows, []string{all.Sample(i).ID, hex.EncodeToString(sum[:])})
			}
		}
		return csv.NewWriter(w).WriteAll(rows)
	}, nil
}

// readContents is each image's SHA-256, in hex, when the run began; nil of a run
// that did not write it down.
func readContents(run rundir.Dir) (map[string]string, error) {
	file, err := os.Open(run.File(contentsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "run: %w", err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "run: %s: %w", file.Name(), err)
	}
	was := make(map[string]string, len(rows))
	for _, row := range rows {
		was[row[0]] = row[len(row)-1]
	}
	return was, nil
}

// changed names the images of a part that are no longer what they were when the
// run began, as far as it wrote that down. progress may be nil.
func changed(ctx context.Context, run rundir.Dir, part dataset.Part, workers int, progress pipeline.Progress) (names []string, err error) {
	was, err := readContents(run)
	if err != nil || was == nil {
		return nil, err
	}
	sums, err := part.Contents(ctx, workers, progress)
	if err != nil {
		return nil, err
	}
	for i, sum := range sums {
		id := part.Sample(i).ID
		if known := was[id] != "" && sum != [sha256.Size]byte{}; known && was[id] != hex.EncodeToString(sum[:]) {
			names = append(names, id)
		}
	}
	return names, nil
}
