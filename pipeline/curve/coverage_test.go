package curve

import (
	"math/rand/v2"
	"testing"
)

// world has images of two classes that differ in the mean of their features: by
// apart, spread over all of them. A share of the labels is wrong.
type world struct {
	features     int
	apart, wrong float64
}

type image struct {
	x     []float64
	label int
}

func (w world) draw(n int, random *rand.Rand) []image {
	images := make([]image, n)
	for i := range images {
		label := i % 2
		x := make([]float64, w.features)
		for k := range x {
			x[k] = random.NormFloat64()
		}
		x[0] += w.apart * (float64(label) - 0.5)
		if random.Float64() < w.wrong {
			label = 1 - label
		}
		images[i] = image{x, label}
	}
	return images
}

// mistakes trains a nearest-mean classifier, whose error falls with the number of
// images by how well it knows the means, and returns its error.
func mistakes(train, test []image) float64 {
	middle, axis := make([]float64, len(test[0].x)), make([]float64, len(test[0].x))
	var counts [2]float64
	for _, i := range train {
		counts[i.label]++
	}
	for _, i := range train {
		sign := float64(2*i.label - 1)
		for k, v := range i.x {
			axis[k] += sign * v / counts[i.label]
			middle[k] += v / counts[i.label] / 2
		}
	}
	wrong := 0
	for _, i := range test {
		along := 0.0
		for k, v := range i.x {
			along += (v - middle[k]) * axis[k]
		}
		if (along > 0) != (i.label == 1) {
			wrong++
		}
	}
	return float64(wrong) / float64(len(test))
}

// The intervals hold what a real learner does with twice as many images, on the
// validation images and on others, about as often as they say.
func TestIntervalsHoldWhatIsFound(t *testing.T) {
	const trials = 40
	for _, c := range []struct {
		world
		total, validation int
	}{
		{world{50, 2.5, 0}, 30, 20},
		{world{50, 3, 0}, 200, 100},
		{world{200, 3, 0.05}, 400, 150},
		{world{20, 2, 0}, 400, 400},
		{world{500, 4, 0}, 150, 60},
		{world{5, 6, 0}, 100, 80}, // almost no mistakes
	} {
		found, truth, width, wide := 0, 0, 0.0, 0.0
		for trial := range trials {
			random := rand.New(rand.NewPCG(7, uint64(trial)))
			all, validation, others := c.draw(2*c.total, random), c.draw(c.validation, random), c.draw(4000, random)
			var runs []Run
			labels := make([]int, c.total)
			for i := range labels {
				labels[i] = all[i].label
			}
			for seed := range uint64(DefaultSeeds) {
				order := Nested(labels, seed)
				for _, n := range Sizes(c.total, 2, DefaultSizes) {
					var some []image
					for _, i := range order[:n] {
						some = append(some, all[i])
					}
					runs = append(runs, Run{n, seed, mistakes(some, validation)})
				}
			}
			f, err := NewFit(runs, Measured{Images: float64(c.validation), Whole: true, Guess: 0.5})
			if err != nil {
				t.Fatal(err)
			}
			e := f.At(2 * c.total)
			if got := mistakes(all, validation); got >= e.Here[0] && got <= e.Here[1] {
				found++
			}
			if got := mistakes(all, others); got >= e.General[0] && got <= e.General[1] {
				truth++
			}
			width, wide = width+(e.Here[1]-e.Here[0])/trials, wide+(e.General[1]-e.General[0])/trials
		}
		t.Logf("%+v: found in %d of %d (width %.3f), true in %d (width %.3f)", c, found, trials, width, truth, wide)
		if found < trials*9/10 || truth < trials*9/10 {
			t.Errorf("%+v: found in %d, true in %d of %d", c, found, truth, trials)
		}
	}
}
