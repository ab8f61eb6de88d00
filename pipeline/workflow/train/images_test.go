package train

import (
	"context"
	"slices"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/features"
	"tftl/pipeline/workflow/internal/fake"
)

// unevenInputs returns the inputs of a run on four dogs and one cat.
func unevenInputs(t *testing.T, copies int) *inputs {
	t.Helper()
	in := augmented(t, copies, 2, Cache{})
	cats := 0
	in.set.Train = in.set.Train.Keep(func(i int) bool {
		dog := in.set.Classes[in.set.Train.Sample(i).Label] == "dog"
		if !dog {
			cats++
		}
		return dog || cats == 1
	})
	in.config.Training.Sampler = BalancedSampler
	return in
}

// whole reads an epoch in batches of three, in the order in which Fit does.
func whole(t *testing.T, source pipeline.Source, epoch int) (all []pipeline.Batch) {
	t.Helper()
	for index := range slices.Chunk(pipeline.Order(3, epoch, source.Len()), 3) {
		b, err := source.Batch(t.Context(), epoch, index)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

// A rare image is augmented in another way each time that it comes, also within
// an epoch.
func TestBalancedSamplerAugmentsRareImagesAnew(t *testing.T) {
	source := unevenInputs(t, 0).openTraining(t, &counting{})
	if source.Len() != 6 { // five images, two classes
		t.Fatalf("an epoch has %d draws, want 6", source.Len())
	}
	perLabel, cats := map[int]int{}, map[float32]bool{}
	for epoch := 1; epoch <= 2; epoch++ {
		for _, b := range whole(t, source, epoch) {
			for i, s := range b.Samples {
				perLabel[s.Label]++
				if s.Label == 0 {
					cats[b.Data[i]] = true
				}
			}
		}
	}
	if perLabel[0] != 6 || perLabel[1] != 6 || len(cats) != 6 {
		t.Errorf("classes came %v times, the cat in %d forms", perLabel, len(cats))
	}
}

// Cached copies are those that new augmentation makes, as long as there is one for
// each time.
func TestBalancedSamplerUsesCopiesInTurn(t *testing.T) {
	fresh := unevenInputs(t, 0).openTraining(t, &counting{})
	in := unevenInputs(t, 6)
	in.config.Training.Stages[0].Epochs = 2 // each draws the cat three times
	var err error
	if in.store, err = features.Open(features.Options{}, "fake"); err != nil {
		t.Fatal(err)
	}
	stage := &counting{}
	copied := in.openTraining(t, stage)
	passed := stage.passed
	for epoch := 1; epoch <= 2; epoch++ {
		want := whole(t, fresh, epoch)
		for i, b := range whole(t, copied, epoch) {
			if !slices.Equal(b.Data, want[i].Data) || !slices.Equal(b.Samples, want[i].Samples) {
				t.Errorf("epoch %d, batch %d: %v, want %v", epoch, i, b.Data, want[i].Data)
			}
		}
	}
	if stage.passed != passed {
		t.Errorf("%d images passed the frozen part during training", stage.passed-passed)
	}
}

// Features are mixed after the frozen part, pixels before it. The fake's frozen
// part changes nothing, so both are the same here.
func TestPixelsAndFeaturesAreMixedAlike(t *testing.T) {
	batches := func(copies int) []pipeline.Batch {
		in := unevenInputs(t, copies)
		in.config.Training.MixUp = 0.5
		var err error
		if in.store, err = features.Open(features.Options{}, "fake"); err != nil {
			t.Fatal(err)
		}
		return whole(t, in.openTraining(t, &counting{}), 1)
	}
	pixels, cached := batches(0), batches(6)
	for i, b := range pixels {
		if !slices.Equal(b.Data, cached[i].Data) || !slices.Equal(b.Mixed, cached[i].Mixed) {
			t.Errorf("batch %d: %v %v, want %v %v", i, cached[i].Data, cached[i].Mixed, b.Data, b.Mixed)
		}
		for k, m := range b.Mixed {
			if m.Partner != b.Samples[(k+1)%len(b.Samples)] || !(m.Share >= 0 && m.Share <= 1) {
				t.Errorf("batch %d, sample %d: mixed with %+v", i, k, m)
			}
		}
	}
}

// CutMix needs pixels, and so passes them through the frozen part in each epoch.
func TestCutMixTakesPixels(t *testing.T) {
	in := unevenInputs(t, 0)
	in.config.Training.Augmentation = pipeline.Augmentation{FillMode: "nearest"}
	in.config.Training.CutMix = 1
	in.env.Augmenter = nil // without augmentation there is none
	in.env.Decoder = nil
	in.decoder = square{}
	stage := &counting{}
	source := in.openTraining(t, stage)
	before := stage.passed
	for _, b := range whole(t, source, 1) {
		for i, m := range b.Mixed {
			own := 0
			for _, v := range b.Data[i*12 : (i+1)*12] {
				if v == float32(b.Samples[i].Label) {
					own++
				}
			}
			if m.Partner.Label != b.Samples[i].Label && float64(own)/12 != m.Share {
				t.Errorf("%d of 12 values are the image's own, its share is %v", own, m.Share)
			}
		}
	}
	if stage.passed-before != source.Len() {
		t.Errorf("%d images passed the frozen part, want %d", stage.passed-before, source.Len())
	}
}

// square decodes images to 2 x 2 pixels of their label.
type square struct{}

func (square) Decode(_ context.Context, _ [][]byte, samples []pipeline.Sample) (pipeline.Batch, error) {
	b := pipeline.Batch{Samples: samples, Shape: []int64{int64(len(samples)), 2, 2, 3}}
	for _, s := range samples {
		b.Data = append(b.Data, slices.Repeat([]float32{float32(s.Label)}, 12)...)
	}
	return b, nil
}

func (square) Version() string { return "square" }

func (square) Close() error { return nil }

func TestWhatIsSaidOfTheSampler(t *testing.T) {
	in := unevenInputs(t, 0)
	world := new(fake.World)
	p := &Prepared{Config: in.config, Set: in.set, env: world.Env()}
	p.describeBalance()
	if !world.Noted("balanced sampler: 3 draws of each class per epoch, so each image of dog (4) comes 0.75 times, each of cat (1) 3 times") {
		t.Error("nothing is said of the draws")
	}
	p.Config.Training.ClassWeights = map[string]float64{"cat": 4, "dog": 1}
	p.describeBalance()
	if !world.Noted("sampler balanced and class-weights both correct for unequal classes") {
		t.Error("nothing is said of class weights beside the sampler")
	}
	p.Config.Training.ClassWeights, p.Config.Training.Sampler = nil, ""
	p.describeBalance()
	if !world.Noted("(class-weights balanced, or sampler balanced)") {
		t.Error("nothing is said of what helps")
	}
}
