package metrics

import (
	"math"
	"strings"
)

// MeanOver is the mean of a figure, or of val_ and its name, over several models, the folds of a
// cross-validation, with Student's 95% interval of it. Values that are not
// numbers have no mean, and one alone has no interval.
//
// The models of a cross-validation share most of their training images, so
// their figures are not independent, and the interval is somewhat too narrow.
func MeanOver(name string, values []float64) Figure {
	f := Figure{Name: name, Value: math.NaN(), Lower: math.NaN(), Upper: math.NaN()}
	n := float64(len(values))
	if n == 0 {
		return f
	}
	var sum, squares float64
	for _, v := range values {
		sum += v
	}
	f.Value = sum / n
	if n == 1 {
		return f
	}
	for _, v := range values {
		squares += (v - f.Value) * (v - f.Value)
	}
	half := student(len(values)-1) * math.Sqrt(squares/(n-1)/n)
	of := strings.TrimPrefix(name, "val_")
	f.Lower, f.Upper, f.Method = max(f.Value-half, smallest(of)), min(f.Value+half, largest(of)), "student"
	return f
}

// student is the 0.975 quantile of Student's distribution, by Cornish and
// Fisher's expansion, which for few degrees of freedom is not near enough.
func student(freedom int) float64 {
	few := [...]float64{12.70620, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.30600, 2.26216}
	if freedom <= len(few) {
		return few[freedom-1]
	}
	n, z2 := float64(freedom), z*z
	return z * (1 + (z2+1)/(4*n) + ((5*z2+16)*z2+3)/(96*n*n) + (((3*z2+19)*z2+17)*z2-15)/(384*n*n*n))
}
