package pipeline

// Event reports the progress of a loop.
type Event struct {
	Phase    string // "read", "check", "features", "train", "validate", "evaluate", "sweep", "tune", or "epoch" when one has ended
	Run      string // its name, if others are trained at the same time
	Stage    string
	Epoch    int // from 1 within the stage
	Epochs   int // most epochs of the stage
	Done     int // samples
	Total    int
	Cached   int     // samples whose features were cached already
	Loss     float64 // of the epoch so far
	Accuracy float64
	Record   Epoch // of phase "epoch"
}

// Progress receives events in order, from one goroutine at a time. It may be
// nil.
type Progress func(Event)

func (p Progress) report(e Event) {
	if p != nil {
		p(e)
	}
}
