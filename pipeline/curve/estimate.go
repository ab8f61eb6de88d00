package curve

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Interval is the lower and the upper bound of a 95% interval.
type Interval [2]float64

// Estimate is what to expect of one head that is trained on more images, among them
// those that the runs were trained on.
type Estimate struct {
	Images int
	// Error is the expected error on the validation images.
	Error float64
	// Here is a prediction interval: it holds the error that will be measured for one
	// head on the validation images.
	Here Interval
	// General holds its error on all images of this kind, of which the validation images
	// are a sample.
	General Interval
}

// At is the estimate for a number of images that is not below Total.
func (f *Fit) At(images int) Estimate {
	found, truth := make([]float64, len(f.draws)), make([]float64, len(f.draws))
	next, random, sum := f.next(images), rand.NewPCG(2, uint64(images)), 0.0
	m := f.of.Images
	for i, d := range f.draws {
		mean, sd := next[d.noise].predict(f, d, images)
		err := min(max(mean+sd*standard(random), 0), 1)
		sum += min(max(mean, 0), 1)
		truth[i] = score(err, m, standard(random))
		if found[i] = err; f.of.Whole {
			found[i] = math.Round(err*m) / m
		}
	}
	return Estimate{images, sum / float64(len(f.draws)), interval(found), interval(truth)}
}

// Curve is the median of the law at numbers of images, from the smallest to any, and
// its 95% interval, without the noise of a head.
func (f *Fit) Curve(images int) (middle float64, around Interval) {
	errs := make([]float64, len(f.draws))
	for i, d := range f.draws {
		errs[i] = f.lawAt(d, images)
	}
	around = interval(errs)
	return quantile(errs, 0.5), around
}

func (f *Fit) lawAt(d draw, images int) float64 {
	return d.at(math.Pow(float64(images)/float64(f.Total()), -d.power), f.of.Guess)
}

// Gains are by how much the error falls, by each of the draws, from all images to
// times as many.
func (f *Fit) Gains(times float64) []float64 {
	gains := make([]float64, len(f.draws))
	for i, d := range f.draws {
		gains[i] = d.at(1, f.of.Guess) - d.at(math.Pow(times, -d.power), f.of.Guess)
	}
	return gains
}

// ahead is what a noise says of the next head: how its error follows those of the runs.
type ahead struct {
	explained float64   // share of its variance
	runs      float64   // what the runs' errors add to its own
	sizes     []float64 // what the law's errors take from that, by number of images
}

// next is what is known of a head that has all images of the runs and more. Its
// error follows theirs, as they have images in common.
func (f *Fit) next(images int) []ahead {
	var list []ahead
	for _, k := range f.noises {
		along := make([]float64, len(f.runs))
		for i, r := range f.runs {
			along[i] = k.choice * k.multiple * math.Sqrt(float64(r.Images)/float64(images)*spread(f.level[r.Images], f.of.Images))
		}
		whiten(k.factor, along)
		a := ahead{explained: dot(along, along) / k.multiple, runs: dot(along, k.white)}
		for _, column := range k.of {
			a.sizes = append(a.sizes, dot(along, column))
		}
		list = append(list, a)
	}
	return list
}

// predict returns the mean and the standard deviation of the next head's error.
func (a ahead) predict(f *Fit, d draw, images int) (mean, sd float64) {
	rest := a.runs
	for i, n := range f.sizes {
		rest -= a.sizes[i] * f.lawAt(d, n)
	}
	err := f.lawAt(d, images)
	variance := spread(err, f.of.Images)
	walked := deviation(err)
	doublings := math.Log2(float64(images) / float64(f.Total()))
	own := f.noises[d.noise].multiple * variance * max(1-a.explained, 0)
	return err + rest*math.Sqrt(variance), math.Sqrt(own + walked*walked*doublings)
}

// score is the error on all images that is at z standard deviations, given that on m
// of them: the bound of Wilson's interval for that z.
func score(err, m, z float64) float64 {
	half := z * math.Sqrt(err*(1-err)/m+z*z/(4*m*m))
	return min(max((err+z*z/(2*m)+half)/(1+z*z/m), 0), 1)
}

// interval has all but a fortieth of the values at either end. It sorts them.
func interval(values []float64) Interval {
	slices.Sort(values)
	return Interval{quantile(values, 0.025), quantile(values, 0.975)}
}

// quantile is one of sorted values.
func quantile(sorted []float64, q float64) float64 {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
