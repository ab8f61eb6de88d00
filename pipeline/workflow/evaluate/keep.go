package evaluate

import (
	"context"
	"io"

	"tftl/pipeline/report"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow/train"
)

// Keep writes the result into the run's folder: the predictions, the metrics, the
// skipped images, and the decision if the request changed it. It keeps only
// results on the run's own test part.
func (r *Result) Keep(ctx context.Context) error {
	if !r.kept {
		if rundir.Is(r.request.Model) && r.request.Decision.asks() {
			r.env.Say("the decision is not kept: evaluate keeps it only with metrics of the run's own test part")
		}
		return nil
	}
	run := rundir.Dir{Path: r.request.Model}
	unlock, err := run.LockEvaluation(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if r.request.Decision.asks() {
		if err := keepDecision(run, r.Report.Decision); err != nil {
			return err
		}
	}
	if err := run.WritePredictions(func(w io.Writer) error { return r.Table.Write(w, r.Report.Decision) }); err != nil {
		return err
	}
	if err := run.WriteEvaluation(r.Report); err != nil {
		return err
	}
	if r.request.OnBadImage == train.SkipBadImages {
		if err := run.WriteEvaluationBadImages(r.Skipped); err != nil {
			return err
		}
	}
	r.digest, err = report.PredictionsDigest(run)
	return err
}
