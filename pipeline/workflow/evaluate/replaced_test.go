package evaluate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tftl/pipeline/workflow/internal/fake"
)

// A run that is replaced while it is evaluated gets none of the old model's figures.
func TestARunThatIsReplacedMeanwhile(t *testing.T) {
	for name, replace := range map[string]func(s *setting){
		"the run": func(s *setting) {
			s.must(os.Rename(s.path("run"), s.path("old")))
			s.must(os.CopyFS(s.path("run"), os.DirFS(s.path("old"))))
		},
		"its model": func(s *setting) {
			s.must(os.Rename(s.path("run/model"), s.path("old")))
			s.must(os.CopyFS(s.path("run/model"), os.DirFS(s.path("old"))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetting(t)
			early, late := s.evaluate(s.request()), s.evaluate(s.request())
			s.must(late.Keep(t.Context()))
			s.must(os.Remove(s.path("run/evaluation.json")))
			replace(s)
			for what, err := range map[string]error{
				"keep": early.Keep(t.Context()), "illustrate": late.Illustrate(t.Context(), fake.Painter{}), "describe": late.Describe(t.Context()),
			} {
				if err == nil || !strings.Contains(err.Error(), "was replaced by another process meanwhile") {
					t.Errorf("%s: %v", what, err)
				}
			}
			if s.exists("run/evaluation.json") || s.exists("run/report.html") || s.exists("run/gallery") {
				t.Error("something was written into it")
			}
		})
	}
}

// Of two evaluations at once, the one that ends last must not tell the model of the
// decision that it read before the other changed it.
func TestADecisionThatIsChangedMeanwhile(t *testing.T) {
	s := newSetting(t)
	early, threshold := s.evaluate(s.request()), 0.4
	r := s.request()
	r.Decision.Threshold = &threshold
	late := s.evaluate(r)
	s.must(late.Keep(t.Context()))
	s.must(late.Keep(t.Context()))
	kept, err := os.ReadFile(s.path("run/evaluation.json"))
	s.must(err)
	if err := early.Keep(t.Context()); err == nil || !strings.Contains(err.Error(), "changed the decision meanwhile: nothing is written") {
		t.Errorf("keep: %v", err)
	}
	if now, err := os.ReadFile(s.path("run/evaluation.json")); err != nil || string(now) != string(kept) {
		t.Errorf("%v: something was written", err)
	}
	s.must(s.evaluate(s.request()).Keep(t.Context()))
}

func (s *setting) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// What a killed evaluation left behind is removed by the next.
func TestLeftoversOfAKilledEvaluation(t *testing.T) {
	s := newSetting(t)
	random := strings.Repeat("B", 26)
	for _, left := range []string{
		".predictions.csv." + random + ".tmp", ".evaluation.json." + random + ".tmp", ".report.html." + random + ".tmp",
		".gallery." + random + ".tmp/01.jpg", "model/assets.extra/.decision.json." + random + ".tmp",
	} {
		fake.Write(t, s.path("run/"+left), "half")
	}
	s.must(s.evaluate(s.request()).Keep(t.Context()))
	err := filepath.WalkDir(s.path("run"), func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".tmp") {
			t.Errorf("%s is still there", path)
		}
		return err
	})
	s.must(err)
}
