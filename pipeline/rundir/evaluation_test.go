package rundir

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tftl/internal/gz"
	"tftl/pipeline"
)

// evaluate writes what an evaluation leaves in a run folder.
func evaluate(t *testing.T, d Dir, accuracy float64) {
	t.Helper()
	predictions := func(w io.Writer) error {
		_, err := fmt.Fprintln(w, "path,label,predicted")
		return err
	}
	if err := d.WritePredictions(false, predictions); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteEvaluation(map[string]float64{"accuracy": accuracy}); err != nil {
		t.Fatal(err)
	}
}

func TestARunThatHasNotBeenEvaluated(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "my run"))
	_, opened := d.OpenPredictions()
	_, recorded := d.NewBatchRecord("1", "2")
	for _, err := range []error{opened, recorded, d.ReadEvaluation(new(any))} {
		if pipeline.KindOf(err) != pipeline.BadData {
			t.Errorf("got %v", err)
		}
		want := "run: tftl evaluate --model '" + d.Path + "'"
		if got := pipeline.HintOf(err).Text(func(o pipeline.Option) string { return "--" + string(o) }); got != want {
			t.Errorf("hint %q, want %q", got, want)
		}
	}
	if d.Evaluated() {
		t.Error("it counts as evaluated")
	}
}

func TestEvaluation(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	evaluate(t, d, 0.5)
	if !d.Evaluated() {
		t.Error("it does not count as evaluated")
	}
	file, err := d.OpenPredictions()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if text, err := io.ReadAll(file); err != nil || string(text) != "path,label,predicted\n" {
		t.Errorf("predictions %q, %v", text, err)
	}
	var got struct{ Accuracy float64 }
	if err := d.ReadEvaluation(&got); err != nil || got.Accuracy != 0.5 {
		t.Errorf("evaluation %v, %v", got, err)
	}
	write(t, d.File("evaluation.json"), "{")
	if err := d.ReadEvaluation(&got); pipeline.KindOf(err) != pipeline.BadModel {
		t.Errorf("a damaged one: %v", err)
	}

	if run, ok := WithPredictions(d.PredictionsPath()); !ok || run != d {
		t.Errorf("predictions of %v, %v", run, ok)
	}
	for _, other := range []string{d.File("data.csv"), filepath.Join(t.TempDir(), "predictions.csv")} {
		if _, ok := WithPredictions(other); ok {
			t.Errorf("%s counts as the predictions of a run", other)
		}
	}
}

// A run has one form of its predictions, or none.
func TestPredictionsReplaceEachOther(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	write := func(text string) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		}
	}
	digests := map[string]bool{}
	for i, pack := range []bool{true, false, true} {
		text := fmt.Sprint("predictions ", i)
		if err := d.WritePredictions(pack, write(text)); err != nil {
			t.Fatal(err)
		}
		if exists(d.File(packedPredictionsFile)) != pack || exists(d.File(predictionsFile)) == pack {
			t.Errorf("%d: the other form is still there", i)
		}
		file, err := d.OpenPredictions()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		in, err := gz.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(in); err != nil || string(got) != text {
			t.Errorf("%d: read %q, %v", i, got, err)
		}
		if run, ok := WithPredictions(d.PredictionsPath()); !ok || run != d {
			t.Errorf("%d: predictions of %v, %v", i, run, ok)
		}
		digest, err := d.PredictionsDigest()
		if err != nil || digests[digest] {
			t.Errorf("%d: digest %s, %v", i, digest, err)
		}
		digests[digest] = true
	}
	if err := d.RemovePredictions(); err != nil || exists(d.PredictionsPath()) {
		t.Errorf("removed: %v", err)
	}
	if err := d.WriteEvaluation(map[string]string{"predictions": NoPredictions}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.OpenPredictions(); pipeline.KindOf(err) != pipeline.BadData || !strings.Contains(err.Error(), "without keeping its predictions") {
		t.Errorf("opened: %v", err)
	}
	if digest, err := d.PredictionsDigest(); err != nil || digests[digest] || !d.Evaluated() {
		t.Errorf("digest %s, %v, evaluated %v", digest, err, d.Evaluated())
	}
	if _, err := d.NewBatchRecord("1", "2"); err != nil {
		t.Error(err)
	}
}

func TestABatchRecordIsOfOneEvaluation(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	evaluate(t, d, 0.5)
	record, err := d.NewBatchRecord("1", "2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.ReadBatchRecord(); err == nil {
		t.Error("there is one already")
	}
	if err := d.WriteBatchRecord(record); err != nil {
		t.Fatal(err)
	}
	if got, err := d.ReadBatchRecord(); err != nil || got != record || got.Inputs != "1" || got.Terms != "2" {
		t.Errorf("got %+v, %v, want %+v", got, err, record)
	}
	if again, err := d.NewBatchRecord("1", "2"); err != nil || again != record {
		t.Errorf("of the same evaluation: %+v, %v", again, err)
	}
	evaluate(t, d, 0.6)
	if other, err := d.NewBatchRecord("1", "2"); err != nil || other == record {
		t.Errorf("of another evaluation: %+v, %v", other, err)
	}
	if err := os.Remove(d.PredictionsPath()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.NewBatchRecord("1", "2"); err == nil {
		t.Error("without predictions")
	}
}

func TestReportAndGallery(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	if err := d.WriteReport([]byte("page"), []byte("brief")); err != nil {
		t.Fatal(err)
	}
	if page, brief := read(t, d.ReportPage()), read(t, d.ReportBrief()); page != "page" || brief != "brief" {
		t.Errorf("report %q, %q", page, brief)
	}
	err := d.ReplaceGallery(func(dir string) error {
		write(t, filepath.Join(dir, ThumbName(1)), "thumb")
		write(t, filepath.Join(dir, HeatName(1)), "heat")
		return WriteGallery(dir, []string{ThumbName(1)})
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := d.ReadGallery(&got); err != nil || len(got) != 1 || read(t, d.GalleryFile(got[0])) != "thumb" {
		t.Errorf("gallery %v, %v", got, err)
	}
	if others, err := d.Others(); err != nil || len(others) > 0 {
		t.Errorf("tftl did not write %v, %v", others, err)
	}
}
