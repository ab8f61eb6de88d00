package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// Epoch is one line of a run's history. It has only values that repeat when the
// run is repeated.
type Epoch struct {
	Stage        string
	Epoch        int      // from 1 over the whole run
	Step         int      // steps taken so far
	LearningRate float64  // of the last step
	Train        []Metric // over the epoch's batches, each before its update
	Validation   []Metric // after the epoch; names have no val_
	Best         bool     // whether Watch took it for the best so far, and its weights were kept
}

// BestOf returns the best epoch of a history, if there is one.
func BestOf(history []Epoch) (Epoch, bool) {
	for i := len(history) - 1; i >= 0; i-- {
		if history[i].Best {
			return history[i], true
		}
	}
	return Epoch{}, false
}

// Value returns the metric with a name in Keras' form: loss, val_loss and so on.
func (e Epoch) Value(name string) (float64, bool) {
	for _, m := range e.Metrics() {
		if m.Name == name {
			return m.Value, true
		}
	}
	return 0, false
}

// Metrics lists all metrics of the epoch under Keras' names: loss, val_loss and
// so on.
func (e Epoch) Metrics() []Metric {
	list := append([]Metric(nil), e.Train...)
	for _, m := range e.Validation {
		list = append(list, Metric{"val_" + m.Name, m.Value})
	}
	return list
}

// MetricNames lists the metrics of a history, in the order in which they first
// appear: deeper stages have more than the first.
func MetricNames(history []Epoch) []string {
	var names []string
	known := map[string]bool{}
	for _, e := range history {
		for _, m := range e.Metrics() {
			if !known[m.Name] {
				names, known[m.Name] = append(names, m.Name), true
			}
		}
	}
	return names
}

// MarshalJSON writes one flat object with the metrics under Keras' names, in the
// order they were measured. Values that are not finite become null.
func (e Epoch) MarshalJSON() ([]byte, error) {
	stage, err := json.Marshal(e.Stage)
	if err != nil {
		return nil, err
	}
	line := fmt.Appendf(nil, `{"stage":%s,"epoch":%d,"step":%d,"lr":%s`, stage, e.Epoch, e.Step, number(e.LearningRate))
	for _, m := range e.Metrics() {
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

// UnmarshalJSON reads what MarshalJSON wrote. It reads null as NaN.
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
	// All other members are metrics, in order.
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
		metric := Metric{fmt.Sprint(name), math.NaN()}
		if number, ok := value.(float64); ok {
			metric.Value = number
		} else if value != nil {
			continue // stage, best
		}
		switch metric.Name {
		case "epoch", "step", "lr":
		default:
			if validation, ok := strings.CutPrefix(metric.Name, "val_"); ok {
				metric.Name = validation
				e.Validation = append(e.Validation, metric)
			} else {
				e.Train = append(e.Train, metric)
			}
		}
	}
	return nil
}
