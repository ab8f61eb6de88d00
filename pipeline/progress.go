package pipeline

import "time"

// Event reports the progress of a loop.
type Event struct {
	// Phase is "read", "check", "compare", "features", "train", "validate",
	// "evaluate", "measure", "illustrate", "predict", "sweep", "tune", "curve", or "epoch"
	// when one has ended.
	Phase    string
	Run      string // its name, if others are trained at the same time
	Stage    string
	Epoch    int           // from 1 within the stage
	Epochs   int           // most epochs of the stage
	Done     int           // samples
	Total    int           // 0 if it is unknown
	Cached   int           // samples whose features were cached already
	Left     int           // samples that count as done, but whose features did not fit in the cache
	Waited   time.Duration // of a frozen pass or an epoch's training, for the next batch to be read
	Loss     float64       // of the epoch so far
	Accuracy float64
	Record   Epoch // of phase "epoch"
}

// Computed is how many of the samples that are done have passed the frozen part.
func (e Event) Computed() int { return e.Done - e.Cached - e.Left }

// Progress receives events in order, from one goroutine at a time. It may be
// nil.
type Progress func(Event)

func (p Progress) report(e Event) {
	if p != nil {
		p(e)
	}
}
