package rundir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"tftl/pipeline"
)

// ReadHistory reads history.jsonl without changing it, so it is safe while the
// run trains. The history is empty before the first epoch ends.
func (d Dir) ReadHistory() ([]pipeline.Epoch, error) {
	at, err := d.standing(pipeline.Last) // before the history, which grows
	if err != nil {
		at, _ = d.standing(previous)
	}
	history, _, err := d.readHistory(at)
	return history, err
}

// readHistory reads history.jsonl, whose first epochs must be those that a checkpoint
// was written after.
func (d Dir) readHistory(at standing) (history []pipeline.Epoch, data []byte, err error) {
	data, err = d.readFile(historyFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	first, ok := firstLines(data, at.State.Epochs)
	switch {
	case !ok:
		err = d.damaged(historyFile, fmt.Sprintf("it has fewer than the %d epochs of the checkpoint", at.State.Epochs))
	case at.History != "" && digest(first) != at.History:
		err = d.damaged(historyFile, "its epochs are not those of the checkpoint")
	default:
		history, err = parseLines[pipeline.Epoch](data, d.File(historyFile))
	}
	return history, data, err
}

// readLines reads a document from each line of a file, which may be missing.
func readLines[T any](d Dir, name string) ([]T, error) {
	data, err := d.readFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return parseLines[T](data, d.File(name))
}

// parseLines leaves out a last line without an end, which is still being written.
func parseLines[T any](data []byte, path string) (all []T, err error) {
	for {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			return all, nil
		}
		var one T
		if err := json.Unmarshal(line, &one); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, len(all)+1, err)
		}
		all, data = append(all, one), rest
	}
}
