package curve

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"tftl/pipeline"
)

// With little noise, the mean over all laws is what SciPy's curve_fit finds. The
// errors are independent of each other, which Fit does not know, so it is less sure.
func TestAgreesWithSciPy(t *testing.T) {
	var file struct {
		Validation float64
		Seeds      int
		Cases      []struct {
			Images, Wrong []int
			Fitted        map[string]float64
			Truth         [3]float64
		}
	}
	text, err := os.ReadFile("testdata/scipy.json")
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err != nil || len(file.Cases) < 5 {
		t.Fatalf("%d cases: %v", len(file.Cases), err)
	}
	for _, c := range file.Cases {
		var runs []Run
		for i, n := range c.Images {
			runs = append(runs, Run{n, uint64(i % file.Seeds), float64(c.Wrong[i]) / file.Validation})
		}
		f, err := NewFit(runs, Measured{Images: file.Validation, Guess: 0.9})
		if err != nil {
			t.Fatal(err)
		}
		for text, want := range c.Fitted {
			n, _ := strconv.Atoi(text)
			got := f.At(n)
			truth := c.Truth[0] + c.Truth[1]*math.Pow(float64(n), -c.Truth[2])
			if math.Abs(got.Error-want) > 0.012 || truth < got.Here[0] || truth > got.Here[1] || want < got.Here[0] || want > got.Here[1] {
				t.Errorf("%v with %d images: %.4f, %.4f, SciPy fits %.4f, the law has %.4f", c.Truth, n, got.Error, got.Here, want, truth)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		total, classes int
		want           []int
	}{
		{400, 2, []int{25, 44, 76, 132, 230, 400}},
		{21, 2, []int{4, 6, 8, 11, 15, 21}},
		{8, 2, []int{4, 5, 6, 7, 8}},
		{1000, 100, []int{200, 276, 381, 525, 725, 1000}},
		{3, 2, []int{3}},
	} {
		if got := Sizes(c.total, c.classes, DefaultSizes); !slices.Equal(got, c.want) {
			t.Errorf("%d images of %d classes: %v, want %v", c.total, c.classes, got, c.want)
		}
	}
}

// Every beginning of the order has all classes, each as often as it should.
func TestNestedOrdersAreStratified(t *testing.T) {
	var labels []int
	for class, n := range []int{60, 30, 9, 2, 1} {
		labels = append(labels, slices.Repeat([]int{class}, n)...)
	}
	order := Nested(labels, 3)
	if sorted := slices.Sorted(slices.Values(order)); sorted[0] != 0 || sorted[len(labels)-1] != len(labels)-1 || len(slices.Compact(sorted)) != len(labels) {
		t.Fatal("not a permutation")
	}
	for n := 5; n <= len(labels); n++ {
		counts := make([]float64, 5)
		for _, i := range order[:n] {
			counts[labels[i]]++
		}
		for class, total := range []float64{60, 30, 9, 2, 1} {
			if share := total * float64(n) / float64(len(labels)); counts[class] < 1 || math.Abs(counts[class]-share) > 2 {
				t.Errorf("%d images have %v of class %d, want about %.1f", n, counts[class], class, share)
			}
		}
	}
	if again := Nested(labels, 3); !slices.Equal(order, again) {
		t.Error("the same seed gives another order")
	}
	if other := Nested(labels, 4); slices.Equal(order, other) {
		t.Error("another seed gives the same order")
	}
}

// heads have an accuracy of each class, given the number of images and the seed.
func heads(v Validation, sizes []int, recall func(class, images int, seed uint64) float64) (list []Head) {
	for seed := range uint64(5) {
		for _, n := range sizes {
			h := Head{Images: n, Seed: seed, Epoch: 3, Loss: 0.5}
			all, right, present := 0, 0, 0
			for class, images := range v.Images {
				k := int(math.Round(recall(class, n, seed) * float64(images)))
				h.Right = append(h.Right, k)
				all, right = all+images, right+k
				if images > 0 {
					present++
					h.BalancedAccuracy += float64(k) / float64(images)
				}
			}
			h.Accuracy = float64(right) / float64(all)
			h.BalancedAccuracy /= float64(present)
			list = append(list, h)
		}
	}
	return list
}

// wobble is what differs between seeds.
func wobble(images int, seed uint64) float64 {
	return 0.01 * math.Sin(float64(images)+7*float64(seed))
}

func analyse(t *testing.T, v Validation, metric string, recall func(class, images int, seed uint64) float64) Result {
	t.Helper()
	r, err := Analyse(heads(v, Sizes(400, len(v.Classes), DefaultSizes), recall), v, metric)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range append([]Value{r.Now}, r.Expected...) {
		for _, i := range []Interval{value.Here, value.General} {
			if !(i[0] >= 0 && i[0] <= i[1] && i[1] <= 1) || !(value.Value >= 0 && value.Value <= 1) {
				t.Errorf("%+v", value)
			}
		}
	}
	return r
}

func TestVerdicts(t *testing.T) {
	v := Validation{Classes: []string{"cat", "dog"}, Images: []int{300, 300}}
	falling := func(_, n int, seed uint64) float64 { return 1 - 2*math.Pow(float64(n), -0.5) + wobble(n, seed) }
	if r := analyse(t, v, Accuracy, falling); r.Verdict != Helps || r.MostGain != "" || r.Worse || r.Interval[0] < Worthwhile || !(r.Expected[1].Value > r.Expected[0].Value) {
		t.Errorf("falling error: %s, gain %v, most %q", r.Verdict, r.Interval, r.MostGain)
	}
	flat := func(_, n int, seed uint64) float64 { return 0.9 + wobble(n, seed) }
	if r := analyse(t, v, Accuracy, flat); r.Verdict != Flat || r.Worse || math.Abs(r.Expected[1].Value-0.9) > 0.01 {
		t.Errorf("flat: %s, gain %v, expected %v", r.Verdict, r.Interval, r.Expected)
	}
	perfect := func(int, int, uint64) float64 { return 1 }
	if r := analyse(t, v, Accuracy, perfect); r.Verdict != Flat || r.Now.Value != 1 || r.Now.General[0] > 0.999 || r.Now.General[0] < 0.98 {
		t.Errorf("perfect: %s, %+v", r.Verdict, r.Now)
	}
	rising := func(_, n int, seed uint64) float64 { return 0.95 - 0.0004*float64(n) + wobble(n, seed)/2 }
	if r := analyse(t, v, Accuracy, rising); r.Verdict == Helps || !r.Worse {
		t.Errorf("worse with more images: %s, worse %v", r.Verdict, r.Worse)
	}
	// Heads with all images have the same images, so that they agree says nothing.
	unlucky := func(_, n int, seed uint64) float64 {
		if n == 400 {
			return 0.885
		}
		return 0.9 + wobble(n, seed)/4
	}
	if r := analyse(t, Validation{Classes: v.Classes, Images: []int{100, 100}}, Accuracy, unlucky); r.Worse {
		t.Error("three images more that are wrong are taken for worse heads")
	}
	// The same with few validation images is anybody's guess.
	few := Validation{Classes: v.Classes, Images: []int{8, 8}}
	if r := analyse(t, few, Accuracy, func(_, n int, seed uint64) float64 { return 0.8 + 12*wobble(n, seed) }); r.Verdict != Unclear {
		t.Errorf("16 validation images: %s, gain %v", r.Verdict, r.Interval)
	}
}

// The class that gains most is named if it stands out, and only then.
func TestMostGain(t *testing.T) {
	v := Validation{Classes: []string{"cat", "dog", "rare", "none"}, Images: []int{200, 200, 2, 0}}
	stands := func(class, n int, seed uint64) float64 {
		if class == 1 {
			return 1 - 4*math.Pow(float64(n), -0.5) + wobble(n, seed)
		}
		return 0.97 + wobble(n, seed)
	}
	for _, metric := range []string{Accuracy, BalancedAccuracy} {
		r := analyse(t, v, metric, stands)
		if r.MostGain != "dog" {
			t.Errorf("%s: most gain %q, dog gains %v, cat %v", metric, r.MostGain, r.Classes[1].Recall, r.Classes[0].Recall)
		}
		if r.Classes[2].Recall != nil || r.Classes[3].Recall != nil {
			t.Error("something is said of classes with 2 and 0 validation images")
		}
	}
}

// A class of two images among a hundred classes spoils nothing.
func TestManyClasses(t *testing.T) {
	v := Validation{Images: make([]int, 100), Classes: make([]string, 100)}
	for i := range v.Images {
		v.Images[i], v.Classes[i] = 2+i%20, strconv.Itoa(i)
	}
	r := analyse(t, v, BalancedAccuracy, func(class, n int, seed uint64) float64 {
		return 0.7 - float64(class)/300 + 0.0003*float64(n) + 3*wobble(n+class, seed)
	})
	if len(r.Classes) != 100 || r.Expected[0].Here[1]-r.Expected[0].Here[0] > 0.2 {
		t.Errorf("%d classes, %v", len(r.Classes), r.Expected[0])
	}
}

func TestHeadsThatDiverged(t *testing.T) {
	v := Validation{Classes: []string{"cat", "dog"}, Images: []int{50, 50}}
	list := heads(v, []int{25, 50, 100, 200, 400}, func(_, n int, seed uint64) float64 { return 0.9 + wobble(n, seed) })
	one := slices.Clone(list)
	one[7] = Head{Images: one[7].Images, Seed: one[7].Seed, Diverged: true}
	if r, err := Analyse(one, v, Accuracy); err != nil || len(r.Heads) != len(list) || !r.Heads[7].Diverged {
		t.Errorf("one of %d diverged: %v", len(list), err)
	}
	for name, diverges := range map[string]func(Head) bool{
		"all":              func(Head) bool { return true },
		"with all images":  func(h Head) bool { return h.Images == 400 },
		"with most images": func(h Head) bool { return h.Images < 200 },
	} {
		some := slices.Clone(list)
		for i, h := range some {
			if diverges(h) {
				some[i] = Head{Images: h.Images, Seed: h.Seed, Diverged: true}
			}
		}
		if _, err := Analyse(some, v, Accuracy); pipeline.KindOf(err) != pipeline.Diverged {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFitRefusesWhatIsNoError(t *testing.T) {
	for _, e := range []float64{math.NaN(), -0.1, 1.1} {
		if _, err := NewFit([]Run{{10, 1, 0.3}, {20, 1, e}, {30, 1, 0.2}}, Measured{Images: 10, Guess: 0.5}); err == nil {
			t.Errorf("an error of %v is accepted", e)
		}
	}
}

func TestSameRunsSameResult(t *testing.T) {
	v := Validation{Classes: []string{"cat", "dog"}, Images: []int{50, 50}}
	of := func(_, n int, seed uint64) float64 { return 0.9 + wobble(n, seed) }
	a, _ := json.Marshal(analyse(t, v, Accuracy, of))
	b, _ := json.Marshal(analyse(t, v, Accuracy, of))
	if string(a) != string(b) {
		t.Error("the same heads gave two results")
	}
}
