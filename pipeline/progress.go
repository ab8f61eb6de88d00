package pipeline

// Event is one moment of a loop, for whoever shows progress.
type Event struct {
	Phase    string // "read", "check", "features", "train", "validate", "evaluate", "sweep", or "epoch" when one has ended
	Stage    string
	Epoch    int // from 1 within the stage
	Epochs   int // of the stage, at most
	Done     int // samples
	Total    int
	Cached   int     // samples whose features were cached already
	Loss     float64 // of the epoch so far
	Accuracy float64
	Record   Epoch // of phase "epoch"
}

// Progress is told of events, in order, by one goroutine at a time. It may be nil.
type Progress func(Event)

func (p Progress) report(e Event) {
	if p != nil {
		p(e)
	}
}
