package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/audit"
	"tftl/pipeline/audit/findings"
	"tftl/pipeline/dataset"
	"tftl/pipeline/report"
	"tftl/pipeline/workflow"
)

// seen is a head that knows the class of an image from its name, unless it is of a
// class that the head has not learnt.
type seen struct {
	t      *testing.T
	images pipeline.Encoded
	trains [][]int // of each head, with its validation images
	judged [][]int
}

func (h *seen) Train(_ context.Context, _ uint64, train, validation []int) (pipeline.Epoch, error) {
	h.trains = append(h.trains, slices.Concat(train, validation))
	if len(validation) == 0 || 3*len(validation) > len(train) {
		h.t.Errorf("%d images to learn from, %d decide when to stop", len(train), len(validation))
	}
	return pipeline.Epoch{}, nil
}

func (h *seen) Predict(_ context.Context, index []int) (all []pipeline.Prediction, err error) {
	h.judged = append(h.judged, index)
	for _, i := range index {
		s := h.images.Sample(i)
		p := []float32{0.9, 0.1}
		if strings.Contains(s.ID, "dog-") {
			p = []float32{0.1, 0.9}
		}
		all = append(all, pipeline.Prediction{Sample: s, Probabilities: p})
	}
	return all, nil
}

func (h *seen) Features(context.Context, []int) ([]float32, int, error) { return nil, 0, nil }

