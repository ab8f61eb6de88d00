package rundir

import (
	"encoding/json"
	"fmt"
	"strings"

	"tftl/pipeline"
)

// Config is config.json: every option as it was resolved, so that the run can be
// resumed, repeated and evaluated from its folder.
type Config struct {
	Tftl     string   `json:"tftl"`             // version of the program
	Sealed   bool     `json:"sealed,omitempty"` // the run has digests; older ones do not
	Seed     uint64   `json:"seed"`
	Inputs   string   `json:"inputs_sha256,omitempty"` // Identity, of a run of a batch
	Data     Data     `json:"data"`
	Model    Model    `json:"model"`
	Training Training `json:"training"`
	Runtime  Runtime  `json:"runtime"`
}

// Runtime is what the run was computed with.
type Runtime struct {
	TensorFlow   string   `json:"tensorflow"`
	Devices      []string `json:"devices"`
	Precision    string   `json:"precision"`
	Threads      int      `json:"threads"` // 0: all of them
	Instructions string   `json:"instructions"`
	Processes    int      `json:"processes,omitempty"` // that trained it together; 0 for one alone
}

// Data is what was trained on.
type Data struct {
	Path           string   `json:"path"`                      // absolute
	ValidationPath string   `json:"validation_path,omitempty"` // of a separate validation part; absolute
	TestPath       string   `json:"test_path,omitempty"`       // of a separate test part; absolute
	FollowSymlinks bool     `json:"follow_symlinks"`
	AllowOutside   bool     `json:"allow_outside"`
	Layout         string   `json:"layout,omitempty"`  // what the top folders stand for: parts or classes
	Classes        []string `json:"classes,omitempty"` // those asked for; empty for all
	LimitPerClass  int      `json:"limit_per_class"`   // 0: no limit
	Fold           *int     `json:"fold,omitempty"`    // of a manifest, used as the test part

	TakenFor   string     `json:"taken_for"`
	Split      [3]float64 `json:"split"`
	Exact      bool       `json:"split_exact"`
	SHA256     string     `json:"sha256"` // of the images' names, classes and parts
	OnBadImage string     `json:"on_bad_image"`
	Train      int        `json:"train"` // images
	Validation int        `json:"validation"`
	Test       int        `json:"test"`

	Excluded *Excluded `json:"excluded,omitempty"` // nil: nothing was to be left out
}

// Excluded is what was left out because of an audit's findings. The counts of Data are
// without it.
type Excluded struct {
	Findings   string `json:"findings"`   // as they were asked for: audit.csv:label-error
	Train      int    `json:"train"`      // images
	Validation int    `json:"validation"` // images
	SHA256     string `json:"sha256"`     // of the images' names
}

// Model is the exported network that the run started from.
type Model struct {
	Path          string `json:"path"` // absolute
	Backbone      string `json:"backbone"`
	WeightsOrigin string `json:"weights_origin"`
	WeightsSHA256 string `json:"weights_sha256"`
	Input         string `json:"input,omitempty"` // how images are resized and preprocessed
	Pooling       string `json:"pooling"`
	Units         []int  `json:"units"` // of each hidden layer of the head

	InitFrom *InitFrom `json:"init_from,omitempty"`
}

// InitFrom is the earlier run whose best weights a run started from.
type InitFrom struct {
	Path   string `json:"path"`   // absolute
	SHA256 string `json:"sha256"` // of its best checkpoint's values
	// Stages are those trained in all earlier runs. Weights above their cuts
	// differ from the model's.
	Stages        []string `json:"stages"`
	WeightsSHA256 string   `json:"weights_sha256"` // of the model that the earlier run started from
	Pooling       string   `json:"pooling"`
	Units         []int    `json:"units"`
	FreshHead     bool     `json:"fresh_head"` // whether the head was initialized again
	FeatureScale  string   `json:"feature_scale,omitempty"`
}

