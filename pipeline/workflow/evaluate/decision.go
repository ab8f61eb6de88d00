package evaluate

import (
	"context"
	"fmt"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// DecisionRequest says how outputs become a class. Everything else stays as it is
// stored with the model.
type DecisionRequest struct {
	FitTemperature, BestF1 bool // find them on the validation part
	// Temperature and Threshold are given numbers; 1 and 0 mean none.
	Temperature, Threshold *float64
	// Abstain is what is promised of the answers, chosen on the validation part, and
	// Conformal the share of prediction sets that have the true class. A zero one means
	// none; nil stays as it is stored.
	Abstain   *metrics.Abstention
	Conformal *float64
	// Novelty is the share of new images, like those of the validation part, that are to
	// be familiar. 0 means that all are; nil stays as it is stored.
	Novelty *float64
}

// The options that this file's errors are about.
const (
	optionThreshold   = pipeline.Option("threshold")
	optionTemperature = pipeline.Option("temperature")
	optionAbstain     = pipeline.Option("abstain")
	optionConformal   = pipeline.Option("conformal")
)

// ReadDecision reads the decision stored with a run or a SavedModel.
func ReadDecision(model string, classes int) (d metrics.Decision, err error) {
	if rundir.Is(model) {
		err = rundir.Dir{Path: model}.ReadDecision(&d)
	} else {
		err = rundir.ReadModelDecision(model, &d)
	}
	if err == nil {
		err = d.Check(classes)
	}
	if err != nil && !rundir.Damaged(err) {
		return d, pipeline.Errorf(pipeline.BadModel, "decision: %w", err)
	}
	return d, err
}

// keepDecision stores a decision with a run, or removes the stored one if d is
// zero.
func keepDecision(run rundir.Dir, d metrics.Decision) error {
	if d == (metrics.Decision{}) {
		return run.RemoveDecision()
	}
	return run.WriteDecision(d)
}

// asks reports whether the request changes the stored decision.
func (d DecisionRequest) asks() bool {
	return d.onValidation() || d.Temperature != nil || d.Threshold != nil || d.Abstain != nil || d.Conformal != nil || d.Novelty != nil
}

// replaces reports whether nothing is left of the stored temperature and threshold.
// Without them there is no abstention and there are no sets either.
func (d DecisionRequest) replaces() bool {
	return d.changesProbabilities() && (d.BestF1 || d.Threshold != nil)
}

func (d DecisionRequest) onValidation() bool {
	return d.FitTemperature || d.BestF1 || d.abstains() || d.hasSets()
}

func (d DecisionRequest) abstains() bool {
	return d.Abstain != nil && *d.Abstain != metrics.Abstention{}
}
func (d DecisionRequest) hasSets() bool { return d.Conformal != nil && *d.Conformal > 0 }

// changesProbabilities says that the request changes what stored numbers are about.
func (d DecisionRequest) changesProbabilities() bool { return d.FitTemperature || d.Temperature != nil }

// check returns an error if the request makes no sense for a model. It needs no
// predictions.
func (d DecisionRequest) check(stored metrics.Decision, model string) error {
	switch {
	case d.onValidation() && !rundir.Is(model):
		err := pipeline.Errorf(pipeline.BadUsage, "%s is not a run: it has no validation part on which to find a threshold or a temperature", model)
		if d.abstains() || d.hasSets() {
			err = pipeline.Errorf(pipeline.BadUsage, "%s is not a run: it has no validation part on which to keep a promise", model)
			return pipeline.WithHint(err, "give the run's folder")
		}
		return pipeline.WithHint(err, "give the run's folder, or a number")
	case stored.Threshold > 0 && d.changesProbabilities() && !d.BestF1 && d.Threshold == nil:
		err := pipeline.Errorf(pipeline.BadUsage, "%s: the stored threshold %.4g does not fit another temperature", optionTemperature, stored.Threshold)
		return pipeline.WithHint(err, "also give %s: f1, a number, or argmax", optionThreshold)
	case stored.Abstains() && d.Abstain == nil && (d.changesProbabilities() || d.BestF1 || d.Threshold != nil):
		err := pipeline.Errorf(pipeline.BadUsage, "%s: the stored confidence of %.4g was chosen for another decision", optionAbstain, stored.Confidence)
		return pipeline.WithHint(err, "also give %s: risk=X, coverage=X, or off", optionAbstain)
	case stored.HasSets() && d.Conformal == nil && d.changesProbabilities():
		err := pipeline.Errorf(pipeline.BadUsage, "%s: the stored prediction sets do not fit another temperature", optionConformal)
		return pipeline.WithHint(err, "also give %s: a number such as 0.95, or off", optionConformal)
	}
	return nil
}

// checkGates returns an error for a gate on abstention or sets that there will not be.
func (d DecisionRequest) checkGates(gates []metrics.Gate, stored metrics.Decision) error {
	abstains := d.abstains() || d.Abstain == nil && stored.Abstains()
	sets := d.hasSets() || d.Conformal == nil && stored.HasSets()
	for _, gate := range gates {
		if err := gate.Lacks(abstains, sets); err != nil {
			return err
		}
	}
	return nil
}

// checkClasses returns an error for a threshold unless there are two classes.
func (d DecisionRequest) checkClasses(classes int) error {
	if classes != 2 && (d.BestF1 || d.Threshold != nil && *d.Threshold > 0) {
		return pipeline.Errorf(pipeline.BadUsage, "%s is for two classes, but the model has %d", optionThreshold, classes)
	}
	return nil
}

// apply returns the stored decision with the requested changes. It calls
// validation only if it needs predictions of the validation part.
func (d DecisionRequest) apply(decision metrics.Decision, validation func() ([]pipeline.Prediction, error)) (_ metrics.Decision, err error) {
	var predictions []pipeline.Prediction
	if d.onValidation() {
		if predictions, err = validation(); err != nil {
			return decision, err
		}
	}
	switch {
	case d.FitTemperature:
		if decision.Temperature, err = metrics.FitTemperature(predictions); err != nil {
			return decision, pipeline.Errorf(pipeline.KindOf(err), "%s fit: %w", optionTemperature, err)
		}
		decision.TemperatureFrom = "loss on validation"
		if decision.Temperature == 1 {
			decision.TemperatureFrom = "none fits: every validation image is right"
		}
	case d.Temperature != nil && *d.Temperature == 1:
		decision.Temperature, decision.TemperatureFrom = 0, ""
	case d.Temperature != nil:
		decision.Temperature, decision.TemperatureFrom = *d.Temperature, "given"
	}
	switch {
	case d.BestF1:
		if decision.Threshold, err = metrics.ChooseThreshold(decision.Calibrate(predictions)); err != nil {
			return decision, pipeline.Errorf(pipeline.KindOf(err), "%s f1: %w", optionThreshold, err)
		}
		decision.ThresholdFrom = "f1 on validation"
	case d.Threshold != nil && *d.Threshold == 0:
		decision.Threshold, decision.ThresholdFrom = 0, ""
	case d.Threshold != nil:
		decision.Threshold, decision.ThresholdFrom = *d.Threshold, "given"
	}
	return d.promise(decision, predictions)
}

// promise applies what is chosen last, because it is about calibrated probabilities and
// classes.
func (d DecisionRequest) promise(decision metrics.Decision, predictions []pipeline.Prediction) (metrics.Decision, error) {
	if d.Abstain != nil {
		decision.Confidence, decision.ConfidenceFrom, decision.Risk = 0, "", 0
	}
	if d.Conformal != nil {
		decision.Set, decision.SetFrom = 0, ""
	}
	if !d.abstains() && !d.hasSets() {
		return decision, nil
	}
	predictions = decision.Calibrate(predictions)
	if d.abstains() {
		choice, err := metrics.ChooseConfidence(predictions, decision, *d.Abstain)
		if err != nil {
			return decision, err
		}
		decision.Confidence, decision.ConfidenceFrom, decision.Risk = choice.Confidence, choice.Chosen(*d.Abstain), d.Abstain.Risk
	}
	if d.hasSets() {
		least, err := metrics.ChooseSet(predictions, *d.Conformal)
		if err != nil {
			return decision, err
		}
		decision.Set, decision.SetFrom = least, metrics.SetChosen(*d.Conformal, len(predictions))
	}
	return decision, nil
}

// decide returns the decision to measure, and how it judges novelty if that is new.
func (m *measurement) decide(ctx context.Context, stored metrics.Decision, data source) (metrics.Decision, *pipeline.Novelty, error) {
	d, err := m.Decision.apply(stored, func() ([]pipeline.Prediction, error) { return m.predictValidation(ctx, data) })
	if err != nil {
		return d, nil, err
	}
	d, space, err := m.judge(ctx, d, data)
	if err != nil {
		return d, nil, err
	}
	m.describe(d, data.own, data.part)
	return d, space, nil
}

// warnOfReuse warns if the images that keep a promise have chosen something else too.
func (d DecisionRequest) warnOfReuse(env workflow.Env) {
	if d.BestF1 && d.abstains() {
		env.Warn("the same validation images chose the threshold and the confidence: the promise of %s is not strict", optionAbstain)
	}
}

// describe sends a note about the decision, and warns if the images to measure chose it.
func (m *measurement) describe(d metrics.Decision, own bool, part string) {
	DescribeDecision(m.env, d, m.network.Classes())
	m.Decision.warnOfReuse(m.env)
	chosen := strings.Contains(d.ThresholdFrom+d.TemperatureFrom+d.ConfidenceFrom+d.SetFrom+d.NoveltyFrom, "validation")
	if chosen && own && (part == pipeline.ValidationPart || part == pipeline.AllParts) {
		m.env.Warn("the decision was chosen on the validation part: the metrics of %s %s are optimistic", pipeline.Option("part"), part)
	}
}

// predictValidation predicts the run's recorded validation part.
func (m *measurement) predictValidation(ctx context.Context, data source) ([]pipeline.Prediction, error) {
	part, err := m.validation(ctx, data)
	if err != nil {
		return nil, err
	}
	return pipeline.Together(m.network.Predict(ctx, part, m.BatchSize))
}

// validation returns the run's recorded validation part.
func (m *measurement) validation(ctx context.Context, data source) (dataset.Part, error) {
	return m.recordedPart(ctx, data, pipeline.ValidationPart, "for the decision")
}

func inBrackets(source string) string {
	if source == "" {
		return ""
	}
	return " (" + source + ")"
}

// DescribeDecision sends a note about how outputs become a class, unless it is
// simply the most likely class.
func DescribeDecision(env workflow.Env, d metrics.Decision, labels []string) {
	var words []string
	if d.TemperatureFrom != "" {
		words = append(words, fmt.Sprintf("temperature %.4g (%s)", d.Temperature, d.TemperatureFrom))
	}
	if d.Threshold > 0 && len(labels) == 2 {
		words = append(words, fmt.Sprintf("%q from a probability of %.4g on (%s)", labels[1], d.Threshold, d.ThresholdFrom))
	}
	switch {
	case d.AnswersAll():
		words = append(words, "every image is answered"+inBrackets(d.ConfidenceFrom))
	case d.Abstains():
		words = append(words, fmt.Sprintf("unsure below a confidence of %.4g%s", d.Confidence, inBrackets(d.ConfidenceFrom)))
	}
	if d.ChecksNovelty() {
		words = append(words, fmt.Sprintf("unfamiliar from a distance of %.4g on%s", d.Novelty, inBrackets(d.NoveltyFrom)))
	}
	if d.HasSets() {
		words = append(words, fmt.Sprintf("sets of the classes from a probability of %.4g on%s", d.Set, inBrackets(d.SetFrom)))
	}
	if len(words) > 0 {
		env.Say("decision: %s", strings.Join(words, ", "))
	}
}
