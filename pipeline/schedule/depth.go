package schedule

import "tftl/pipeline"

// Depth decides how deep to fine-tune: block by block, as long as the monitored
// metric improves by more than its noise.
type Depth struct {
	Monitor string
	Higher  bool
}

// gainErrors is how many standard errors an epoch of a deeper stage must gain to
// be kept, or a setting over the default. Two are a one-sided test at about 2.5%.
// What is compared is the luckiest of several, so fewer would keep noise.
const gainErrors = 2

// MoreThanNoise says whether a gain is more than chance, given its standard error.
func MoreThanNoise(gain, noise float64) bool { return gain > gainErrors*noise }

// Watch returns a rule like watch, except that an epoch of a deeper stage is the
// best only if it gains more than noise over the weights that its stage started
// from.
func (d Depth) Watch(watch pipeline.Watch) pipeline.Watch {
	return func(history []pipeline.Epoch) pipeline.Verdict {
		verdict := watch(history)
		if first := stageStart(history); verdict.Best && first > 0 {
			gain, noise := history[len(history)-1].GainOver(history[:first], d.Monitor, d.Higher)
			verdict.Best = MoreThanNoise(gain, noise)
		}
		return verdict
	}
}

// Deeper says whether to train the next stage: whether an epoch of the newest one
// was kept. After the first stage the answer is yes.
func (d Depth) Deeper(history []pipeline.Epoch) bool {
	first := stageStart(history)
	_, kept := pipeline.BestOf(history[first:])
	return first == 0 || kept
}

// stageStart is the index of the first epoch of the newest stage.
func stageStart(history []pipeline.Epoch) int {
	first := max(len(history)-1, 0)
	for first > 0 && history[first-1].Stage == history[first].Stage {
		first--
	}
	return first
}