// Training is how the run was trained.
type Training struct {
	BatchSize    int                      `json:"batch_size"`
	LearningRate float64                  `json:"learning_rate"` // of stages without their own
	Rate         Rate                     `json:"rate"`          // of stages without their own
	Plateau      Plateau                  `json:"plateau"`
	Stages       []Stage                  `json:"stages"`
	StagesAuto   bool                     `json:"stages_auto"` // whether validation decided how deep to train
	Hyper        pipeline.Hyperparameters `json:"hyperparameters"`
	// HeadFeaturesFrom is the stage from whose features those of the head are
	// computed. Empty if they are computed from images.
	HeadFeaturesFrom string `json:"head_features_from,omitempty"`
	// FeatureScale divides the inputs of a new head: a number, or auto for their
	// standard deviation. Empty if they are left as they are.
	FeatureScale string `json:"feature_scale,omitempty"`
	// OutputInit is how a new output layer starts: small, or empty for Glorot.
	OutputInit   string                `json:"output_init,omitempty"`
	Augmentation pipeline.Augmentation `json:"augmentation"` // of training images
	// MixUp and CutMix are the alphas with which training images are mixed; 0 for
	// not at all.
	MixUp  float64 `json:"mixup,omitempty"`
	CutMix float64 `json:"cutmix,omitempty"`
	// Sampler draws the images of an epoch: shuffle, or balanced, which draws each
	// class equally often. Empty means shuffle.
	Sampler string `json:"sampler,omitempty"`
	// ClassWeights multiply the training loss of each class; empty for none.
	ClassWeights   map[string]float64 `json:"class_weights,omitempty"`
	LabelSmoothing float64            `json:"label_smoothing"`
	Monitor        string             `json:"monitor"`
	MinDelta       float64            `json:"min_delta"`
	Patience       int                `json:"patience"`
	StartFromEpoch int                `json:"start_from_epoch"` // epochs of a stage before patience counts
	// Tune is the search that chose the rate of the stage head, L2, dropout and
	// units; nil for none.
	Tune *Tune `json:"tune,omitempty"`
}

// FrozenEachEpoch reports whether the training images pass the frozen part again
// in every epoch, because their pixels change.
func (t Training) FrozenEachEpoch() bool {
	return t.Augmentation.Enabled() && t.Augmentation.Copies == 0 || t.CutMix > 0
}

// Tune is a search for hyperparameters before training.
type Tune struct {
	Settings int               `json:"settings"` // how many are tried
	Folds    int               `json:"folds,omitempty"`
	Search   []pipeline.Option `json:"search"` // what varies
}

// Plateau lowers the learning rate when the monitored metric stops improving.
type Plateau struct {
	Factor   float64 `json:"factor"` // 0: never
	Patience int     `json:"patience"`
}

// Stage is one stage of the plan.
type Stage struct {
	Name         string  `json:"name"`
	Epochs       int     `json:"epochs"`
	LearningRate float64 `json:"learning_rate"`
	Rate
}

// Rate is how the learning rate changes over a stage.
type Rate struct {
	Schedule     string  `json:"schedule"`      // constant, step, exponential or cosine
	DecayRate    float64 `json:"decay_rate"`    // step, exponential: factor per DecayEpochs
	DecayEpochs  int     `json:"decay_epochs"`  // step, exponential
	WarmupEpochs int     `json:"warmup_epochs"` // of linear warm-up; negative only in a request
}

// WriteConfig writes config.json.
func (d Dir) WriteConfig(c Config) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", configFile, err)
	}
	return d.replace(configFile, append(data, '\n'))
}

// ConfigText is config.json as it stands.
func (d Dir) ConfigText() (string, error) {
	text, err := d.readFile(configFile)
	return strings.TrimSpace(string(text)), err
}

// ReadConfig reads config.json.
func (d Dir) ReadConfig() (Config, error) {
	var c Config
	err := d.readJSON(configFile, &c)
	return c, err
}
