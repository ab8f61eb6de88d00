package audit

import "math"

// placement says where the frame of one picture lies in the frame of another: a place
// (x, y), from 0 to 1 in the first one, is at scale * (place - 0.5) + middle in the other.
type placement struct {
	scale, middle [2]float64
}

// whole is the placement of two pictures that show the same, from edge to edge.
func whole() placement { return placement{[2]float64{1, 1}, [2]float64{0.5, 0.5}} }

// overlap is the part of each frame that the other one has too.
func (p placement) overlap() (ofFirst, ofOther float64) {
	ofFirst, ofOther = 1, 1
	for i := range p.scale {
		from, to := p.middle[i]-p.scale[i]/2, p.middle[i]+p.scale[i]/2
		both := max(min(to, 1)-max(from, 0), 0)
		ofFirst, ofOther = ofFirst*both/p.scale[i], ofOther*both
	}
	return ofFirst, ofOther
}

// sensible reports whether both pictures share most of what they show.
func (p placement) sensible() bool {
	for _, s := range p.scale {
		if !(s > 0.4 && s < 2.5) { // also false for NaN
			return false
		}
	}
	first, other := p.overlap()
	return first >= leastOverlap && other >= leastOverlap
}

const (
	leastOverlap = 0.5 // of each frame that the other has too
	alignSteps   = 8   // most steps on each size of the pictures
)

// align refines a placement of b in a until the pictures agree best, apart from
// brightness and contrast. ok is false if they do not agree at all.
//
// It is the method of Lucas and Kanade, from small to large pictures: the differences are
// linear in a small change of the placement, of gain and of offset, so each step solves
// six equations.
func align(a, b pyramid, p placement) (_ placement, ok bool) {
	least := [levels]float64{0.5, 0.7, 0.8} // correlation
	every := [levels]int{1, 1, 2}           // of the pixels of the largest pictures, a quarter is enough
	for n := range a {
		s := overlay{a: a[n], b: b[n], every: every[n]}
		for range alignSteps {
			s.move(p)
			change, moved := s.step()
			if !moved {
				return p, false
			}
			p.scale[0] += change[0]
			p.middle[0] += change[1]
			p.scale[1] += change[2]
			p.middle[1] += change[3]
			if !p.sensible() {
				return p, false
			}
			if abs(change[0])+abs(change[1])+abs(change[2])+abs(change[3]) < 0.05/float64(a[n].width) {
				break
			}
		}
		s.move(p)
		m := s.moments()
		if _, _, correlation := m.line(); correlation < least[n] {
			return p, false
		}
	}
	return p, true
}

// overlay is b laid over a.
type overlay struct {
	a, b          grey
	every         int // pixel that counts, in each direction
	columns, rows []spot
	gain          float64 // of contrast, from a to b; 0 if it is not known yet
}

// spot is where a column or a row of b comes to lie in a.
type spot struct {
	of   int     // b
	at   int     // the column or row of a before it
	part float32 // of the way to the next one
	u    float64 // where it is in b, from -0.5 to 0.5
}

// move changes where b lies.
func (s *overlay) move(p placement) {
	s.columns = spots(s.columns[:0], s.b.width, s.a.width, s.every, p.scale[0], p.middle[0])
	s.rows = spots(s.rows[:0], s.b.height, s.a.height, s.every, p.scale[1], p.middle[1])
}

// spots lists the columns or rows of b, of n, that lie in a, which has m.
func spots(into []spot, n, m, every int, scale, middle float64) []spot {
	for i := every / 2; i < n; i += every {
		u := (float64(i)+0.5)/float64(n) - 0.5
		at := (u*scale+middle)*float64(m) - 0.5
		if at < 0 || at > float64(m-1) {
			continue
		}
		before := min(int(at), m-2)
		into = append(into, spot{i, before, float32(at) - float32(before), u})
	}
	return into
}

