package train

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"tftl/pipeline"
)

// The distribution is Beta(alpha, alpha): its mean is 1/2, and its variance
// 1/(8 alpha + 4).
func TestSharesAreBetaDistributed(t *testing.T) {
	const draws = 40000
	for _, alpha := range []float64{leastAlpha, 0.2, 0.5, 1, mostAlpha} {
		var sum, squares float64
		for i := range draws {
			share := mixer{mixup: alpha, seed: 1}.draw(1, fmt.Sprint(i)).share
			if !(share >= 0 && share <= 1) {
				t.Fatalf("alpha %v: share %v", alpha, share)
			}
			sum += share
			squares += (share - 0.5) * (share - 0.5)
		}
		mean, variance := sum/draws, squares/draws
		want := 1 / (8*alpha + 4)
		if math.Abs(mean-0.5) > 4*math.Sqrt(want/draws) || math.Abs(variance/want-1) > 0.04 {
			t.Errorf("alpha %v: mean %.4f, variance %.4f, want 0.5 and %.4f", alpha, mean, variance, want)
		}
	}
}

func TestDrawsOfMixing(t *testing.T) {
	both := mixer{mixup: 0.2, cutmix: 1, seed: 1}
	boxes, centre := 0, 0.0
	for i := range 1000 {
		d := both.draw(2, fmt.Sprint(i))
		if d != both.draw(2, fmt.Sprint(i)) {
			t.Fatal("the same image has two draws")
		}
		if d == both.draw(3, fmt.Sprint(i)) {
			t.Fatal("two epochs have the same draw")
		}
		if d.box {
			boxes++
			centre += d.x - d.y
		}
	}
	if boxes < 440 || boxes > 560 || math.Abs(centre) > 60 {
		t.Errorf("%d of 1000 images have a box; centres differ by %.1f", boxes, centre)
	}
	if d := (mixer{cutmix: 1}).draw(1, "a"); !d.box {
		t.Errorf("CutMix alone draws %+v", d)
	}
}

// Given the same shares and boxes, images and labels are those of Keras' layers.
func TestMixingEqualsKeras(t *testing.T) {
	var want struct {
		Shape         []int64
		Images        []float32
		Labels        []int
		Shares        []float64
		Centres       [][2]float64
		MixUp, CutMix []float64
		MixUpLabels   []float64 `json:"mixup_labels"`
		CutMixLabels  []float64 `json:"cutmix_labels"`
	}
	text, err := os.ReadFile("testdata/mixed.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name           string
		box            bool
		images, labels []float64
	}{{"mixup", false, want.MixUp, want.MixUpLabels}, {"cutmix", true, want.CutMix, want.CutMixLabels}} {
		t.Run(c.name, func(t *testing.T) {
			b := pipeline.Batch{Shape: want.Shape, Data: slices.Clone(want.Images)}
			var draws []mixDraw
			for i, label := range want.Labels {
				b.Samples = append(b.Samples, pipeline.Sample{Label: label})
				draws = append(draws, mixDraw{share: want.Shares[i], box: c.box, x: want.Centres[i][0], y: want.Centres[i][1]})
			}
			mix(draws, &b)
			for i, v := range b.Data {
				if math.Abs(float64(v)-c.images[i]) > 1e-4 {
					t.Fatalf("value %d is %v, want %v", i, v, c.images[i])
				}
			}
			labels := make([]float64, len(c.labels))
			classes := len(labels) / len(b.Samples)
			for i, m := range b.Mixed {
				labels[i*classes+b.Samples[i].Label] += m.Share
				labels[i*classes+m.Partner.Label] += 1 - m.Share
			}
			for i, v := range labels {
				if math.Abs(v-c.labels[i]) > 1e-6 {
					t.Fatalf("targets %v, want %v", labels, c.labels)
				}
			}
		})
	}
}
