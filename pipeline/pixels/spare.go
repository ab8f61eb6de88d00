package pixels

import "sync"

// spareLimit is the number of batches whose memory is kept. No more are in use at
// a time.
const spareLimit = 4

// spare keeps the memory of finished batches. A batch of pixels takes tens of
// megabytes: allocating it, zeroed page by page, would take a tenth of the time
// of decoding into it.
type spare struct {
	mu     sync.Mutex
	blocks [][]float32
}

// take returns n numbers with arbitrary values.
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
