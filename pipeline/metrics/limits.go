package metrics

import (
	"tftl/internal/machine"
	"tftl/pipeline"
)

// Limits on a table, however small the file is that decompresses to it. A table of
// 500,000 samples of 1,000 classes is a fourth of it.
const (
	maxRow     = 16 << 20 // bytes
	maxSamples = 10_000_000
	maxValues  = 1 << 31
	maxClasses = 32_768 // whose confusion matrix takes 8 GiB
)

// memoryStep is after how many bytes a reader asks whether there is memory for as
// many more.
const memoryStep = 256 << 20

// room is what a table that is being read takes.
type room struct{ size, asked int64 }

// take returns an error if a table has no room for another row.
func (r *room) take(t Table, fields []string) error {
	switch n := len(t.Predictions) + 1; {
	case n > maxSamples:
		return pipeline.Errorf(pipeline.BadData, "more samples than the limit of %d", maxSamples)
	case n > maxValues/len(fields):
		return pipeline.Errorf(pipeline.BadData, "more values than the limit of %d", maxValues)
	}
	if err := checkClasses(t.Classes); err != nil {
		return err
	}
	r.size += 256 // of a sample's own
	for _, field := range fields {
		r.size += int64(len(field))
	}
	if r.size < r.asked {
		return nil
	}
	r.asked = r.size + memoryStep
	return machine.Fits(memoryStep)
}

func checkClasses(classes []string) error {
	if n := len(classes); n > maxClasses {
		return pipeline.Errorf(pipeline.BadData, "%d classes are more than the limit of %d", n, maxClasses)
	}
	return nil
}
