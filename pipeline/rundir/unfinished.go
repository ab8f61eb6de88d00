package rundir

import (
	"fmt"
	"os"
	"strings"
	"time"

	"tftl/pipeline"
)

// Unfinished says how far the training of a run got that has not ended.
type Unfinished struct {
	Limit         time.Duration // the time limit that stopped it; 0 for another reason
	Stage         string        // current stage; empty if only the model is missing
	Epoch, Epochs int           // current epoch of the stage; 0 if the stage has not begun
	Untried       []string      // stages that have not begun
}

// Unfinished reads how far a run got. ok is false if the run is finished, or if it
// cannot go on because its last checkpoint, or the best one after training, is
// gone.
func (d Dir) Unfinished() (u Unfinished, ok bool) {
	config, err := d.ReadConfig()
	if err != nil {
		return u, false
	}
	last, err := d.standing(pipeline.Last)
	if err != nil {
		return u, false
	}
	stages, s := config.Training.Stages, last.State
	if s.Stage >= len(stages) {
		_, model := os.Stat(d.Model())
		_, best := os.Stat(d.checkpoint(pipeline.Best)) // of which the model is made
		return u, model != nil && best == nil
	}
	if timing, err := d.ReadTiming(); err == nil && len(timing) > 0 {
		// Whatever ran after a time limit was timed after it.
		u.Limit = time.Duration(timing[len(timing)-1].Limit * float64(time.Second))
	}
	u.Stage = stages[s.Stage].Name
	if s.Stage == 0 || s.Step > s.Began {
		u.Epoch, u.Epochs = min(s.InStage+1, stages[s.Stage].Epochs), stages[s.Stage].Epochs
		stages = stages[1:]
	}
	for _, stage := range stages[s.Stage:] {
		u.Untried = append(u.Untried, stage.Name)
	}
	return u, true
}

// String describes the position: "stopped after 10m0s in epoch 3 of 10 of stage
// block5; not tried yet: block4, block3".
func (u Unfinished) String() string {
	var where string
	switch {
	case u.Stage == "":
		return "all stages are trained, but the model is not written"
	case u.Epoch == 0:
		where = "before stage " + u.Stage
	default:
		where = fmt.Sprintf("in epoch %d of %d of stage %s", u.Epoch, u.Epochs, u.Stage)
	}
	if u.Limit > 0 {
		where = fmt.Sprintf("stopped after %v %s", u.Limit, where)
	}
	if len(u.Untried) > 0 {
		where += "; not tried yet: " + strings.Join(u.Untried, ", ")
	}
	return where
}
