package train

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"tftl/internal/csvrows"
	"tftl/internal/regular"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// classWeights returns the weights of a request by class; nil for none.
func classWeights(what string, set *dataset.Set) (map[string]float64, error) {
	option := pipeline.Option("class-weights")
	switch what {
	case "", NoClassWeights:
		return nil, nil
	case BalancedClassWeights:
		return balanced(set), nil
	}
	file, err := regular.Open(what)
	if err != nil {
		return nil, pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "%s: %w", option, err), "use none, balanced or a file")
	}
	defer file.Close()
	weights, err := readWeights(file, set.Classes)
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadUsage, "%s %s: %w", option, what, err)
	}
	return weights, nil
}

// balanced returns weights that give all classes the same total weight, as
// scikit-learn's "balanced" does.
func balanced(set *dataset.Set) map[string]float64 {
	counts := make([]int, len(set.Classes))
	for i := range set.Train.Len() {
		counts[set.Train.Sample(i).Label]++
	}
	weights := map[string]float64{}
	for label, class := range set.Classes {
		weights[class] = float64(set.Train.Len()) / float64(len(counts)*counts[label])
	}
	return weights
}

// maxWeightsRow is the most bytes of a line of label,weight.
const maxWeightsRow = 1 << 20

// readWeights reads lines of label,weight, with or without a header. Every class
// needs a weight.
func readWeights(r io.Reader, classes []string) (map[string]float64, error) {
	rows := csvrows.NewReader(r, maxWeightsRow)
	rows.FieldsPerRecord = 2
	rows.TrimLeadingSpace = true
	weights := map[string]float64{}
	for first := true; ; first = false {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if first && len(row) > 0 {
			row[0] = strings.TrimPrefix(row[0], "\ufeff")
		}
		if err != nil {
			return nil, err // it names the line
		}
		line, _ := rows.FieldPos(0)
		if first && strings.TrimSpace(row[0]) == "label" && strings.TrimSpace(row[1]) == "weight" {
			continue
		}
		label := dataset.ClassName(csvrows.Plain(row[0]))
		if _, twice := weights[label]; twice {
			return nil, fmt.Errorf("line %d: %q already has a weight", line, label)
		}
		if _, known := slices.BinarySearch(classes, label); !known {
			return nil, fmt.Errorf("line %d: the data has no class %q", line, label)
		}
		weight, err := strconv.ParseFloat(strings.TrimSpace(row[1]), 64)
		if err != nil || !(weight > 0) || math.IsInf(weight, 0) {
			return nil, fmt.Errorf("line %d: weight %q is not a number above 0", line, row[1])
		}
		weights[label] = weight
	}
	for _, class := range classes {
		if _, ok := weights[class]; !ok {
			return nil, fmt.Errorf("class %q has no weight", class)
		}
	}
	return weights, nil
}

// byLabel returns weights in the order of labels, for pipeline.Plan.
func byLabel(weights map[string]float64, classes []string) []float64 {
	if weights == nil {
		return nil
	}
	ordered := make([]float64, len(classes))
	for label, class := range classes {
		ordered[label] = weights[class]
	}
	return ordered
}
