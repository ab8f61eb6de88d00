package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// highlighted is the number of curves with a colour of their own: as many as
// people can tell apart. The others are faint.
const highlighted = 4

// classCurve is what a plot shows of one class's curve against all other classes. A
// curve itself may have a point for each image.
type classCurve struct {
	class int
	area  float64
	at    []float64 // the values for the table
	x, y  []float64 // as fine as a faint line shows
}

// curveKind is ROC or precision-recall.
type curveKind struct {
	of    func(class int) metrics.Curve
	some  []float64                            // the x of the table's columns
	value func(metrics.Curve, float64) float64 // at each of them
}

// curves lists the curves of all classes that have one. For two classes it is only
// the second's, because the first's adds nothing.
func (k curveKind) curves(classes int) []classCurve {
	var all []classCurve
	for class := range classes {
		if classes == 2 && class == 0 {
			continue
		}
		curve := k.of(class)
		if !finite(curve.Area) || len(curve.X) < 2 {
			continue
		}
		c := classCurve{class: class, area: curve.Area}
		for _, x := range k.some {
			c.at = append(c.at, k.value(curve, x))
		}
		c.x, c.y = thin(curve, 0.01)
		all = append(all, c)
	}
	return all
}

// drawROC draws the true positive rate over the false positive rate.
func drawROC(curves *metrics.Curves, classes []string) (drawing, error) {
	d := drawing{ID: "plot-roc", Title: "ROC curve"}
	p := newPlot("false positive rate", "true positive rate")
	if err := rule(p, 0, 0, 1, 1); err != nil {
		return d, err
	}
	d.Data = grid{Caption: "ROC curve: area, and true positive rate by false positive rate", Header: []string{"class", "area"}}
	kind := curveKind{curves.ROC, []float64{0.01, 0.05, 0.1, 0.2}, reached}
	d, err := drawCurves(d, p, kind, classes)
	d.Legend = append(d.Legend, key{"faint dashed", "chance"})
	return d, err
}

// drawPrecisionRecall draws precision over recall.
func drawPrecisionRecall(curves *metrics.Curves, classes []string) (drawing, error) {
	d := drawing{ID: "plot-pr", Title: "Precision-recall curve"}
	d.Data = grid{Caption: "Precision-recall curve: average precision, and precision by recall", Header: []string{"class", "average precision"}}
	kind := curveKind{curves.PrecisionRecall, []float64{0.5, 0.8, 0.9, 0.95}, kept}
	return drawCurves(d, newPlot("recall", "precision"), kind, classes)
}

// thin drops points that are too close to the previous one to be seen: a curve may
// have one point per image.
func thin(c metrics.Curve, near float64) (x, y []float64) {
	for i := range c.X {
		last := len(x) - 1
		if i > 0 && i+1 < len(c.X) && math.Abs(c.X[i]-x[last]) < near && math.Abs(c.Y[i]-y[last]) < near {
			continue
		}
		x, y = append(x, c.X[i]), append(y, c.Y[i])
	}
	return x, y
}

// reached is the largest y at or before an x.
func reached(c metrics.Curve, x float64) float64 {
	y := math.NaN()
	for i := range c.X {
		if c.X[i] <= x && !(y > c.Y[i]) {
			y = c.Y[i]
		}
	}
	return y
}

// kept is the largest y at or after an x.
func kept(c metrics.Curve, x float64) float64 {
	y := math.NaN()
	for i := range c.X {
		if c.X[i] >= x && !(y > c.Y[i]) {
			y = c.Y[i]
		}
	}
	return y
}

