package rundir

import "tftl/pipeline"

// Config is config.json: every option as it was resolved, so that the run can
// be gone on with, repeated and evaluated from its folder.
type Config struct {
	Tftl     string   `json:"tftl"` // version of the program
	Seed     uint64   `json:"seed"`
	Inputs   string   `json:"inputs_sha256,omitempty"` // of a batch's run: of all that the model follows from
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
	Threads      int      `json:"threads"` // 0: as many as there are
	Instructions string   `json:"instructions"`
}

// Data is what was trained on.
type Data struct {
	Path           string   `json:"path"`                      // absolute
	ValidationPath string   `json:"validation_path,omitempty"` // of a part given apart; absolute
	TestPath       string   `json:"test_path,omitempty"`       // likewise
	FollowSymlinks bool     `json:"follow_symlinks"`
	AllowOutside   bool     `json:"allow_outside"`
	Layout         string   `json:"layout,omitempty"`  // what class folders were taken for: parts or classes
	Classes        []string `json:"classes,omitempty"` // those that were wanted; all, where there are none
	LimitPerClass  int      `json:"limit_per_class"`   // 0: none
	Fold           *int     `json:"fold,omitempty"`    // of a manifest, that is the test part

	TakenFor   string     `json:"taken_for"`
	Split      [3]float64 `json:"split"`
	Exact      bool       `json:"split_exact"`
	SHA256     string     `json:"sha256"` // of names, labels and parts
	OnBadImage string     `json:"on_bad_image"`
	Train      int        `json:"train"` // images
	Validation int        `json:"validation"`
	Test       int        `json:"test"`
}

// Model is the exported network that the run began with.
type Model struct {
	Path          string `json:"path"` // absolute
	Backbone      string `json:"backbone"`
	WeightsOrigin string `json:"weights_origin"`
	WeightsSHA256 string `json:"weights_sha256"`
	Input         string `json:"input,omitempty"` // what an image is made into
	Pooling       string `json:"pooling"`
	Units         []int  `json:"units"` // of each hidden layer of the head

	InitFrom *InitFrom `json:"init_from,omitempty"`
}

// InitFrom is the earlier run whose best weights a run began with.
type InitFrom struct {
	Path   string `json:"path"`   // absolute
	SHA256 string `json:"sha256"` // of its best checkpoint's values
	// Stages were trained before this run, from the first run on: what lies
	// above their cuts is no longer as the model has it.
	Stages        []string `json:"stages"`
	WeightsSHA256 string   `json:"weights_sha256"` // of the model that it began with
	Pooling       string   `json:"pooling"`
	Units         []int    `json:"units"`
	FreshHead     bool     `json:"fresh_head"` // its head was given up
}

// Training is how.
type Training struct {
	BatchSize    int                      `json:"batch_size"`
	LearningRate float64                  `json:"learning_rate"` // of a stage that did not say
	Rate         Rate                     `json:"rate"`          // likewise
	Plateau      Plateau                  `json:"plateau"`
	Stages       []Stage                  `json:"stages"`
	StagesAuto   bool                     `json:"stages_auto"` // as deep as the validation part says
	Hyper        pipeline.Hyperparameters `json:"hyperparameters"`
	Augmentation pipeline.Augmentation    `json:"augmentation"` // of the training part
	// ClassWeights multiply the loss of a class's images in training; empty for none.
	ClassWeights   map[string]float64 `json:"class_weights,omitempty"`
	LabelSmoothing float64            `json:"label_smoothing"`
	Monitor        string             `json:"monitor"`
	MinDelta       float64            `json:"min_delta"`
	Patience       int                `json:"patience"`
	StartFromEpoch int                `json:"start_from_epoch"` // epochs of a stage that patience does not count
}

// Plateau lowers the rate where the monitored figure stops getting better.
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

// Rate is how a learning rate changes over a stage.
type Rate struct {
	Schedule     string  `json:"schedule"`      // constant, step, exponential or cosine
	DecayRate    float64 `json:"decay_rate"`    // step, exponential: the factor
	DecayEpochs  int     `json:"decay_epochs"`  // step, exponential: after how many epochs it has its whole effect
	WarmupEpochs int     `json:"warmup_epochs"` // in which it rises to begin with
}

// ReadConfig reads config.json.
func (d Dir) ReadConfig() (Config, error) {
	var c Config
	err := d.ReadJSON("config.json", &c)
	return c, err
}
