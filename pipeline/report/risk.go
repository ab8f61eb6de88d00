package report

import (
	"fmt"

	"gonum.org/v1/plot/plotter"

	"tftl/pipeline/metrics"
)

// drawRisk draws how often the most confident answers are wrong, over how many images
// are answered, with the confidence from which on the decision answers.
func drawRisk(t metrics.Table, r metrics.Report) (drawing, error) {
	d := drawing{ID: "plot-risk", Title: "Risk-coverage curve"}
	curve, err := metrics.RiskCurve(t, r.Decision)
	if err != nil {
		return d, err
	}
	p := newPlot("coverage: images answered", "risk: answers that are wrong")
	most := 0.0
	line := metrics.Curve{}
	for _, point := range curve {
		most = max(most, point.Risk)
		line.X, line.Y = append(line.X, point.Coverage), append(line.Y, point.Risk)
	}
	most = max(most, r.Decision.Risk, 0.01) * 1.05
	area, description := "", ""
	if v := r.Value("aurc"); finite(v) {
		area, description = ", area "+decimals(v), "Area "+decimals(v)+". "
	}
	d.Legend = []key{{"s1", "risk of the most confident" + area}}
	if risk := r.Decision.Risk; risk > 0 {
		if err := rule(p, 0, risk, 1, risk); err != nil {
			return d, err
		}
		d.Legend = append(d.Legend, key{"faint dashed", "promised: at most " + number(risk)})
	}
	line.X, line.Y = thin(line, 0.002)
	if err := add(p, series{x: line.X, y: line.Y, tint: firstTint, width: 2.25}); err != nil {
		return d, err
	}
	d.Data = grid{Caption: "Risk by coverage", Words: 1, Header: []string{"coverage", "risk", "lowest confidence"}}
	for _, share := range []float64{0.25, 0.5, 0.75, 0.8, 0.9, 0.95, 1} {
		for _, point := range curve {
			if point.Coverage >= share {
				d.Data.Rows = append(d.Data.Rows, []string{fixed(point.Coverage, 3), fixed(point.Risk, 3), fixed(float64(point.Confidence), 3)})
				break
			}
		}
	}
	if r.Decision.Abstains() {
		at := plotter.XY{X: r.Value("coverage"), Y: r.Value("selective_risk")}
		words := fmt.Sprintf("answered from a confidence of %s on: coverage %s, risk %s", number(r.Decision.Confidence), fixed(at.X, 3), decimals(at.Y))
		d.Legend, description = append(d.Legend, key{"s2 ring", words}), description+words+"."
		if err := rule(p, at.X, 0, at.X, most); err != nil {
			return d, err
		}
		if finite(at.Y) {
			if err := circle(p, secondTint, 4, plotter.XYs{at}); err != nil {
				return d, err
			}
		}
	}
	unit(p)
	p.Y.Max = most
	d.SVG, err = render(p, plotWidth, plotSquare, d.ID, d.Title, description)
	return d, err
}

// promises puts abstention, novelty and prediction sets into sentences.
func promises(d metrics.Decision) string {
	text := ""
	switch {
	case d.AnswersAll():
		text += " Every image is answered" + from(d.ConfidenceFrom) + "."
	case d.Abstains():
		text += " Below a confidence of " + number(d.Confidence) + from(d.ConfidenceFrom) + " the answer is “unsure”."
	}
	if d.ChecksNovelty() {
		text += " From a distance of " + number(d.Novelty) + " from the training images on" + from(d.NoveltyFrom) + " an image is unfamiliar and gets no answer."
	}
	if d.HasSets() {
		text += " The prediction set has every class with a probability of at least " + number(d.Set) + from(d.SetFrom) + "."
	}
	return text
}
