package dataset

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"tftl/pipeline"
)

// fractions checks Split and makes it sum to 1.
func (o Options) fractions() ([3]float64, error) {
	f := o.Split
	if f == [3]float64{} {
		f = [3]float64{0.7, 0.15, 0.15}
	}
	if !(f[train] > 0 && f[validation] > 0 && f[test] >= 0) { // so that NaN fails
		return f, pipeline.Errorf(pipeline.BadUsage,
			"%s %g,%g,%g: train and validation must be above 0, and test 0 or more", pipeline.Option("split"), f[0], f[1], f[2])
	}
	sum := f[train] + f[validation] + f[test]
	if !(math.Abs(sum-1) <= 1e-6) {
		return f, pipeline.Errorf(pipeline.BadUsage, "%s %g,%g,%g: sums to %g, not to 1", pipeline.Option("split"), f[0], f[1], f[2], sum)
	}
	for p := range f {
		f[p] /= sum
	}
	return f, nil
}

// splitByKey puts each item into the part that its key falls into, whatever the
// other items are. Test has the upper end, so that it stays the same if only
// train and validation are divided differently.
func splitByKey(items []item, fractions [3]float64) (parts [3][]item) {
	for p, f := range fractions {
		parts[p] = make([]item, 0, int(1.02*f*float64(len(items)))+1)
	}
	for _, im := range items {
		p, at := test, place(im.key)
		if at < fractions[train] {
			p = train
		} else if fractions[test] == 0 || at < fractions[train]+fractions[validation] {
			p = validation
		}
		parts[p] = append(parts[p], im)
	}
	return parts
}

// place is a number in [0, 1) drawn by a key. It must never change, or every
// image of every data set would move.
func place(key string) float64 {
	sum := sha256.Sum256([]byte(key))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}

// splitExactly divides each class by itself, in an order drawn by the seed.
func splitExactly(items []item, fractions [3]float64, seed uint64) (parts [3][]item) {
	type drawn struct {
		item
		order [sha256.Size]byte
	}
	byClass := map[string][]drawn{}
	for _, im := range items {
		order := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, seed), im.key...))
		byClass[im.class] = append(byClass[im.class], drawn{im, order})
	}
	var owed [3]float64
	for _, class := range slices.Sorted(maps.Keys(byClass)) {
		members := byClass[class]
		slices.SortFunc(members, func(a, b drawn) int {
			return cmp.Or(slices.Compare(a.order[:], b.order[:]), cmp.Compare(a.id, b.id))
		})
		for p, n := range sizes(len(members), fractions, &owed) {
			for _, d := range members[:n] {
				parts[p] = append(parts[p], d.item)
			}
			members = members[n:]
		}
	}
	return parts
}

// sizes divides n by largest remainder. owed keeps what rounding has cost each
// part in earlier classes, and counts in its favour: otherwise, of ten classes
// of ten images, the same part would get half an image too much ten times. A
// part with a fraction gets at least one image if there are enough, train first.
func sizes(n int, fractions [3]float64, owed *[3]float64) (size [3]int) {
	var claim [3]float64
	left := n
	for p, f := range fractions {
		size[p] = int(math.Floor(float64(n) * f))
		claim[p] = float64(n)*f - float64(size[p]) + owed[p]
		if f == 0 {
			claim[p] = math.Inf(-1)
		}
		left -= size[p]
	}
	for ; left > 0; left-- {
		p := largest(claim[:])
		size[p]++
		claim[p] = math.Inf(-1) // at most one each, whatever is owed
	}
	for p, f := range fractions {
		most := largest(size[:])
		if f > 0 && size[p] == 0 && (size[most] > 1 || part(p) == train) {
			size[most]--
			size[p]++
		}
	}
	for p, f := range fractions {
		owed[p] += float64(n)*f - float64(size[p])
	}
	return size
}

// largest is the index of the first largest value.
func largest[T cmp.Ordered](values []T) int {
	return slices.Index(values, slices.Max(values))
}
