package dataset

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func items(class string, n int) []item {
	list := make([]item, n)
	for i := range list {
		id := fmt.Sprintf("%s/IMG_%05d.jpg", class, i)
		list[i] = item{id: id, class: class, key: id}
	}
	return list
}

func lengths(parts [3][]item) [3]int {
	return [3]int{len(parts[0]), len(parts[1]), len(parts[2])}
}

// Python's hashlib: int.from_bytes(sha256(key).digest()[:8], "big") >> 11, over 2**53.
func TestPlaceIsTheFirst53BitsOfSHA256(t *testing.T) {
	for key, want := range map[string]float64{
		"cats/1.jpg":          0.8705236232212308,
		"cats/2.jpg":          0.4690724800852736,
		"dogs/nested/a b.png": 0.4803040638469078,
		"x/ü.gif":             0.06233345277171387,
	} {
		if got := place(key); got != want {
			t.Errorf("place(%q) = %v, want %v", key, got, want)
		}
	}
}

func TestCutByKeyIsAboutTheFractions(t *testing.T) {
	for _, f := range [][3]float64{{0.7, 0.15, 0.15}, {0.8, 0.2, 0}, {0.34, 0.33, 0.33}} {
		got := lengths(splitByKey(items("cats", 10_000), f))
		for p, n := range got {
			// Four standard deviations of a binomial.
			if off := math.Abs(float64(n) - 10_000*f[p]); off > 4*math.Sqrt(10_000*f[p]*(1-f[p])) {
				t.Errorf("fractions %v of 10000: %v", f, got)
			}
		}
	}
}

func TestFractionsSumToOne(t *testing.T) {
	// A million times this excess would be an image too many.
	f, err := Options{Split: [3]float64{0.5000009, 0.25, 0.25}}.fractions()
	if sum := f[0] + f[1] + f[2]; err != nil || math.Abs(sum-1) > 1e-15 {
		t.Errorf("%v sums to %v, %v", f, sum, err)
	}
	// What rounding leaves over never goes to a part with fraction 0.
	if n := lengths(splitByKey(items("c", 1000), [3]float64{0.5, 0.4, 0})); n[test] > 0 || n[train]+n[validation] != 1000 {
		t.Errorf("without a test part: %v", n)
	}
}

// content is an image of these bytes.
type content string

func (c content) read() ([]byte, error) { return []byte(c), nil }

// FuzzAddingMovesNone splits some images, and the same images among others, by
// name, by content and by group. A line is an image. Its first letters are its
// content and its group.
func FuzzAddingMovesNone(f *testing.F) {
	f.Add("a.jpg\nb.jpg", "c.jpg\nd.jpg", 0.7, 0.15)
	f.Add("1.png\n2.png\n3.png", "0.png\nx/1.png", 0.5, 0.5)
	f.Add("\xff", "\n\n/", 0.1, 0.2)
	f.Fuzz(func(t *testing.T, before, added string, forTrain, forValidation float64) {
		options := Options{Split: [3]float64{forTrain, forValidation, 1 - forTrain - forValidation}}
		fractions, err := options.fractions()
		if err != nil {
			t.Skip()
		}
		var few, many []item
		for i, name := range strings.Split(added+"\n"+before, "\n") {
			im := item{id: fmt.Sprint(i), class: "c", key: "c/" + name, listed: listed{group: name[:min(len(name), 2)]}, stored: content(name[:min(len(name), 1)])}
			many = append(many, im)
			if i > strings.Count(added, "\n") {
				few = append(few, im)
			}
		}
		few = append(few, item{id: "the one with a group", listed: listed{group: "g"}, stored: content("g")})
		many = append(many, few[len(few)-1])
		for _, options.By = range []By{ByName, ByContent, ByGroup} {
			was, folded := partsAndFolds(t, few, fractions, options)
			is, foldedAmongMore := partsAndFolds(t, many, fractions, options)
			if len(is) != len(many) {
				t.Fatalf("%d images became %d", len(many), len(is))
			}
			for id, p := range was {
				if is[id] != p || folded[id] != foldedAmongMore[id] {
					t.Errorf("by %s, image %s of %v and fold %d is in %v and fold %d when others come", options.By, id, p, folded[id], is[id], foldedAmongMore[id])
				}
			}
			together := map[string]part{}
			for _, im := range many {
				key := map[By]string{ByName: im.key, ByContent: string(im.stored.(content)), ByGroup: im.group}[options.By]
				if p, seen := together[key]; seen && key != "" && p != is[im.id] {
					t.Errorf("by %s, %q is in two parts", options.By, key)
				}
				together[key] = is[im.id]
			}
		}
	})
}

