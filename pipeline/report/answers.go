package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// Answers writes what a model says of images, a batch at a time. What belongs to
// a batch reaches the output in one Write.
type Answers struct {
	out      io.Writer
	labels   []string
	decision metrics.Decision
	top      int  // classes of each image; 0: not asked for
	begun    bool // the line that names the columns is written
	widths   []int
}

// Terms say how predictions become answers. The shards of a job have them in common.
type Terms struct {
	Decision metrics.Decision `json:"decision"`
	Skip     bool             `json:"skip,omitempty"`  // as in Tally
	Alone    bool             `json:"alone,omitempty"` // as in Tally
}

// NewAnswers writes answers by a decision. top is how many classes each image
// gets; 0 is for the form's own choice: one in a table, all elsewhere.
func NewAnswers(out io.Writer, labels []string, d metrics.Decision, top int) *Answers {
	return &Answers{out: out, labels: labels, decision: d, top: min(top, len(labels))}
}

// answer is what the decision makes of one image's outcome.
type answer struct {
	path          string
	probabilities []float32 // of each class, at the decision's temperature
	order         []int     // the classes, the predicted one first
	unsure        string    // why the predicted one is no answer; empty if it is
	set           []int     // the classes that are possible, if the decision has sets
	novelty       float32   // how unlike the training images, if the decision checks that
}

func (a *Answers) decide(p pipeline.Prediction) answer {
	p = a.decision.Calibrate([]pipeline.Prediction{p})[0]
	probabilities := p.Probabilities
	found := answer{path: p.Sample.ID, probabilities: probabilities, order: a.decision.RankClasses(probabilities), unsure: a.decision.WhyUnsure(p), novelty: p.Novelty}
	if a.decision.HasSets() {
		found.set = a.decision.SetOf(probabilities)
	}
	return found
}

func (a *Answers) names(classes []int) []string {
	names := make([]string, len(classes))
	for i, class := range classes {
		names[i] = a.labels[class]
	}
	return names
}

