package curve

import "math"

// noise is how the errors of heads vary around a law.
//
// Heads differ because they were trained on other images and began with other weights.
// The variance is a multiple of error (1 - error) / m, that of an error measured on m
// images: it is the images near the border that are now right, now wrong. Which
// multiple, and which share of it is due to the choice of images, is unknown; Fit
// weighs several of both.
//
// That share is correlated: two heads have training images in common. For a mean over
// images the correlation is the number of common images over the geometric mean of both
// numbers.
type noise struct {
	multiple float64
	choice   float64 // share that is due to the choice of images
}

// noises are those that Fit weighs, all equally likely at first.
func noises() []noise {
	var all []noise
	for _, multiple := range []float64{0.05, 0.1, 0.2, 0.35, 0.6, 1, 1.7, 3} {
		for _, choice := range []float64{0.3, 0.6, 0.9} {
			all = append(all, noise{multiple, choice})
		}
	}
	return all
}

// deviation is how far a curve is from any law after one doubling, as a standard
// deviation: a share of the error, or of the accuracy if that is less. From the largest
// number of images it grows in both directions like a random walk.
func deviation(err float64) float64 { return 0.05 * min(err, 1-err) }

// spread is the variance of an error measured on m images. One without a mistake has
// some too.
func spread(err, m float64) float64 {
	err = smooth(err, m)
	return err * (1 - err) / m
}

// smooth adds half a mistake and half an image that is right to m images.
func smooth(err, m float64) float64 { return (err*m + 0.5) / (m + 1) }

// common is the correlation of two heads' choices from all images.
func common(a, b Run, all float64) float64 {
	x, y := float64(a.Images), float64(b.Images)
	if a.Seed == b.Seed {
		return math.Sqrt(min(x, y) / max(x, y))
	}
	return math.Sqrt(x*y) / all
}

// known is a noise with what it makes of the runs, whose errors are y and whose
// covariance is K. Z has a column for each number of images, with a 1 for each run
// that has it.
type known struct {
	noise
	factor [][]float64 // of K
	logDet float64
	white  []float64   // y, solved with the factor
	of     [][]float64 // Z, solved with the factor, by column
	square [][]float64 // Z' K^-1 Z
	linear []float64   // Z' K^-1 y
	whole  float64     // y' K^-1 y
}

func (f *Fit) know(n noise) known {
	k := known{noise: n, factor: f.covariance(n)}
	k.logDet = cholesky(k.factor)
	for _, r := range f.runs {
		k.white = append(k.white, r.Error)
	}
	whiten(k.factor, k.white)
	for _, size := range f.sizes {
		column := make([]float64, len(f.runs))
		for i, r := range f.runs {
			if r.Images == size {
				column[i] = 1
			}
		}
		whiten(k.factor, column)
		k.of = append(k.of, column)
	}
	for _, a := range k.of {
		var row []float64
		for _, b := range k.of {
			row = append(row, dot(a, b))
		}
		k.square, k.linear = append(k.square, row), append(k.linear, dot(a, k.white))
	}
	k.whole = dot(k.white, k.white)
	return k
}

// logLikelihood is that of the runs, given the errors of a law by number of images.
func (k known) logLikelihood(errs []float64) float64 {
	sum := k.whole
	for i, e := range errs {
		sum += e * (dot(k.square[i], errs) - 2*k.linear[i])
	}
	return -(sum + k.logDet) / 2
}

// covariance is that of the runs' errors.
func (f *Fit) covariance(n noise) [][]float64 {
	all := float64(f.Total())
	matrix := make([][]float64, len(f.runs))
	for i, a := range f.runs {
		matrix[i] = make([]float64, len(f.runs))
		for j, b := range f.runs {
			x, y := f.level[a.Images], f.level[b.Images]
			shared := n.choice * common(a, b, all)
			if i == j {
				shared += 1 - n.choice + 1e-6
			}
			doublings := math.Log2(all / float64(max(a.Images, b.Images)))
			matrix[i][j] = n.multiple*shared*math.Sqrt(spread(x, f.of.Images)*spread(y, f.of.Images)) + deviation(x)*deviation(y)*doublings
		}
	}
	return matrix
}

// cholesky replaces the lower half of a positive definite matrix by its factor, and
// returns the logarithm of its determinant.
func cholesky(a [][]float64) (logDet float64) {
	for i := range a {
		for j := range i + 1 {
			sum := a[i][j] - dot(a[i][:j], a[j][:j])
			if i == j {
				a[i][i] = math.Sqrt(max(sum, 1e-15))
				logDet += 2 * math.Log(a[i][i])
			} else {
				a[i][j] = sum / a[j][j]
			}
		}
	}
	return logDet
}

// whiten solves factor x = v, in the memory of v.
func whiten(factor [][]float64, v []float64) {
	for i, row := range factor {
		v[i] = (v[i] - dot(row[:i], v[:i])) / row[i]
	}
}

func dot(a, b []float64) (sum float64) {
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}
