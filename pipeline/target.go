package pipeline

// target fills in the smoothed targets of a training step, and its weights: each
// sample's own times that of its class. The loss of a mixed sample is its own loss
// times its share plus its partner's times the rest, each with its weight.
func (b *Batch) target(p Plan) {
	b.Targets = make([]float32, len(b.Samples)*p.Classes)
	b.Weights = make([]float32, len(b.Samples))
	own, others := 1-p.LabelSmoothing, p.LabelSmoothing/float64(p.Classes)
	for i, s := range b.Samples {
		partner, share := s, 1.0
		b.Weights[i] = p.weight(s)
		if b.Mixed != nil {
			partner, share = b.Mixed[i].Partner, b.Mixed[i].Share
			mine := share * float64(b.Weights[i])
			both := mine + float64((1-share)*float64(p.weight(partner)))
			if both > 0 {
				share = mine / both
			}
			b.Weights[i] = float32(both)
		}
		row := b.Targets[i*p.Classes : (i+1)*p.Classes]
		for c := range row {
			target := others
			if c == s.Label {
				target += float64(share * own)
			}
			if c == partner.Label {
				target += float64((1 - share) * own)
			}
			row[c] = float32(target)
		}
	}
	if b.fillsUp() {
		b.Weights[0] = 0
	}
}

// weight returns the factor of a sample's loss.
func (p Plan) weight(s Sample) float32 {
	if p.ClassWeights == nil {
		return s.Weight
	}
	return s.Weight * float32(p.ClassWeights[s.Label])
}

// hits counts the rows whose largest logit is that of their largest target: the
// sample's class or, if that has a larger share, its partner's.
func hits(targets, logits []float32, classes int) int {
	count := 0
	for i := 0; i < len(logits); i += classes {
		if Largest(logits[i:i+classes]) == Largest(targets[i:i+classes]) {
			count++
		}
	}
	return count
}

// Largest returns the index of the first of the largest values. NaN is never larger.
func Largest(values []float32) int {
	best := 0
	for i, v := range values {
		if v > values[best] {
			best = i
		}
	}
	return best
}
