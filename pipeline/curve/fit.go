package curve

import (
	"math"
	"math/rand/v2"
	"slices"

	"tftl/pipeline"
)

// Run is one head.
type Run struct {
	Images int // that it was trained on
	// Seed tells orders of images apart: runs with the same seed were trained on
	// beginnings of one order.
	Seed  uint64
	Error float64 // on the validation images, from 0 to 1
}

// Measured says how the errors of runs were measured.
type Measured struct {
	// Images is how many images an error was measured on. For a mean over classes it is
	// how many would make an error over all images vary as much.
	Images float64
	Whole  bool    // an error is a number of images over Images
	Guess  float64 // the error of guessing
}

// Fit is a learning curve, with all that is uncertain about it.
type Fit struct {
	of     Measured
	runs   []Run
	sizes  []int
	level  map[int]float64
	noises []known
	draws  []draw
}

// law is error(n) = now (floor + (1 - floor) (n/total)^-power), which is a + b n^-c in
// other numbers: now is the error with all images, and floor the share of it that stays
// however many there are.
type law struct{ now, floor, power float64 }

// at is the error with times as many images as all, of which shrunk is the power
// -power.
func (l law) at(shrunk, guess float64) float64 {
	return min(l.now*(l.floor+(1-l.floor)*shrunk), guess)
}

// draw is one of the laws that stand for all, and the noise that goes with it.
type draw struct {
	law
	noise int
}

// How many laws are weighed, and how many of them are drawn to stand for all.
const (
	nowSteps   = 81
	floorSteps = 13
	drawn      = 4000
)

// powers are those of the laws that are weighed, all equally likely at first. Deep
// networks that are trained from the beginning have 0.07 to 0.35 (Hestness et al.);
// heads on good features learn faster, and theory has 0.5 and 1 for linear classifiers.
func powers() []float64 { return []float64{0.1, 0.15, 0.22, 0.32, 0.45, 0.65, 0.9, 1.2, 1.6} }

// leastLeft is how many numbers of images a law takes, which has three unknowns.
const leastLeft = 3

// NewFit weighs laws by how well they agree with runs, which have three or more
// numbers of images. The same runs give the same fit.
func NewFit(runs []Run, of Measured) (*Fit, error) {
	f := &Fit{of: of, runs: runs}
	for _, r := range runs {
		if !(r.Error >= 0 && r.Error <= 1) {
			return nil, pipeline.Errorf(pipeline.BadData, "a head with %d images has an error of %v", r.Images, r.Error)
		}
	}
	if f.sizes = sizesOf(runs); len(f.sizes) < leastLeft {
		return nil, pipeline.Errorf(pipeline.BadData, "a learning curve takes heads with at least %d numbers of images, not %d", leastLeft, len(f.sizes))
	}
	f.level = levels(runs, f.sizes)
	f.of.Guess = max(of.Guess, f.level[f.sizes[0]])
	for _, n := range noises() {
		f.noises = append(f.noises, f.know(n))
	}
	f.weigh()
	return f, nil
}

// sizesOf are the different numbers of images, ascending.
func sizesOf(runs []Run) []int {
	var sizes []int
	for _, r := range runs {
		sizes = append(sizes, r.Images)
	}
	slices.Sort(sizes)
	return slices.Compact(sizes)
}

// Total is the largest number of images of a run.
func (f *Fit) Total() int { return f.sizes[len(f.sizes)-1] }

// levels are the mean errors by number of images. One that is below that of more
// images is so by chance and takes theirs: a size without errors is not certain.
func levels(runs []Run, sizes []int) map[int]float64 {
	sums, counts := map[int]float64{}, map[int]float64{}
	for _, r := range runs {
		sums[r.Images] += r.Error
		counts[r.Images]++
	}
	level, most := map[int]float64{}, 0.0
	for _, n := range slices.Backward(sizes) {
		most = max(most, sums[n]/counts[n])
		level[n] = most
	}
	return level
}

// weigh draws laws by their probability, given the runs.
func (f *Fit) weigh() {
	total, sums := float64(f.Total()), 0.0
	now := f.now()
	step := (now[len(now)-1] - now[0]) / float64(nowSteps-1)
	logs := make([]float64, 0, len(now)*floorSteps*len(powers())*len(f.noises))
	var laws []law
	errs, shrunk := make([]float64, len(f.sizes)), make([]float64, len(f.sizes))
	for _, power := range powers() {
		for i, n := range f.sizes {
			shrunk[i] = math.Pow(float64(n)/total, -power)
		}
		for k := range floorSteps {
			for _, e := range now {
				l := law{e, float64(k) / (floorSteps - 1), power}
				for i := range errs {
					errs[i] = l.at(shrunk[i], f.of.Guess)
				}
				laws = append(laws, l)
				for _, n := range f.noises {
					logs = append(logs, n.logLikelihood(errs))
				}
			}
		}
	}
	most := slices.Max(logs)
	for i, v := range logs {
		logs[i] = math.Exp(v - most)
		sums += logs[i]
	}
	// Draws are evenly spaced over the probability, which leaves less to chance.
	random, passed, next := rand.NewPCG(1, 1), 0.0, 0
	for i, p := range logs {
		passed += p
		for next < drawn && (float64(next)+0.5)/drawn*sums <= passed {
			l := laws[i/len(f.noises)]
			l.now = max(l.now+step*(uniform(random)-0.5), 0)
			f.draws = append(f.draws, draw{l, i % len(f.noises)})
			next++
		}
	}
}

// now are the errors with all images that are weighed: those within what the
// noise allows, all equally likely at first.
func (f *Fit) now() []float64 {
	err := f.level[f.Total()]
	reach := 5 * math.Sqrt(spread(err, f.of.Images))
	least, most := max(err-reach, 0), min(err+reach, f.of.Guess)
	list := make([]float64, nowSteps)
	for i := range list {
		list[i] = least + (most-least)*float64(i)/(nowSteps-1)
	}
	return list
}

// uniform is a number from above 0 to below 1. Spelled out because Go guarantees
// PCG's stream but not what rand.Float64 makes of it.
func uniform(random *rand.PCG) float64 { return (float64(random.Uint64()>>11) + 0.5) / (1 << 53) }

// standard is a number drawn from the normal distribution.
func standard(random *rand.PCG) float64 { return math.Sqrt2 * math.Erfinv(2*uniform(random)-1) }