// WriteTable writes one line per image. Bad images have none. Columns are as wide
// as the widest cell so far, so a later batch may be wider than the first.
func (a *Answers) WriteTable(outcomes []pipeline.Outcome) error {
	var rows [][]string
	for _, o := range outcomes {
		if o.Err != nil {
			continue
		}
		found := a.decide(o.Prediction)
		row := []string{printable.Text(found.path)}
		for i, class := range found.order[:max(a.top, 1)] {
			cell := printable.Text(a.labels[class])
			if i == 0 && found.unsure != "" {
				cell = "unsure: " + cell
			}
			if i == 0 && found.unsure == metrics.Unfamiliar {
				cell = fmt.Sprintf("unsure: unfamiliar (novelty %.2f)", found.novelty)
			}
			row = append(row, cell, fmt.Sprintf("%.4f", found.probabilities[class]))
		}
		if a.decision.HasSets() {
			row = append(row, "{"+printable.Text(strings.Join(a.names(found.set), ", "))+"}")
		}
		rows = append(rows, row)
		a.widths = append(a.widths, make([]int, len(row)-min(len(row), len(a.widths)))...)
		for i, cell := range row {
			a.widths[i] = max(a.widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			fmt.Fprintf(&b, "%-*s  ", a.widths[i], cell)
		}
		fmt.Fprintln(&b, row[len(row)-1])
	}
	return a.write(b.String())
}

// likely is a class of one image.
type likely struct {
	Class       string  `json:"class"`
	Probability float32 `json:"probability"`
}

// WriteLines writes one JSON document per image and line. That of a bad image has
// the reason as its error.
func (a *Answers) WriteLines(outcomes []pipeline.Outcome) error {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	for _, o := range outcomes {
		var line any
		if o.Err != nil {
			line = struct {
				Path  string `json:"path"`
				Error string `json:"error"`
			}{o.Sample.ID, o.Reason()}
		} else {
			line = a.document(a.decide(o.Prediction))
		}
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return a.write(string(printable.JSON([]byte(b.String()))))
}

func (a *Answers) document(found answer) any {
	first := found.order[0]
	line := struct {
		Path          string             `json:"path"`
		Predicted     string             `json:"predicted"`
		Probability   float32            `json:"probability"`
		Accepted      *bool              `json:"accepted,omitempty"`
		Unsure        string             `json:"unsure,omitempty"`
		Novelty       *float32           `json:"novelty,omitempty"`
		Set           []string           `json:"set,omitempty"`
		Top           []likely           `json:"top,omitempty"`
		Probabilities map[string]float32 `json:"probabilities,omitempty"`
	}{Path: found.path, Predicted: a.labels[first], Probability: found.probabilities[first], Unsure: found.unsure, Set: a.names(found.set)}
	if a.decision.LeavesOut() {
		accepted := found.unsure == ""
		line.Accepted = &accepted
	}
	if a.decision.ChecksNovelty() {
		line.Novelty = &found.novelty
	}
	for _, class := range found.order[:a.top] {
		line.Top = append(line.Top, likely{a.labels[class], found.probabilities[class]})
	}
	if a.top == 0 {
		line.Probabilities = make(map[string]float32, len(a.labels))
		for i, label := range a.labels {
			line.Probabilities[label] = found.probabilities[i]
		}
	}
	return line
}

// WriteCSV writes one row per image, after a line that names the columns:
//
//	path,predicted,probability,p(CLASS)…
//	path,predicted,probability,predicted_2,probability_2…
//
// The second form is that of the most likely classes. A decision that abstains adds
// accepted (true or false) and unsure (why not) after the probability, one that checks
// novelty adds novelty after these, and one with sets adds set, a list in JSON. All cells of a bad image but its path are empty.
func (a *Answers) WriteCSV(outcomes []pipeline.Outcome) error {
	var b strings.Builder
	columns := []string{"path", "predicted", "probability"}
	if a.decision.LeavesOut() {
		columns = append(columns, "accepted", "unsure")
	}
	if a.decision.ChecksNovelty() {
		columns = append(columns, "novelty")
	}
	if a.decision.HasSets() {
		columns = append(columns, "set")
	}
	for i := 2; i <= a.top; i++ {
		columns = append(columns, fmt.Sprintf("predicted_%d", i), fmt.Sprintf("probability_%d", i))
	}
	if a.top == 0 {
		for _, label := range a.labels {
			columns = append(columns, "p("+label+")")
		}
	}
	var rows [][]string
	if !a.begun {
		rows, a.begun = append(rows, columns), true
	}
	for _, o := range outcomes {
		row := []string{metrics.Harmless(o.Sample.ID)}
		if o.Err != nil {
			rows = append(rows, append(row, make([]string, len(columns)-1)...))
			continue
		}
		found := a.decide(o.Prediction)
		for i, class := range found.order[:max(a.top, 1)] {
			row = append(row, metrics.Harmless(a.labels[class]), shortest(found.probabilities[class]))
			if i == 0 {
				row = append(row, a.promised(found)...)
			}
		}
		if a.top == 0 {
			for _, p := range found.probabilities {
				row = append(row, shortest(p))
			}
		}
		rows = append(rows, row)
	}
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		return err
	}
	return a.write(b.String())
}

// promised are the cells of abstention and sets.
func (a *Answers) promised(found answer) (cells []string) {
	if a.decision.LeavesOut() {
		cells = append(cells, strconv.FormatBool(found.unsure == ""), found.unsure)
	}
	if a.decision.ChecksNovelty() {
		cells = append(cells, shortest(found.novelty))
	}
	if a.decision.HasSets() {
		var b strings.Builder
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(a.names(found.set)) // strings, into memory
		cells = append(cells, strings.TrimSuffix(b.String(), "\n"))
	}
	return cells
}

// shortest is the shortest text that is read as the same number.
func shortest(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }

func (a *Answers) write(text string) error {
	if text == "" {
		return nil
	}
	_, err := io.WriteString(a.out, text)
	return err
}
