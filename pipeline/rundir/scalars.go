package rundir

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"tftl/internal/tfrecord"
	"tftl/pipeline"
)

// Scalars appends metrics to the event file of logs/train or logs/validation,
// which TensorBoard shows while the run trains. step is the x axis: the epoch.
func (d Dir) Scalars(part string, step int, metrics []pipeline.Metric) error {
	dir := d.File(filepath.Join(logsDir, part))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(dir, eventsFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	var records []byte
	if info, err := file.Stat(); err == nil && info.Size() == 0 {
		records = tfrecord.Append(records, versionEvent())
	}
	for _, f := range metrics {
		records = tfrecord.Append(records, scalarEvent(step, f))
	}
	_, err = file.Write(records)
	return errors.Join(err, file.Close())
}

// EpochScalars appends an epoch's metrics with the tags of Keras' TensorBoard
// callback: epoch_loss, epoch_learning_rate and so on.
func (d Dir) EpochScalars(e pipeline.Epoch) error {
	tagged := func(metrics []pipeline.Metric) []pipeline.Metric {
		var all []pipeline.Metric
		for _, f := range metrics {
			all = append(all, pipeline.Metric{Name: "epoch_" + f.Name, Value: f.Value})
		}
		return all
	}
	train := append(tagged(e.Train), pipeline.Metric{Name: "epoch_learning_rate", Value: e.LearningRate})
	return errors.Join(d.Scalars("train", e.Epoch, train), d.Scalars("validation", e.Epoch, tagged(e.Validation)))
}

// RestartScalars rewrites the event files from a history. Otherwise a resumed run
// would plot some epochs twice.
func (d Dir) RestartScalars(history []pipeline.Epoch) error {
	if err := os.RemoveAll(d.File(logsDir)); err != nil {
		return err
	}
	for _, e := range history {
		if err := d.EpochScalars(e); err != nil {
			return err
		}
	}
	return nil
}

// The fields are those of tensorflow/core/util/event.proto and
// tensorflow/core/framework/summary.proto.
const (
	eventWallTime    = 1
	eventStep        = 2
	eventFileVersion = 3
	eventSummary     = 5
	summaryValue     = 1
	valueTag         = 1
	valueSimple      = 2
)

func event() []byte {
	seconds := float64(time.Now().UnixNano()) / 1e9
	b := protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, math.Float64bits(seconds))
}

func versionEvent() []byte {
	b := protowire.AppendTag(event(), eventFileVersion, protowire.BytesType)
	return protowire.AppendString(b, "brain.Event:2")
}

func scalarEvent(step int, f pipeline.Metric) []byte {
	value := protowire.AppendTag(nil, valueTag, protowire.BytesType)
	value = protowire.AppendString(value, f.Name)
	value = protowire.AppendTag(value, valueSimple, protowire.Fixed32Type)
	value = protowire.AppendFixed32(value, math.Float32bits(float32(f.Value)))
	summary := protowire.AppendTag(nil, summaryValue, protowire.BytesType)
	summary = protowire.AppendBytes(summary, value)
	b := protowire.AppendTag(event(), eventStep, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(step))
	b = protowire.AppendTag(b, eventSummary, protowire.BytesType)
	return protowire.AppendBytes(b, summary)
}
