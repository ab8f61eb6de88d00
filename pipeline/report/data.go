package report

import (
	"fmt"
	"strconv"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
)

// fact is a name and its value.
type fact struct{ Name, Value string }

// partsGrid shows the number of images of each class in each part.
func partsGrid(c contents) grid {
	g := grid{Caption: "Images per class and part", Words: 1, Header: []string{"class", "train", "validation", "test", "all"}}
	var sums [4]int
	line := func(name string, counts [4]int) {
		row := []string{name}
		for _, n := range counts {
			row = append(row, strconv.Itoa(n))
		}
		g.Rows = append(g.Rows, row)
	}
	for i, class := range c.classes {
		var counts [4]int
		for p := range c.parts {
			counts[p] = c.parts[p][i]
			counts[3] += counts[p]
		}
		for k, n := range counts {
			sums[k] += n
		}
		line(shorten(class, nameRunes), counts)
	}
	line("all classes", sums)
	return g
}

// dataFacts describe where the images came from.
func dataFacts(c contents) []fact {
	data := c.config.Data
	facts := []fact{{"data", display(data.Path)}, {"layout", display(data.TakenFor)}}
	if data.ValidationPath != "" {
		facts = append(facts, fact{"validation", display(data.ValidationPath)})
	}
	if data.TestPath != "" {
		facts = append(facts, fact{"test", display(data.TestPath)})
	}
	if data.OnBadImage != "" {
		facts = append(facts, fact{"bad images", data.OnBadImage + ", skipped: " + strconv.Itoa(c.skipped)})
	}
	if e := data.Excluded; e != nil {
		facts = append(facts, fact{"left out", fmt.Sprintf("%d of train and %d of validation, because of %s", e.Train, e.Validation, display(e.Findings))})
	}
	return append(facts, fact{"digest", data.SHA256})
}

// modelFacts describe the network and its training.
func modelFacts(c contents) []fact {
	t, model := c.config.Training, c.config.Model
	var stages []string
	for _, s := range t.Stages {
		stage := fmt.Sprintf("%s: %s, rate %s, %s", display(s.Name), count(s.Epochs, "epoch"), number(s.LearningRate), s.Schedule)
		if s.WarmupEpochs > 0 {
			stage += " after a warm-up of " + count(s.WarmupEpochs, "epoch")
		}
		stages = append(stages, stage)
	}
	depth := ""
	if t.StagesAuto {
		depth = "depth chosen on the validation part: "
	}
	facts := []fact{
		{"network", model.Backbone},
		{"weights", display(model.WeightsOrigin)},
		{"head", headOf(model)},
		{"feature scale", featureScale(c)},
		{"stages", depth + strings.Join(stages, "; ")},
		{"optimizer", t.Hyper.Optimizer},
		{"batch size", strconv.Itoa(t.BatchSize)},
		{"monitor", fmt.Sprintf("%s, patience %d", t.Monitor, t.Patience)},
		{"seed", strconv.FormatUint(c.config.Seed, 10)},
	}
	if t.Sampler != "" {
		facts = append(facts, fact{"sampler", t.Sampler + ": " + count(drawsPerClass(c.parts[0]), "draw") + " of each class per epoch"})
	}
	if tune := t.Tune; tune != nil {
		var names []string
		for _, option := range tune.Search {
			names = append(names, option.String())
		}
		searched := fmt.Sprintf("%s of %s", count(tune.Settings, "setting"), list(names))
		if tune.Folds > 0 {
			searched += ", compared over " + count(tune.Folds, "fold")
		}
		facts = append(facts, fact{"tuned", searched})
	}
	return facts
}

// featureScale says by what the head divides its inputs.
func featureScale(c contents) string {
	option := c.config.Training.FeatureScale
	switch from := c.config.Model.InitFrom; {
	case from != nil && !from.FreshHead:
		return "that of the earlier run's head"
	case option == "":
		return "none"
	case c.state.FeatureScale == 0: // the run had no features yet
		return option
	case option == "auto":
		return number(c.state.FeatureScale) + ", from the training part"
	}
	return option
}

// drawsPerClass returns how often the balanced sampler draws each class per epoch.
func drawsPerClass(images []int) int {
	samples, classes := 0, 0
	for _, n := range images {
		samples += n
		classes += min(n, 1)
	}
	return pipeline.DrawsPerClass(samples, classes)
}

func headOf(m rundir.Model) string {
	if len(m.Units) == 0 {
		return "one layer"
	}
	return "hidden layers of " + widths(m.Units) + " units"
}

// machineFacts describe the machine and the software.
func machineFacts(c rundir.Config) []fact {
	threads := "all"
	if c.Runtime.Threads > 0 {
		threads = strconv.Itoa(c.Runtime.Threads)
	}
	facts := []fact{
		{"tftl", c.Tftl},
		{"TensorFlow", c.Runtime.TensorFlow},
		{"devices", strings.Join(c.Runtime.Devices, ", ")},
		{"precision", c.Runtime.Precision},
		{"instructions", c.Runtime.Instructions},
		{"threads", threads},
	}
	if n := c.Runtime.Processes; n > 0 {
		facts = append(facts, fact{"processes", strconv.Itoa(n)})
	}
	return facts
}

// timingGrid sums up the time per phase. It has no rows if nothing was timed.
func timingGrid(lines []rundir.Timing) grid {
	g := grid{Caption: "Time per phase", Words: 1, Header: []string{"phase", "time", "waiting for images", "images", "images/s"}}
	var frozen, lookup, waited, starved, train, validate, checkpoint float64
	var computed, cached, trained int
	for _, l := range lines {
		if l.Phase == "features" {
			frozen += l.Frozen()
			waited += l.Waiting
			lookup += l.Seconds - l.Frozen()
			computed += l.Images - l.Cached
			cached += l.Cached
			continue
		}
		train, validate, checkpoint = train+l.Train, validate+l.Validate, checkpoint+l.Checkpoint
		starved += l.Waiting
		trained += l.Images
	}
	if len(lines) == 0 {
		return g
	}
	rate := func(n int, s float64) string {
		if n == 0 || s <= 0 {
			return undefined
		}
		return fixed(float64(n)/s, 0)
	}
	waits := func(s float64) string {
		if s == 0 {
			return "" // nothing was computed, or the run is older than this figure
		}
		return seconds(s)
	}
	g.Rows = [][]string{
		{"frozen pass", seconds(frozen), waits(waited), strconv.Itoa(computed), rate(computed, frozen)},
		{"features from the cache", seconds(lookup), "", strconv.Itoa(cached), ""},
		{"training", seconds(train), waits(starved), strconv.Itoa(trained), rate(trained, train)},
		{"validation", seconds(validate), "", "", ""},
		{"checkpoints", seconds(checkpoint), "", "", ""},
	}
	return g
}
