package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// Epoch is one line of a run's history: only what repeats from run to run.
type Epoch struct {
	Stage        string
	Epoch        int      // from 1 over the whole run
	Step         int      // steps taken so far
	LearningRate float64  // of its last step
	Train        []Metric // over the epoch's batches, each before its update
	Validation   []Metric // after the epoch; named without val_
	Best         bool     // better than all before it
}

// BestOf is the best epoch of a history, if any was.
func BestOf(history []Epoch) (Epoch, bool) {
	for i := len(history) - 1; i >= 0; i-- {
		if history[i].Best {
			return history[i], true
		}
	}
	return Epoch{}, false
}

// Value finds a figure by its name as Keras has it: loss, val_loss, …
func (e Epoch) Value(name string) (float64, bool) {
	for _, m := range e.Figures() {
		if m.Name == name {
			return m.Value, true
		}
	}
	return 0, false
}

// Figures are what was measured, under Keras' names: loss, val_loss …
func (e Epoch) Figures() []Metric {
	figures := append([]Metric(nil), e.Train...)
	for _, m := range e.Validation {
		figures = append(figures, Metric{"val_" + m.Name, m.Value})
	}
	return figures
}

// MarshalJSON writes one flat object, the figures under Keras' names in the
// order they were measured. One that is not finite is null.
func (e Epoch) MarshalJSON() ([]byte, error) {
	stage, err := json.Marshal(e.Stage)
	if err != nil {
		return nil, err
	}
	line := fmt.Appendf(nil, `{"stage":%s,"epoch":%d,"step":%d,"lr":%s`, stage, e.Epoch, e.Step, number(e.LearningRate))
	for _, m := range e.Figures() {
		line = fmt.Appendf(line, `,%q:%s`, m.Name, number(m.Value))
	}
	return fmt.Appendf(line, `,"best":%t}`, e.Best), nil
}

func number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "null"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(text)
}

// UnmarshalJSON reads what MarshalJSON wrote; null is not a number.
func (e *Epoch) UnmarshalJSON(data []byte) error {
	var fixed struct {
		Stage string  `json:"stage"`
		Epoch int     `json:"epoch"`
		Step  int     `json:"step"`
		LR    float64 `json:"lr"`
		Best  bool    `json:"best"`
	}
	if err := json.Unmarshal(data, &fixed); err != nil {
		return err
	}
	*e = Epoch{Stage: fixed.Stage, Epoch: fixed.Epoch, Step: fixed.Step, LearningRate: fixed.LR, Best: fixed.Best}
	// The figures are the members between, in their order.
	decoder := json.NewDecoder(bytes.NewReader(data))
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		value, err := decoder.Token()
		if err != nil {
			return err
		}
		figure := Metric{fmt.Sprint(name), math.NaN()}
		if number, ok := value.(float64); ok {
			figure.Value = number
		} else if value != nil {
			continue // stage, best
		}
		switch figure.Name {
		case "epoch", "step", "lr":
		default:
			if validation, ok := strings.CutPrefix(figure.Name, "val_"); ok {
				figure.Name = validation
				e.Validation = append(e.Validation, figure)
			} else {
				e.Train = append(e.Train, figure)
			}
		}
	}
	return nil
}