// newJudge is an audit of made-up files: so many cats and dogs.
func newJudge(t *testing.T, cats, dogs int) (*judge, *seen) {
	t.Helper()
	folder := t.TempDir()
	for name, n := range map[string]int{"cat": cats, "dog": dogs} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if err := os.WriteFile(filepath.Join(folder, name, fmt.Sprintf("%s-%03d.jpg", name, i)), []byte("x"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	set, err := dataset.OpenLabelled(folder, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	images, err := set.Part(pipeline.AllParts)
	if err != nil {
		t.Fatal(err)
	}
	h := &seen{t: t, images: images}
	j := &judge{Request: NewRequest("", "", ""), heads: h, set: set, images: images, parts: partsOf(set, images)}
	return j, h
}

// Every image is judged once, by a head that has learnt neither from it nor from a copy.
func TestNoHeadJudgesWhatItHasLearnt(t *testing.T) {
	j, h := newJudge(t, 40, 25)
	copies := []audit.Finding{
		{Image: "cat/cat-003.jpg", Group: 1},
		{Image: "dog/dog-007.jpg", Group: 1},
		{Image: "cat/cat-011.jpg", Group: 1},
		{Image: "dog/dog-001.jpg", Group: 2},
		{Image: "dog/dog-002.jpg", Group: 2},
	}
	if err := j.predict(t.Context(), copies); err != nil {
		t.Fatal(err)
	}
	group := map[int]int{}
	for i := range j.images.Len() {
		for _, f := range copies {
			if f.Image == j.images.Sample(i).ID {
				group[i] = f.Group
			}
		}
	}
	times := make([]int, j.images.Len())
	for k, judged := range h.judged {
		cats := 0
		for _, i := range judged {
			times[i]++
			if j.images.Sample(i).Label == 0 {
				cats++
			}
			for _, other := range h.trains[k] {
				if other == i || group[i] > 0 && group[other] == group[i] {
					t.Errorf("head %d has learnt from %s and judges %s", k, j.images.Sample(other).ID, j.images.Sample(i).ID)
				}
			}
		}
		if cats < 6 || cats > 10 {
			t.Errorf("fold %d has %d of 40 cats", k, cats)
		}
	}
	if len(h.judged) != 5 || slices.ContainsFunc(times, func(n int) bool { return n != 1 }) || j.trained != 5 {
		t.Errorf("%d folds, images were judged %v times", len(h.judged), times)
	}
}

// Whether a small data set can be audited is not up to chance.
func TestSmallSetsHaveImagesThatDecide(t *testing.T) {
	for seed := range uint64(20) {
		j, _ := newJudge(t, 6, 6)
		j.Config.Seed = seed
		if err := j.predict(t.Context(), nil); err != nil || j.trained != j.Folds {
			t.Fatalf("seed %d: %d heads, %v", seed, j.trained, err)
		}
	}
}

// Groups of a manifest stay whole when copies join them.
func TestCopiesDoNotDivideGroups(t *testing.T) {
	folder := t.TempDir()
	var lines strings.Builder
	lines.WriteString("path,label,group\n")
	for i := range 60 {
		name := fmt.Sprintf("%02d.jpg", i)
		if err := os.WriteFile(filepath.Join(folder, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "%s,%s,visit %d\n", name, []string{"cat", "dog"}[i%2], i/4)
	}
	list := filepath.Join(folder, "list.csv")
	if err := os.WriteFile(list, []byte(lines.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	set, err := dataset.Open(list, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	images, err := set.Part(pipeline.AllParts)
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{set: set, images: images}
	visit := func(i int) int {
		n, _ := strconv.Atoi(strings.TrimSuffix(images.Sample(i).ID, ".jpg"))
		return n / 4
	}
	copies := []audit.Finding{
		{Image: "01.jpg", Group: 1},
		{Image: "21.jpg", Group: 1},
		{Image: "22.jpg", Group: 2},
		{Image: "42.jpg", Group: 2},
	}
	for seed := range uint64(5) {
		folds, err := j.deal(5, seed, copies)
		if err != nil {
			t.Fatal(err)
		}
		of := map[int]int{}
		for i, fold := range folds {
			if other, ok := of[visit(i)]; ok && other != fold {
				t.Fatalf("seed %d: images of visit %d are in folds %d and %d", seed, visit(i), other, fold)
			}
			of[visit(i)] = fold
		}
		if of[0] != of[5] || of[5] != of[10] {
			t.Errorf("seed %d: copies are in folds %d, %d and %d", seed, of[0], of[5], of[10])
		}
	}
}

// A class of one image cannot be judged, and a small one is named.
func TestSmallClassesAreNamed(t *testing.T) {
	j, _ := newJudge(t, 30, 1)
	var said []string
	j.env = workflow.Env{Note: func(n workflow.Note) { said = append(said, n.Text(pipeline.Option.String)) }}
	if err := j.predict(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := j.judgeLabels(); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(said, "\n")
	if !strings.Contains(text, `whose labels are judged by heads that know little of them: "dog" has 1`) || !strings.Contains(text, `so their labels cannot be judged: "dog"`) {
		t.Errorf("said %q", said)
	}
	if len(j.labels.Findings) > 0 || j.labels.Images != 30 {
		t.Errorf("%d images, findings %v", j.labels.Images, j.labels.Findings)
	}
	j, _ = newJudge(t, 2, 1)
	if err := j.predict(t.Context(), nil); pipeline.KindOf(err) != pipeline.BadData {
		t.Errorf("three images: %v", err)
	}
}

// brush is a painter that fails, or ends the work, at an image.
type brush struct {
	fail error
}

func (b brush) Thumbnail(context.Context, []byte, pipeline.Sample) ([]byte, error) {
	return []byte("picture"), b.fail
}

// An audit is written whole or not at all, and other files stay.
func TestAuditIsWrittenWholeOrNotAtAll(t *testing.T) {
	j, _ := newJudge(t, 20, 20)
	if err := j.predict(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := j.judgeLabels(); err != nil {
		t.Fatal(err)
	}
	found := []audit.Finding{{Image: "cat/cat-001.jpg", Kind: audit.Dark, Score: 0.5, Label: "cat", Part: "test"}}
	result := j.result(found)
	output := filepath.Join(t.TempDir(), "deep", "audit")
	if err := free(output, false); err != nil {
		t.Fatal(err)
	}
	write := func(fail error) error {
		return result.Write(t.Context(), output, report.Places{Data: "photos"}, brush{fail}, workflow.Env{})
	}
	if err := write(errors.New("full")); err == nil {
		t.Error("a failure is not reported")
	}
	if entries, _ := os.ReadDir(filepath.Dir(output)); len(entries) > 0 {
		t.Errorf("a failure left %v", entries)
	}
	bad := pipeline.Errorf(pipeline.BadData, "damaged") // its picture is missing, and that is all
	if err := write(bad); err != nil || !isAudit(output) {
		t.Errorf("a damaged image: %v", err)
	}
	if err := free(output, false); pipeline.KindOf(err) != pipeline.BadUsage || pipeline.HintOf(err).Empty() {
		t.Errorf("an audit may be written over another: %v", err)
	}
	mine := filepath.Join(output, "mine.txt")
	if err := os.WriteFile(mine, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := free(output, true); err != nil {
		t.Error(err)
	}
	if err := write(nil); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(mine); err != nil || string(text) != "mine" {
		t.Errorf("another's file is gone: %v", err)
	}
	// As if killed when the old audit was out of the way and the new one not in place.
	if err := os.Rename(output, filepath.Join(filepath.Dir(output), ".audit.old")); err != nil {
		t.Fatal(err)
	}
	if err := free(output, true); err != nil || !isAudit(output) {
		t.Errorf("the old audit does not come back: %v", err)
	}
	if err := os.Remove(filepath.Join(output, pageFile)); err != nil {
		t.Fatal(err)
	}
	if err := free(output, true); pipeline.KindOf(err) != pipeline.BadUsage {
		t.Errorf("a folder that is no audit may be replaced: %v", err)
	}
}

// Examples of a class are the surest images without a finding.
func TestExamplesAreBeyondDoubt(t *testing.T) {
	j, _ := newJudge(t, 20, 20)
	if err := j.predict(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	j.predictions[3].Probabilities = []float32{0.99, 0.01}
	j.predictions[4].Probabilities = []float32{0.98, 0.02}
	r := &Result{Classes: j.set.Classes, Predictions: j.predictions, Images: j.images, Parts: j.parts}
	r.Rows = []findings.Row{{Finding: audit.Finding{Image: "cat/cat-003.jpg"}}}
	if got := r.examples()["cat"]; len(got) != mostExamples || got[0] != "cat/cat-004.jpg" || slices.Contains(got, "cat/cat-003.jpg") {
		t.Errorf("%v", got)
	}
}
