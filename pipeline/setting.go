package pipeline

import (
	"fmt"
	"strings"
)

// Setting is one choice of the hyperparameters that tuning searches.
type Setting struct {
	LearningRate float64 `json:"lr"` // of the stage head
	L2           float64 `json:"l2"`
	Dropout      float64 `json:"dropout"`
	Units        []int   `json:"units"` // of each hidden layer of the head
}

// Message is the setting as options with their values, ready to be used again.
func (s Setting) Message() Message {
	text := Messagef("%s %g %s %g %s %g", Option("lr"), s.LearningRate, Option("l2"), s.L2, Option("dropout"), s.Dropout)
	if len(s.Units) == 0 {
		return text
	}
	return Messagef("%s %s %s", text, Option("units"), Widths(s.Units))
}

// Widths writes the widths of hidden layers as the option units has them: 512,256.
func Widths(units []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(units), "[]"), " ", ",")
}
