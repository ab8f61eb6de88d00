package pixels

import "sync"

// spareLimit is how many batches' memory waits to be used again: no more are
// under way at a time.
const spareLimit = 4

// spare keeps the memory of batches that are done with. A batch of pixels is
// tens of megabytes: to get it anew, zeroed page by page, takes a tenth of the
// time that decoding into it does.
type spare struct {
	mu     sync.Mutex
	blocks [][]float32
}

// take gives n figures, whatever their values are.
func (s *spare) take(n int) []float32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.blocks) > 0 {
		last := s.blocks[len(s.blocks)-1]
		s.blocks = s.blocks[:len(s.blocks)-1]
		if cap(last) >= n {
			return last[:n]
		}
	}
	return make([]float32, n)
}

func (s *spare) give(block []float32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.blocks) < spareLimit {
		s.blocks = append(s.blocks, block)
	}
}
