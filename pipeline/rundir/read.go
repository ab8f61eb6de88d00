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

// ReadHistory reads history.jsonl, and changes nothing: a run that still trains
// can be looked at. One without an epoch yet has an empty history.
func (d Dir) ReadHistory() ([]pipeline.Epoch, error) {
	return readLines[pipeline.Epoch](d.File("history.jsonl"))
}

// Timing is a line of timing.jsonl: a frozen pass, whose phase is features, or
// an epoch.
type Timing struct {
	Phase      string  `json:"phase"`
	Stage      string  `json:"stage"`
	Epoch      int     `json:"epoch"`
	Images     int     `json:"images"`
	Cached     int     `json:"cached"`     // of them, in a frozen pass
	Seconds    float64 `json:"seconds"`    // of a frozen pass
	Train      float64 `json:"train"`      // seconds of an epoch
	Validate   float64 `json:"validate"`   // likewise
	Checkpoint float64 `json:"checkpoint"` // likewise
}

// ReadTiming reads timing.jsonl. A run may have none: it is for people alone.
func (d Dir) ReadTiming() ([]Timing, error) { return readLines[Timing](d.File("timing.jsonl")) }

// readLines reads a document from each line of a file, which need not be
// there. A last line without an end is still being written, and left out.
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
