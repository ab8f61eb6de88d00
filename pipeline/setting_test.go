package pipeline

import "testing"

func TestSettingIsShownAsOptions(t *testing.T) {
	dashed := func(o Option) string { return "--" + o.String() }
	s := Setting{LearningRate: 3e-5, Dropout: 0.25, Units: []int{64, 64}}
	if got, want := s.Message().Text(dashed), "--lr 3e-05 --l2 0 --dropout 0.25 --units 64,64"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	s.Units = nil
	if got, want := Messagef("best: %v", s.Message()).String(), "best: lr 3e-05 l2 0 dropout 0.25"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
