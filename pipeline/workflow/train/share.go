package train

import (
	"slices"

	"tftl/pipeline"
)

// shares says which part of a batch is this process's, if the processes of a cluster
// share it: the images that it owns. nil is one process alone.
type shares struct{ owns []bool }

// shares are those of the training part.
func (in *inputs) shares() *shares {
	c := in.options.Cluster
	if c == nil {
		return nil
	}
	s := &shares{make([]bool, in.set.Train.Len())}
	for _, i := range c.Own(len(s.owns), in.config.Training.BatchSize) {
		s.owns[i] = true
	}
	return s
}

// portion is what a process takes of a batch.
type portion struct {
	read []int           // places of the images to read, in ascending order; nil for all
	keep []int           // which of them are its own; nil for all
	info *pipeline.Share // nil for all
}

// of finds out what to read of a batch of images. If they are mixed, each with the one
// after it, that one is read too. A process that owns none reads one, so that it has a
// batch.
func (s *shares) of(index []int, mixes bool) (p portion) {
	if s == nil {
		return p
	}
	p.info = &pipeline.Share{Of: len(index)}
	for place, image := range index {
		if s.owns[image] {
			p.info.Rows = append(p.info.Rows, place)
		}
	}
	if len(p.info.Rows) == 0 {
		p.info.Rows, p.read, p.keep = []int{-1}, []int{0}, []int{0}
		return p
	}
	p.read = slices.Clone(p.info.Rows)
	if mixes {
		for _, place := range p.info.Rows {
			p.read = append(p.read, (place+1)%len(index))
		}
		slices.Sort(p.read)
		p.read = slices.Compact(p.read)
	}
	for _, place := range p.info.Rows {
		at, _ := slices.BinarySearch(p.read, place)
		p.keep = append(p.keep, at)
	}
	return p
}

// pick returns the values at some places, nil for all.
func pick(values, places []int) []int {
	if places == nil {
		return values
	}
	some := make([]int, len(places))
	for i, place := range places {
		some[i] = values[place]
	}
	return some
}

// trim leaves in a batch only what is the process's own.
func (p portion) trim(b *pipeline.Batch) {
	if p.info == nil {
		return
	}
	b.Share = p.info
	n := len(b.Samples)
	if len(p.keep) == n {
		return
	}
	width := len(b.Data) / n
	own := pipeline.Batch{Share: p.info, Shape: slices.Clone(b.Shape), Data: make([]float32, 0, len(p.keep)*width)}
	own.Shape[0] = int64(len(p.keep))
	for _, at := range p.keep {
		own.Samples = append(own.Samples, b.Samples[at])
		own.Data = append(own.Data, b.Data[at*width:(at+1)*width]...)
		if b.Mixed != nil {
			own.Mixed = append(own.Mixed, b.Mixed[at])
		}
	}
	*b = own
}
