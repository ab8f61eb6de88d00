package rundir

import (
	"errors"
	"io/fs"

	"tftl/pipeline"
)

// Tuning is tune.json: the settings that were tried before training.
type Tuning struct {
	Monitor  string  `json:"monitor"` // the metric of the scores
	Rungs    []Rung  `json:"rungs"`
	Settings []Trial `json:"settings"` // the first is the default
	Chosen   int     `json:"chosen"`   // index of the setting that the run is trained with
}

// Rung is a round of tuning, in which settings are trained for equally long.
type Rung struct {
	Settings      int `json:"settings"` // how many
	Epochs        int `json:"epochs"`
	StepsPerEpoch int `json:"steps_per_epoch,omitempty"` // of a rung shorter than an epoch
}

// Trial is a setting and how well it did.
type Trial struct {
	pipeline.Setting
	Rung  int      `json:"rung"`  // the last rung that it took part in, from 1
	Score *float64 `json:"score"` // best value of the metric there; nil if training diverged
}

// Default is the setting that the run would have without tuning.
func (t *Tuning) Default() Trial { return t.Settings[0] }

// Best is the chosen setting.
func (t *Tuning) Best() Trial { return t.Settings[t.Chosen] }

// WriteTuning writes tune.json.
func (d Dir) WriteTuning(t *Tuning) error { return d.WriteJSON(tuneFile, t) }

// ReadTuning reads tune.json. It returns nil if the run was not tuned.
func (d Dir) ReadTuning() (*Tuning, error) {
	t := new(Tuning)
	err := d.readJSON(tuneFile, t)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && (t.Chosen < 0 || t.Chosen >= len(t.Settings)) {
		err = pipeline.Errorf(pipeline.BadModel, "%s: chosen is %d, but there are %d settings", d.File(tuneFile), t.Chosen, len(t.Settings))
	}
	return t, err
}
