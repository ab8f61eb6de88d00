// Command promises measures how often the promises of an abstention are kept, and how
// often prediction sets have the true class. Each round chooses a decision on some
// samples, as tftl evaluate does on the validation part, and looks what it does on all.
//
// The samples are simulated, or those of tables that tftl evaluate wrote. A table is
// taken as all there is: its samples are drawn with replacement, so the true risk is
// known. With -halves one half of a table chooses and the other is measured.
package main

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

func main() {
	rounds := flag.Int("rounds", 200, "choose `N` times")
	truth := flag.Int("truth", 50_000, "samples of a simulation that give the true risk")
	halves := flag.Bool("halves", false, "choose on one half of a table and measure the other")
	seed := flag.Uint64("seed", 1, "seed of all draws")
	flag.Parse()
	if err := run(flag.Args(), *rounds, *truth, *seed, *halves); err != nil {
		fmt.Fprintln(os.Stderr, "promises:", err)
		os.Exit(1)
	}
}

// world is where samples come from.
type world struct {
	name    string
	all     []pipeline.Prediction
	choose  int  // samples that choose
	halves  bool // the others are measured, instead of all
	promise []string
}

func run(files []string, rounds, truth int, seed uint64, halves bool) error {
	fmt.Println("| samples | choose | promise | could be made | kept | answered | risk |")
	fmt.Println("|---|---|---|---|---|---|---|")
	var worlds []world
	for _, file := range files {
		all, err := read(file)
		if err != nil {
			return err
		}
		worlds = append(worlds, world{filepath.Base(file), all, len(all) / 2, halves, []string{"risk=0.05", "risk=0.1", "risk=0.2", "coverage=0.8", "0.95"}})
	}
	if len(files) == 0 {
		// The third is as hard as can be: its confidence means nothing, and its risk is a
		// little above what is promised, so that every promise that is made is broken.
		for i, all := range [][]pipeline.Prediction{
			simulate(truth, 3.3, rand.New(rand.NewPCG(seed, 0))), simulate(truth, 2.3, rand.New(rand.NewPCG(seed, 0))), blind(truth, 0.0505, rand.New(rand.NewPCG(seed, 0))),
		} {
			_, wrong := outcome(all, metrics.Decision{})
			name := "simulated, " + percent(wrong) + " wrong"
			promises := []string{"risk=0.02", "risk=0.05", "coverage=0.9", "0.95"}
			if i == 2 {
				name, promises = name+", confidence at random", []string{"risk=0.05"}
			}
			for _, n := range []int{200, 1000, 5000} {
				worlds = append(worlds, world{name, all, n, false, promises})
			}
		}
	}
	for _, w := range worlds {
		for _, promise := range w.promise {
			if err := w.row(promise, rounds, seed); err != nil {
				return err
			}
		}
	}
	return nil
}

// row measures one promise and prints its row of the table.
func (w world) row(promise string, rounds int, seed uint64) error {
	made, kept, answered, risk := 0, 0, 0.0, 0.0
	level, conformal := strconv.ParseFloat(promise, 64)
	var a metrics.Abstention
	if conformal != nil {
		var err error
		if a, err = metrics.ParseAbstention(promise); err != nil {
			return err
		}
	}
	for round := range rounds {
		chosen, measured := w.draw(rand.New(rand.NewPCG(seed, uint64(round+1))))
		if conformal == nil {
			least, err := metrics.ChooseSet(chosen, level)
			if err != nil {
				continue
			}
			made++
			size, covered := sets(measured, metrics.Decision{Set: least})
			answered, risk = answered+size, risk+covered
			continue
		}
		choice, err := metrics.ChooseConfidence(chosen, metrics.Decision{}, a)
		if err != nil {
			kept++ // nothing was promised
			continue
		}
		made++
		coverage, wrong := outcome(measured, metrics.Decision{Confidence: choice.Confidence})
		answered, risk = answered+coverage, risk+wrong
		if wrong <= a.Risk && a.Risk > 0 || coverage >= a.Coverage && a.Coverage > 0 {
			kept++
		}
	}
	n := float64(made)
	if conformal == nil {
		fmt.Printf("| %s | %d | sets of %s | %s | have the true class: %s | size %.3f | |\n", w.name, w.choose, promise, share(made, rounds), percent(risk/n), answered/n)
		return nil
	}
	fmt.Printf("| %s | %d | %s | %s | %s | %s | %s |\n", w.name, w.choose, promise, share(made, rounds), share(kept, rounds), percent(answered/n), percent(risk/n))
	return nil
}

func share(n, of int) string { return percent(float64(n) / float64(of)) }

func percent(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return strconv.FormatFloat(100*v, 'f', 1, 64) + "%"
}

// draw returns samples that choose, and those on which that is measured.
func (w world) draw(random *rand.Rand) (chosen, measured []pipeline.Prediction) {
	if w.halves {
		for i, k := range random.Perm(len(w.all)) {
			if i < w.choose {
				chosen = append(chosen, w.all[k])
			} else {
				measured = append(measured, w.all[k])
			}
		}
		return chosen, measured
	}
	for range w.choose {
		chosen = append(chosen, w.all[random.IntN(len(w.all))])
	}
	return chosen, w.all
}

// outcome is how many samples are answered, and how many of the answers are wrong.
func outcome(all []pipeline.Prediction, d metrics.Decision) (coverage, risk float64) {
	answered, wrong := 0, 0
	for _, p := range all {
		if d.Unsure(p.Probabilities) == "" {
			answered++
			if d.Class(p.Probabilities) != p.Sample.Label {
				wrong++
			}
		}
	}
	return float64(answered) / float64(len(all)), float64(wrong) / float64(max(answered, 1))
}

// sets are the mean size of the sets, and how many have the true class.
func sets(all []pipeline.Prediction, d metrics.Decision) (size, covered float64) {
	for _, p := range all {
		set := d.SetOf(p.Probabilities)
		size += float64(len(set))
		for _, class := range set {
			if class == p.Sample.Label {
				covered++
			}
		}
	}
	return size / float64(len(all)), covered / float64(len(all))
}

func read(file string) ([]pipeline.Prediction, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	table, err := metrics.ReadTable(in, file)
	return table.Predictions, err
}

// blind returns predictions of two classes whose confidence says nothing of mistakes.
func blind(n int, wrong float64, random *rand.Rand) []pipeline.Prediction {
	all := make([]pipeline.Prediction, n)
	for i := range all {
		p, label := float32(0.5+random.Float64()/2), 0
		if random.Float64() < wrong {
			label = 1
		}
		all[i] = pipeline.Prediction{Sample: pipeline.Sample{Label: label, Weight: 1}, Probabilities: []float32{p, 1 - p}}
	}
	return all
}

// simulate returns predictions of a model that is too certain.
func simulate(n int, skill float64, random *rand.Rand) []pipeline.Prediction {
	all := make([]pipeline.Prediction, n)
	for i := range all {
		logits := make([]float32, 5)
		label := random.IntN(len(logits))
		for k := range logits {
			logits[k] = float32(1.5 * random.NormFloat64())
		}
		logits[label] += float32(1.5 * skill)
		all[i] = pipeline.Prediction{Sample: pipeline.Sample{Label: label, Weight: 1}, Probabilities: pipeline.Softmax(logits)}
	}
	return all
}