// step returns the change of scale and middle, left to right and top to bottom, that
// brings b nearer to a.
func (s *overlay) step() (change [4]float64, ok bool) {
	if len(s.columns) < 6 || len(s.rows) < 6 {
		return change, false
	}
	if s.gain == 0 {
		sums := s.moments()
		s.gain, _, _ = sums.line()
	}
	if s.gain <= 0 {
		return change, false
	}
	var m [6][7]float64
	alongX, alongY := s.gain*float64(s.a.width), s.gain*float64(s.a.height)
	for _, r := range s.rows {
		upper := s.a.values[r.at*s.a.width : (r.at+1)*s.a.width]
		lower := s.a.values[(r.at+1)*s.a.width : (r.at+2)*s.a.width]
		line := s.b.values[r.of*s.b.width : (r.of+1)*s.b.width]
		for _, c := range s.columns {
			q, t := upper[c.at:c.at+2], lower[c.at:c.at+2]
			above, below := q[1]-q[0], t[1]-t[0]
			across := above + r.part*(below-above)
			down := t[0] - q[0] + c.part*(below-above)
			value := q[0] + c.part*above + r.part*down
			gx, gy := alongX*float64(across), alongY*float64(down)
			row := [7]float64{gx * c.u, gx, gy * r.u, gy, float64(value), 1, float64(line[c.of])}
			for i := range 6 {
				for j := i; j < 7; j++ {
					m[i][j] += row[i] * row[j]
				}
			}
		}
	}
	for i := range 6 {
		for j := range i {
			m[i][j] = m[j][i]
		}
		if i < len(change) {
			m[i][i] *= 1.001 // smaller steps where the picture says little
		}
	}
	solution, ok := solve(&m)
	copy(change[:], solution[:])
	s.gain = solution[4]
	return change, ok
}

// each calls f with the values of a and b at every place that counts.
func (s *overlay) each(f func(a, b float32)) {
	for _, r := range s.rows {
		upper := s.a.values[r.at*s.a.width : (r.at+1)*s.a.width]
		lower := s.a.values[(r.at+1)*s.a.width : (r.at+2)*s.a.width]
		line := s.b.values[r.of*s.b.width : (r.of+1)*s.b.width]
		for _, c := range s.columns {
			above := upper[c.at] + c.part*(upper[c.at+1]-upper[c.at])
			below := lower[c.at] + c.part*(lower[c.at+1]-lower[c.at])
			f(above+r.part*(below-above), line[c.of])
		}
	}
}

func (s *overlay) moments() (m moments) {
	s.each(func(a, b float32) { m.add(float64(a), float64(b)) })
	return m
}

// solve solves six equations with Gauss' elimination.
func solve(m *[6][7]float64) (x [6]float64, ok bool) {
	for i := range m {
		best := i
		for k := i + 1; k < 6; k++ {
			if math.Abs(m[k][i]) > math.Abs(m[best][i]) {
				best = k
			}
		}
		m[i], m[best] = m[best], m[i]
		if math.Abs(m[i][i]) < 1e-9 {
			return x, false
		}
		for k := i + 1; k < 6; k++ {
			f := m[k][i] / m[i][i]
			for j := i; j < 7; j++ {
				m[k][j] -= f * m[i][j]
			}
		}
	}
	for i := 5; i >= 0; i-- {
		x[i] = m[i][6]
		for j := i + 1; j < 6; j++ {
			x[i] -= m[i][j] * x[j]
		}
		x[i] /= m[i][i]
	}
	return x, true
}

// moments are sums over pairs of values.
type moments struct{ n, a, b, aa, bb, ab float64 }

func (m *moments) add(a, b float64) {
	m.n++
	m.a += a
	m.b += b
	m.aa += a * a
	m.bb += b * b
	m.ab += a * b
}