// drawCurves draws one curve per class. The curves with the smallest area get a
// colour because they deserve attention. The table of d, whose second column is
// the area, gets a column for each of some x.
func drawCurves(d drawing, p *plot.Plot, kind curveKind, classes []string) (drawing, error) {
	unit(p)
	area := d.Data.Header[1]
	curves := kind.curves(len(classes))
	worst := slices.Clone(curves)
	slices.SortStableFunc(worst, func(a, b classCurve) int { return cmp.Compare(a.area, b.area) })
	worst = worst[:min(len(worst), highlighted)]
	d.Data.Words = 1
	for _, x := range kind.some {
		d.Data.Header = append(d.Data.Header, "at "+number(x))
	}
	description := ""
	for _, c := range curves {
		row := []string{shorten(classes[c.class], nameRunes), decimals(c.area)}
		for _, v := range c.at {
			row = append(row, fixed(v, 3))
		}
		d.Data.Rows = append(d.Data.Rows, row)
		if !slices.ContainsFunc(worst, func(w classCurve) bool { return w.class == c.class }) {
			if err := add(p, series{x: c.x, y: c.y, tint: faintTint, width: 0.7}); err != nil {
				return d, err
			}
		}
	}
	dashes := [highlighted][]vg.Length{nil, {6, 3}, {2, 2}, {8, 3, 2, 3}}
	for i, c := range worst {
		x, y := thin(kind.of(c.class), 0.002)
		if err := add(p, series{x: x, y: y, tint: firstTint + tint(i), width: 2.25, dash: dashes[i]}); err != nil {
			return d, err
		}
		style := [highlighted]string{"s1", "s2 dashed", "s3 dotted", "s4 dashdot"}[i]
		d.Legend = append(d.Legend, key{style, fmt.Sprintf("%s, %s %s", shorten(classes[c.class], nameRunes), area, fixed(c.area, 3))})
		description += fmt.Sprintf("%s: %s %s. ", shorten(classes[c.class], nameRunes), area, decimals(c.area))
	}
	if more := len(curves) - len(worst); more > 0 {
		d.Legend = append(d.Legend, key{"faint", count(more, "other class") + ", each with a larger area"})
	}
	var err error
	d.SVG, err = render(p, plotWidth, plotSquare, d.ID, d.Title, description)
	return d, err
}

// drawReliability draws accuracy over confidence. A bar that ends below its circle is
// of a model that is too certain.
func drawReliability(predictions []pipeline.Prediction) (drawing, error) {
	d := drawing{ID: "plot-reliability", Title: "Reliability diagram", Legend: []key{
		{"fill", "accuracy"}, {"s2 ring", "mean confidence"}, {"faint dashed", "perfect calibration"},
	}}
	d.Data = grid{Caption: "Reliability by confidence", Words: 1, Header: []string{"confidence", "images", "mean confidence", "accuracy"}}
	p := newPlot("confidence", "accuracy")
	var points plotter.XYs
	description := ""
	for _, bin := range metrics.Reliability(predictions, metrics.Bins) {
		if bin.Samples == 0 {
			continue
		}
		bar, err := plotter.NewPolygon(plotter.XYs{
			{X: bin.Lower + 0.006, Y: 0}, {X: bin.Lower + 0.006, Y: bin.Accuracy}, {X: bin.Upper - 0.006, Y: bin.Accuracy}, {X: bin.Upper - 0.006, Y: 0},
		})
		if err != nil {
			return d, err
		}
		bar.Color, bar.LineStyle.Width = fillTint, 0
		p.Add(bar)
		points = append(points, plotter.XY{X: bin.Confidence, Y: bin.Confidence})
		confidences := fixed(bin.Lower, 2) + " to " + fixed(bin.Upper, 2)
		d.Data.Rows = append(d.Data.Rows, []string{confidences, strconv.Itoa(bin.Samples), decimals(bin.Confidence), decimals(bin.Accuracy)})
		description += fmt.Sprintf("Confidence %s: %s, accuracy %s. ", confidences, count(bin.Samples, "image"), fixed(bin.Accuracy, 3))
	}
	if err := rule(p, 0, 0, 1, 1); err != nil {
		return d, err
	}
	if err := circle(p, secondTint, 3.5, points); err != nil {
		return d, err
	}
	unit(p)
	var err error
	d.SVG, err = render(p, plotWidth, plotSquare, d.ID, d.Title, description)
	return d, err
}
