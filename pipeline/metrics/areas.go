package metrics

import (
	"context"
	"encoding/binary"
	"math"
)

// The areas under the curves of all classes are most of a bootstrap. A class is
// sorted once, and only as far as its last sample. Then 64 resamples at a time are
// counted from the top, eight in each machine word.

// areas are ROC AUC and average precision.
type areas struct{ roc, average float64 }

// tally counts samples from the highest score down.
type tally struct {
	pairs                int // in the right order, each twice
	positives, negatives int
	sum                  float64 // of the precision at each sample of the class
}

// add counts samples that have the same score. A tie between a sample of the
// class and one of the rest counts half.
func (t *tally) add(positives, negatives int) {
	t.pairs += negatives * (2*t.positives + positives)
	t.positives, t.negatives = t.positives+positives, t.negatives+negatives
	if positives > 0 {
		t.sum += float64(positives) * float64(t.positives) / float64(t.positives+t.negatives)
	}
}

func (t *tally) areas() areas {
	a := areas{math.NaN(), math.NaN()}
	if t.positives > 0 {
		a.average = t.sum / float64(t.positives)
	}
	if t.positives > 0 && t.negatives > 0 {
		a.roc = float64(t.pairs) / 2 / float64(t.positives) / float64(t.negatives)
	}
	return a
}

// lanes is how many resamples a block holds: a cache line for each sample.
const lanes = 64

// block says how often each sample was drawn in each of some resamples.
type block struct {
	times [][lanes]uint8
	most  int // times that a sample was drawn
}

// clear makes it a block of n samples that were never drawn.
func (b *block) clear(n int) {
	if len(b.times) != n {
		b.times = make([][lanes]uint8, n)
	}
	clear(b.times)
	b.most = 0
}

func (b *block) put(lane int, times []uint8) {
	for i, t := range times {
		b.times[i][lane] = t
		b.most = max(b.most, int(t))
	}
}

// sum adds up how often some samples were drawn. Eight bytes of a row are added
// in one step, and are widened before one of them can overflow.
func (b *block) sum(index []int32, sums *[lanes]uint32) {
	const low = 0x00ff00ff00ff00ff
	*sums = [lanes]uint32{}
	perByte, perPair := 255/b.most, 65535/255
	var pairs [2 * lanes / 8]uint64 // each of four lanes
	for round := 1; len(index) > 0; round++ {
		some := index[:min(len(index), perByte)]
		index = index[len(some):]
		var s0, s1, s2, s3, s4, s5, s6, s7 uint64
		for _, i := range some {
			row := &b.times[i]
			s0 += binary.LittleEndian.Uint64(row[0:8])
			s1 += binary.LittleEndian.Uint64(row[8:16])
			s2 += binary.LittleEndian.Uint64(row[16:24])
			s3 += binary.LittleEndian.Uint64(row[24:32])
			s4 += binary.LittleEndian.Uint64(row[32:40])
			s5 += binary.LittleEndian.Uint64(row[40:48])
			s6 += binary.LittleEndian.Uint64(row[48:56])
			s7 += binary.LittleEndian.Uint64(row[56:64])
		}
		for k, s := range [...]uint64{s0, s1, s2, s3, s4, s5, s6, s7} {
			pairs[2*k] += s & low
			pairs[2*k+1] += s >> 8 & low
		}
		if len(index) > 0 && round%perPair != 0 {
			continue
		}
		for k, p := range pairs {
			at := k/2*8 + k%2
			sums[at] += uint32(p & 0xffff)
			sums[at+2] += uint32(p >> 16 & 0xffff)
			sums[at+4] += uint32(p >> 32 & 0xffff)
			sums[at+6] += uint32(p >> 48)
		}
		pairs = [2 * lanes / 8]uint64{}
	}
}

// areas are those of a class in each resample of the block, of n samples each.
func (b *block) areas(r ranks, n int) (all [lanes]areas) {
	var tallies [lanes]tally
	var above, positives, tied [lanes]uint32
	at := int32(0)
	for _, s := range r.steps {
		b.sum(r.order[at:s.above], &above)
		b.sum(r.order[s.above:s.positives], &positives)
		b.sum(r.order[s.positives:s.tied], &tied)
		for lane := range tallies {
			t := &tallies[lane]
			t.add(0, int(above[lane]))
			t.add(int(positives[lane]), int(tied[lane]))
		}
		at = s.tied
	}
	for lane := range tallies {
		t := &tallies[lane]
		t.add(0, n-t.positives-t.negatives)
		all[lane] = t.areas()
		if r.broken {
			all[lane] = areas{math.NaN(), math.NaN()}
		}
	}
	return all
}

// sortedAtOnce is how many classes are sorted and counted together: as many
// scores of a sample as lie side by side in memory.
const sortedAtOnce = 16

// measureAreas sets the areas of the counts of each resample of the blocks.
func (s *sheet) measureAreas(ctx context.Context, blocks []block, counts []*count) error {
	for _, c := range counts {
		if c.areas == nil {
			c.areas = make([]areas, len(s.classes))
		}
	}
	return spread(ctx, (len(s.classes)+sortedAtOnce-1)/sortedAtOnce, func() func(int) {
		var sorter sorter
		var sorted [sortedAtOnce]ranks
		return func(k int) {
			first := k * sortedAtOnce
			some := sorted[:min(sortedAtOnce, len(s.classes)-first)]
			for i := range some {
				sorter.sort(s.rows, s.label, first+i)
				some[i].take(sorter)
			}
			for b := range blocks {
				for i, r := range some {
					for lane, a := range blocks[b].areas(r, len(s.label)) {
						if at := b*lanes + lane; at < len(counts) {
							counts[at].areas[first+i] = a
						}
					}
				}
			}
		}
	})
}
