package rundir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"tftl/pipeline"
)

// ReadHistory reads history.jsonl without changing it, so it is safe while the
// run trains. The history is empty before the first epoch ends.
func (d Dir) ReadHistory() ([]pipeline.Epoch, error) {
	return readLines[pipeline.Epoch](d.File(historyFile))
}

// readLines reads a document from each line of a file, which may be missing. It
// leaves out a last line without an end, which is still being written.
func readLines[T any](path string) ([]T, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []T
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
