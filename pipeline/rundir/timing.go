package rundir

import (
	"cmp"
	"errors"
	"os"
	"time"

	"tftl/pipeline"
)

// The phases of a line of timing.jsonl.
const (
	FeaturesPhase = "features" // a frozen pass
	EpochPhase    = "epoch"
	maxTimePhase  = "max-time" // the time limit that stopped training
)

// Timing is a line of timing.jsonl: a frozen pass, an epoch or a time limit.
type Timing struct {
	Phase      string  `json:"phase"`
	Stage      string  `json:"stage"`
	Epoch      int     `json:"epoch"`
	Images     int     `json:"images"`
	Cached     int     `json:"cached"`     // of them, in a frozen pass
	Seconds    float64 `json:"seconds"`    // of a frozen pass
	Computing  float64 `json:"computing"`  // of them, until batches were computed; the others went by with images that were cached
	Waiting    float64 `json:"waiting"`    // seconds of a frozen pass or an epoch's training in which no batch was ready
	Train      float64 `json:"train"`      // seconds of an epoch
	Validate   float64 `json:"validate"`   // seconds of an epoch
	Checkpoint float64 `json:"checkpoint"` // seconds of an epoch
	Limit      float64 `json:"limit"`      // seconds, of a time limit that stopped training
}

// Frozen is how many seconds of a frozen pass were for images that were not
// cached. Lines of older versions do not tell them apart.
func (t Timing) Frozen() float64 {
	if t.Images == t.Cached {
		return 0
	}
	return cmp.Or(t.Computing, t.Seconds)
}

// ImagesPerSecond is the speed of a frozen pass or of an epoch's training, or 0
// if nothing was computed. Images from the cache count neither as images nor by
// the time that it took to find them.
func (t Timing) ImagesPerSecond() float64 {
	images, seconds := t.Images-t.Cached, t.Frozen()+t.Train
	if images == 0 || seconds == 0 {
		return 0
	}
	return float64(images) / seconds
}

// line has only the keys of its phase.
func (t Timing) line() map[string]any {
	line := map[string]any{"phase": t.Phase, "stage": t.Stage, "images": t.Images, "waiting": t.Waiting}
	if t.Phase == FeaturesPhase {
		line["cached"], line["seconds"], line["computing"] = t.Cached, t.Seconds, t.Computing
	} else {
		line["epoch"], line["train"], line["validate"], line["checkpoint"] = t.Epoch, t.Train, t.Validate, t.Checkpoint
	}
	return line
}

// ReadTiming reads timing.jsonl. It is empty for a run that was not timed.
func (d Dir) ReadTiming() ([]Timing, error) { return readLines[Timing](d, timingFile) }

// WriteTiming adds lines to timing.jsonl.
func (d Dir) WriteTiming(lines []Timing) (err error) {
	for _, t := range lines {
		err = errors.Join(err, d.Append(timingFile, t.line()))
	}
	return err
}

// Progress times a run. It hands every event on to show, which may be nil, with
// the timing of the phase that the event ends, or zero. At the end of a frozen
// pass or an epoch it appends a line to timing.jsonl, and an epoch's metrics to
// the TensorBoard logs.
//
// A frozen pass begins with a "features" event whose Done is 0 and ends with the
// one whose Done equals Total.
func (r *Recorder) Progress(show func(pipeline.Event, Timing)) pipeline.Progress {
	now := r.now
	if now == nil {
		now = time.Now
	}
	watch := stopwatch{now: now, last: now(), seconds: map[string]float64{}}
	return func(e pipeline.Event) {
		timing := watch.event(e)
		if show != nil {
			show(e, timing)
		}
		if timing != (Timing{}) {
			r.time(timing.line())
			r.plot(e, timing)
			watch.reset()
		}
	}
}

// Timed times a loop whose timing nobody keeps, as Progress does.
func Timed(show func(pipeline.Event, Timing)) pipeline.Progress {
	watch := stopwatch{now: time.Now, last: time.Now(), seconds: map[string]float64{}}
	return func(e pipeline.Event) {
		timing := watch.event(e)
		if show != nil {
			show(e, timing)
		}
		if timing != (Timing{}) {
			watch.reset()
		}
	}
}

// TimeLimit records in timing.jsonl that a time limit stopped training.
func (r *Recorder) TimeLimit(limit time.Duration) {
	r.time(map[string]any{"phase": maxTimePhase, "limit": limit.Seconds()})
}

// time appends a line without waiting for the disk, which a short epoch would do
// for most of its time. A power cut may lose it.
func (r *Recorder) time(line map[string]any) {
	r.try(r.appendLine(timingFile, line, func(*os.File) error { return nil }))
}

// plot adds an epoch to what TensorBoard shows.
func (r *Recorder) plot(e pipeline.Event, t Timing) {
	if t.Phase != EpochPhase {
		return
	}
	var speed []pipeline.Metric
	if v := t.ImagesPerSecond(); v > 0 {
		speed = append(speed, pipeline.Metric{Name: "images_per_second", Value: v})
	}
	r.try(errors.Join(r.EpochScalars(e.Record), r.Scalars("train", e.Record.Epoch, speed)))
}

// try reports an error without ending the run, which needs neither timing nor
// plots: a full disk should cost no more than these.
func (r *Recorder) try(err error) {
	if err != nil && r.Warn != nil {
		r.Warn(pipeline.Messagef("%v", err))
	}
}

// stopwatch adds up the seconds of each phase of a loop.
type stopwatch struct {
	now     func() time.Time
	last    time.Time // of the previous event
	seconds map[string]float64
	trained int // samples of the epoch

	computing float64 // seconds of the frozen pass in which images were computed
	computed  int     // images of the frozen pass
}

// event counts the time since the previous event. It returns the timing of the
// frozen pass or the epoch that ends, or zero.
func (s *stopwatch) event(e pipeline.Event) Timing {
	now := s.now()
	passed := now.Sub(s.last).Seconds()
	s.last = now
	if e.Phase == FeaturesPhase && e.Done == 0 {
		return Timing{} // what came before was not part of the pass
	}
	s.seconds[e.Phase] += passed
	if computed := e.Computed(); e.Phase == FeaturesPhase && computed > s.computed {
		s.computing, s.computed = s.computing+passed, computed
	}
	switch {
	case e.Phase == "train":
		s.trained = e.Done
	case e.Phase == FeaturesPhase && e.Done == e.Total:
		return Timing{Phase: FeaturesPhase, Stage: e.Stage, Images: e.Total - e.Left, Cached: e.Cached, Seconds: s.seconds[e.Phase], Computing: s.computing, Waiting: e.Waited.Seconds()}
	case e.Phase == EpochPhase:
		return Timing{
			Phase: EpochPhase, Stage: e.Stage, Epoch: e.Record.Epoch, Images: s.trained,
			Train: s.seconds["train"], Validate: s.seconds["validate"], Checkpoint: s.seconds[EpochPhase], Waiting: e.Waited.Seconds(),
		}
	}
	return Timing{}
}

// reset begins the next pass or epoch.
func (s *stopwatch) reset() {
	clear(s.seconds)
	s.trained, s.computing, s.computed, s.last = 0, 0, 0, s.now()
}
