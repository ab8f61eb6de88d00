package rundir

import (
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"tftl/pipeline"
)

func identified() (Config, Sources) {
	fold := 0
	return Config{
		Tftl: "v1", Seed: 7,
		Data: Data{Path: "/photos", Split: [3]float64{0.7, 0.15, 0.15}, Layout: "classes", OnBadImage: "fail", Fold: &fold},
		Model: Model{
			Path: "/model", Backbone: "vgg16", WeightsSHA256: "12", Pooling: "avg", Units: []int{32},
			InitFrom: &InitFrom{Path: "/runs/1", SHA256: "34", Stages: []string{"head"}},
		},
		Training: Training{
			BatchSize: 32, LearningRate: 1e-4, Rate: Rate{Schedule: "constant", DecayRate: 0.1, DecayEpochs: 5},
			Stages:       []Stage{{Name: "head", Epochs: 10, LearningRate: 1e-4, Rate: Rate{Schedule: "cosine"}}},
			Hyper:        pipeline.Hyperparameters{Optimizer: "adam"},
			Augmentation: pipeline.Augmentation{HorizontalFlip: true, ZoomRange: pipeline.Factors{0.9, 1.1}},
			ClassWeights: map[string]float64{"b": 2, "a": 0.5}, Monitor: "val_loss", Patience: 5,
		},
		Runtime: Runtime{TensorFlow: "2.15.0", Devices: []string{"CPU:0"}, Precision: "float32", Threads: 2, Instructions: "AVX2"},
	}, Sources{Model: "56", Parts: "78", Images: "90"}
}

// If these digests change, every batch repeats its finished runs. If a new field
// of Config is the cause, leave it out at its zero value: Identity does so by
// itself, LegacyIdentity needs omitempty.
func TestIdentityStays(t *testing.T) {
	c, sources := identified()
	if got, want := c.Identity(sources), "8470d471af61949e267ac4851aae6e0f52520982c40f434a21fd3909274ccd75"; got != want {
		t.Errorf("identity %s, want %s", got, want)
	}
	legacy, err := c.LegacyIdentity(sources)
	if want := "f5653296f46613476abb3abe729536c51e96bc303bf3b420fd68f2adf6019bf6"; err != nil || legacy != want {
		t.Errorf("legacy identity %s, %v, want %s", legacy, err, want)
	}
}

// The identity is the same before a run, after it, and read from its folder.
func TestFactsAreNotPartOfTheIdentity(t *testing.T) {
	c, sources := identified()
	want := c.Identity(sources)
	legacy, err := c.LegacyIdentity(sources)
	if err != nil {
		t.Fatal(err)
	}
	c.Tftl, c.Inputs = "v2", want
	c.Data.TakenFor, c.Data.SHA256, c.Data.Train, c.Data.Validation, c.Data.Test = "a folder", "1", 2, 3, 4
	c.Runtime.Devices, c.Runtime.Threads, c.Runtime.Instructions = nil, 8, "AVX512"
	if got, err := c.LegacyIdentity(sources); err != nil || got != legacy {
		t.Errorf("legacy identity %s, %v, want %s", got, err, legacy)
	}
	c.Data.Layout = "parts"
	d := create(t, filepath.Join(t.TempDir(), "run"))
	if err := d.WriteConfig(c); err != nil {
		t.Fatal(err)
	}
	if c, err = d.ReadConfig(); err != nil || c.Identity(sources) != want {
		t.Errorf("identity %s, %v, want %s", c.Identity(sources), err, want)
	}
}

// fill sets every field to something.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Array:
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("a"), reflect.ValueOf(2.0))
	case reflect.String:
		v.SetString("a")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Uint64:
		v.SetUint(1)
	default:
		v.SetInt(1)
	}
}

// Every field counts once, and facts names existing fields.
func TestEveryFieldIsPartOfTheIdentity(t *testing.T) {
	if got := fields("", reflect.ValueOf(Config{})); len(got) > 0 {
		t.Errorf("fields of an empty configuration: %v", got)
	}
	var full Config
	fill(reflect.ValueOf(&full).Elem())
	var names []string
	for _, f := range fields("", reflect.ValueOf(full)) {
		if slices.Contains(names, f.name) {
			t.Errorf("%s is there twice", f.name)
		}
		names = append(names, f.name)
	}
	for _, name := range append(facts(), "seed", "data.fold", "model.init_from.fresh_head", "training.stages.0.schedule",
		"training.augmentation.zoom_range", "training.hyperparameters.dropout", "training.class_weights", "runtime.precision") {
		if !slices.Contains(names, name) {
			t.Errorf("there is no field %s", name)
		}
	}

	c, sources := identified()
	was := c.Identity(sources)
	for name, change := range map[string]func(){
		"seed":          func() { c.Seed++ },
		"fold":          func() { c.Data.Fold = nil },
		"class weights": func() { c.Training.ClassWeights["a"] = 1 },
		"stage":         func() { c.Training.Stages = append(c.Training.Stages, Stage{Name: "block"}) },
		"rate":          func() { c.Training.Stages[0].WarmupEpochs = 1 },
		"augmentation":  func() { c.Training.Augmentation.VerticalFlip = true },
		"model":         func() { sources.Model = "1" },
		"parts":         func() { sources.Parts = "2" },
		"images":        func() { sources.Images = "3" },
	} {
		change()
		now := c.Identity(sources)
		if now == was {
			t.Errorf("%s does not count", name)
		}
		was = now
	}
}
