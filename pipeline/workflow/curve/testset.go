package curve

import (
	numbers "tftl/pipeline/curve"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
)

// TestSet says how many test images an interval takes, for what the heads with all
// training images reach on the validation part.
func TestSet(r numbers.Result, width float64) (*metrics.TestSet, error) {
	accuracy, heads := 0.0, 0.0
	for _, h := range r.Heads {
		if h.Images == r.Training && !h.Diverged {
			accuracy, heads = accuracy+h.Accuracy, heads+1
		}
	}
	var bounds *metrics.Interval
	if r.Metric == numbers.Accuracy {
		bounds = (*metrics.Interval)(&r.Now.General)
	}
	var recalls []metrics.Rate
	for _, class := range r.Classes {
		if class.Recall == nil {
			recalls = nil // there is no mean without it
			break
		}
		recalls = append(recalls, metrics.Rate{Name: class.Name, Value: class.Recall.Now})
	}
	t, err := metrics.NewTestSet(width, accuracy/heads, bounds, recalls)
	return &t, err
}

// TestSetOf says it for a run that was evaluated.
func TestSetOf(run string, width float64) (metrics.TestSet, error) {
	dir, err := rundir.Find(run)
	if err != nil {
		return metrics.TestSet{}, err
	}
	var r metrics.Report
	if err := dir.ReadEvaluation(&r); err != nil {
		return metrics.TestSet{}, err
	}
	var bounds *metrics.Interval
	if i, ok := r.Intervals["accuracy"]; ok {
		bounds = &i
	}
	var recalls []metrics.Rate
	for _, class := range r.Classes {
		if class.Support == 0 {
			recalls = nil
			break
		}
		recalls = append(recalls, metrics.Rate{Name: class.Name, Value: class.Value("recall")})
	}
	return metrics.NewTestSet(width, r.Value("accuracy"), bounds, recalls)
}