// partsAndFolds are those of each image.
func partsAndFolds(t *testing.T, items []item, fractions [3]float64, options Options) (map[string]part, map[string]int) {
	l := listing{parts: [3][]item{train: slices.Clone(items)}}
	if by, err := l.rekey(options); err != nil || by != options.By {
		t.Fatal(by, err)
	}
	parts := map[string]part{}
	l.parts = splitByKey(l.parts[train], fractions)
	for p, items := range l.parts {
		for _, im := range items {
			parts[im.id] = part(p)
		}
	}
	folds, err := l.set([]string{"c"}).Folds(3, options)
	if err != nil {
		t.Fatal(err)
	}
	return parts, folds
}

func TestCutExactlySizes(t *testing.T) {
	half := [3]float64{0.7, 0.15, 0.15}
	for _, c := range []struct {
		n         int
		fractions [3]float64
		want      [3]int
	}{
		{1000, half, [3]int{700, 150, 150}},
		{100, [3]float64{0.29, 0.71, 0}, [3]int{29, 71, 0}}, // 100*0.29 is a little below 29
		{10, half, [3]int{7, 2, 1}},
		{3, half, [3]int{1, 1, 1}},
		{3, [3]float64{0.98, 0.01, 0.01}, [3]int{1, 1, 1}},
		{2, half, [3]int{1, 1, 0}},
		{1, half, [3]int{1, 0, 0}},
		{1, [3]float64{0.2, 0.4, 0.4}, [3]int{1, 0, 0}},
		{2, [3]float64{0.9, 0.1, 0}, [3]int{1, 1, 0}},
	} {
		if got := lengths(splitExactly(items("c", c.n), c.fractions, 0)); got != c.want {
			t.Errorf("%d by %v: %v, want %v", c.n, c.fractions, got, c.want)
		}
	}
}

func TestCutExactlyIsExactOverAllClasses(t *testing.T) {
	var list []item
	for class := range 10 {
		list = append(list, items(fmt.Sprint(class), 10)...)
	}
	if got, want := lengths(splitExactly(list, [3]float64{0.7, 0.15, 0.15}, 3)), [3]int{70, 15, 15}; got != want {
		t.Errorf("ten classes of ten: %v, want %v", got, want)
	}
}

func TestCutExactlyProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		f := [3]float64{0.1 + random.Float64(), 0.05 + random.Float64(), random.Float64()}
		sum := f[0] + f[1] + f[2]
		for p := range f {
			f[p] /= sum
		}
		var list []item
		count := map[string]int{}
		for class := range 1 + random.IntN(6) {
			name := fmt.Sprint(class)
			count[name] = 1 + random.IntN(60)
			list = append(list, items(name, count[name])...)
		}
		parts := splitExactly(list, f, random.Uint64())

		seen := map[string]bool{}
		size := map[string]*[3]int{}
		for p, some := range parts {
			for _, im := range some {
				if seen[im.id] {
					t.Fatalf("%s is listed twice", im.id)
				}
				seen[im.id] = true
				if size[im.class] == nil {
					size[im.class] = new([3]int)
				}
				size[im.class][p]++
			}
		}
		if len(seen) != len(list) {
			t.Fatalf("%d of %d items are left", len(seen), len(list))
		}
		for class, n := range count {
			for p := range f {
				got, quota := size[class][p], float64(n)*f[p]
				if n >= 3 && got == 0 {
					t.Errorf("%v of %d items has none, by %v", part(p), n, f)
				}
				// Rounding is by less than one, except for parts given their only image.
				some := float64(n)*min(f[0], f[1], f[2]) >= 1
				if off := math.Abs(float64(got) - quota); off >= 3 || (some && off >= 1) {
					t.Errorf("%d items by %v: %v", n, f, *size[class])
				}
			}
		}
	}
}

func TestSeedDecidesTheExactSplit(t *testing.T) {
	ids := func(seed uint64, list []item) string {
		return fmt.Sprint(splitExactly(list, [3]float64{0.5, 0.25, 0.25}, seed)[train])
	}
	list := items("c", 40)
	backwards := slices.Clone(list)
	slices.Reverse(backwards)
	if ids(1, list) != ids(1, backwards) {
		t.Error("the order in which the images are listed has a say")
	}
	if ids(1, list) == ids(2, list) {
		t.Error("two seeds split alike")
	}
}