// spread returns the standard deviations.
func (m *moments) spread() (a, b float64) {
	if m.n == 0 {
		return 0, 0
	}
	return math.Sqrt(max(m.aa/m.n-m.a/m.n*m.a/m.n, 0)), math.Sqrt(max(m.bb/m.n-m.b/m.n*m.b/m.n, 0))
}

// line returns the line that makes b of a, and Pearson's correlation; all are 0 if one of
// them does not vary.
func (m *moments) line() (gain, offset, correlation float64) {
	a, b := m.spread()
	if a < 1e-3 || b < 1e-3 {
		return 0, 0, 0
	}
	covariance := m.ab/m.n - m.a/m.n*m.b/m.n
	gain = covariance / (a * a)
	return gain, m.b/m.n - gain*m.a/m.n, covariance / (a * b)
}

// likeness is how much two pictures agree where they overlap.
type likeness struct {
	detail     float64 // correlation of what is left without the larger shapes
	agree      float64 // share of the blocks with something in them that agree
	blocks     int     // with something in them
	gain       float64 // of contrast, from the first picture to the second
	brightness float64 // that was added, in grey levels
}

const (
	across     = 8   // blocks, and down
	blockAgree = 0.6 // correlation of blocks that show the same
	clipped    = 4   // grey levels next to black and to white that may have been cut off
)

// compare compares aligned pictures.
func compare(a, b grey, p placement) (l likeness) {
	s := overlay{a: a, b: b, every: 1}
	s.move(p)
	width, height := len(s.columns), len(s.rows)
	if min(width, height) < 2*across {
		return l
	}
	one, other := newGrey(width, height), newGrey(width, height)
	var all, inner, fine moments
	i := 0
	s.each(func(x, y float32) {
		one.values[i], other.values[i] = x, y
		all.add(float64(x), float64(y))
		if min(x, y) > clipped && max(x, y) < 255-clipped {
			inner.add(float64(x), float64(y))
		}
		i++
	})
	l.brightness = (all.b - all.a) / all.n
	if inner.n < all.n/16 {
		inner = all
	}
	var offset float64
	l.gain, offset, _ = inner.line()
	if l.gain <= 0 {
		return l
	}
	one.clip(l.gain, offset, 0, 255)
	other.clip(1, 0, offset, l.gain*255+offset)
	one, other = one.detail(), other.detail()
	for i, v := range one.values {
		fine.add(float64(v), float64(other.values[i]))
	}
	_, _, l.detail = fine.line()
	spreadOne, spreadOther := fine.spread()
	good := 0
	for n := range across * across {
		x, y := n%across, n/across
		block := one.moments(other, [2]int{x * width / across, y * height / across}, [2]int{(x + 1) * width / across, (y + 1) * height / across})
		u, v := block.spread()
		if max(u/max(spreadOne, 1e-3), v/max(spreadOther, 1e-3)) < 0.5 || max(u, v) < 1 {
			continue
		}
		l.blocks++
		if _, _, c := block.line(); c >= blockAgree {
			good++
		}
	}
	l.agree = float64(good) / float64(max(l.blocks, 1))
	return l
}

// clip changes contrast and brightness as an image that is stored changes: what gets
// brighter than white or darker than black is cut off.
func (g grey) clip(gain, offset, low, high float64) {
	for i, v := range g.values {
		g.values[i] = float32(min(max(float64(v)*gain+offset, low), high))
	}
}

// moments are those of two pictures of the same size, within a block.
func (g grey) moments(other grey, from, to [2]int) (m moments) {
	for y := from[1]; y < to[1]; y++ {
		for i := y*g.width + from[0]; i < y*g.width+to[0]; i++ {
			m.add(float64(g.values[i]), float64(other.values[i]))
		}
	}
	return m
}

// detail is a picture without its larger shapes, and without the finest, which
// compression changes.
func (g grey) detail() grey {
	fine, coarse := g.blur(0.7), g.blur(2.5)
	for i, v := range coarse.values {
		fine.values[i] -= v
	}
	return fine
}
