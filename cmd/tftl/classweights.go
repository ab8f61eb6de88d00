package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

func newBalanceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "class-weights", Value: "none", Usage: "what a class's training loss is multiplied by: none; balanced, images / (classes x images of the class); or a CSV `FILE` of label,weight. Validation is not weighted", Category: trainFlags},
		&cli.Float64Flag{Name: "label-smoothing", Usage: "train towards 1-S+S/classes for an image's class and S/classes for the others, as Keras. Validation is not smoothed", Category: trainFlags},
	}
}

func checkSmoothing(s float64) error {
	if !(s >= 0 && s < 1) {
		return pipeline.Errorf(pipeline.BadUsage, "--label-smoothing %v: must be from 0 to below 1", s)
	}
	return nil
}

// classWeights are what --class-weights stands for, by class; nil for none.
func classWeights(what string, set *dataset.Set) (map[string]float64, error) {
	switch what {
	case "none":
		return nil, nil
	case "balanced":
		return balanced(set), nil
	}
	file, err := os.Open(what)
	if err != nil {
		return nil, pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "--class-weights: %w", err), "it is none, balanced or a file")
	}
	defer file.Close()
	weights, err := readWeights(file, set.Classes)
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadUsage, "--class-weights %s: %w", what, err)
	}
	return weights, nil
}

// balanced is scikit-learn's: as if every class had as many images.
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

// readWeights reads label,weight lines, under a line that says so or not. Every
// class has one.
func readWeights(r io.Reader, classes []string) (map[string]float64, error) {
	rows := csv.NewReader(r)
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
		label := dataset.ClassName(row[0])
		if _, twice := weights[label]; twice {
			return nil, fmt.Errorf("line %d: %q has a weight already", line, label)
		}
		if !slices.Contains(classes, label) {
			return nil, fmt.Errorf("line %d: the data has no class %q", line, label)
		}
		weight, err := strconv.ParseFloat(strings.TrimSpace(row[1]), 64)
		if err != nil || !(weight > 0) || math.IsInf(weight, 0) {
			return nil, fmt.Errorf("line %d: weight %q is no number above 0", line, row[1])
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

// byLabel puts weights in the labels' order, for pipeline.Plan.
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
