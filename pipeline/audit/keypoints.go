package audit

import (
	"cmp"
	"math"
	"slices"
)

const (
	mostKeypoints = 40   // of an image
	scales        = 3    // of an octave: sizes of blobs that are looked for until the picture is halved
	firstSigma    = 1.6  // blur of the finest scale
	leastContrast = 0.5  // of a blob against its surroundings, in grey levels: less is noise
	windowSigmas  = 5    // half the width of a keypoint's window, in sizes of the blob
	insideShare   = 0.75 // of half a window that must be inside the picture; what is outside is as at the edge
	windowSide    = 16   // pixels of a window when it is compared
	codeSide      = 8    // lowest frequencies of a window in each direction that are compared
	edgeRatio     = 25   // of the curvatures across and along an edge: a blob on an edge could be anywhere on it
)

// keypoint is a blob, which is found again at the same place in a copy that is cropped or
// resized. Its code tells what is around it: the signs of the lowest frequencies of a
// window.
type keypoint struct {
	x, y, sigma float32 // in pixels of the thumbnail
	code        uint64
}

// turned is the code of the same window in another orientation.
func (k keypoint) turned(o orientation) uint64 {
	code := k.code
	if o&transposed != 0 {
		code = transposeBits(code)
	}
	const odd = 0xaaaaaaaaaaaaaaaa  // frequencies that change their sign left to right
	const rows = 0xff00ff00ff00ff00 // and top to bottom
	if o&leftRight != 0 {
		code ^= odd
	}
	if o&topBottom != 0 {
		code ^= rows
	}
	return code &^ 1
}

// transposeBits transposes a matrix of 8 x 8 bits.
func transposeBits(x uint64) uint64 {
	t := (x ^ x>>7) & 0x00aa00aa00aa00aa
	x ^= t ^ t<<7
	t = (x ^ x>>14) & 0x0000cccc0000cccc
	x ^= t ^ t<<14
	t = (x ^ x>>28) & 0x00000000f0f0f0f0
	return x ^ t ^ t<<28
}

// detector finds keypoints. It is safe for concurrent use.
type detector struct {
	cosines [windowSide][codeSide]float32
}

func newDetector() *detector {
	var d detector
	for x := range d.cosines {
		for k := range d.cosines[x] {
			d.cosines[x][k] = float32(math.Cos(math.Pi * float64(k) * (float64(x) + 0.5) / windowSide))
		}
	}
	return &d
}

// octave is a picture at several blurs.
type octave struct {
	step   float32 // pixels of the thumbnail that one pixel is
	levels []grey
}

// octaves blurs a thumbnail more and more and halves it on the way.
func octaves(thumbnail grey) []octave {
	var all []octave
	base := thumbnail.blur(math.Sqrt(firstSigma*firstSigma - 0.25))
	for step := float32(1); min(base.width, base.height) >= 12; step *= 2 {
		o := octave{step, []grey{base}}
		for s := range scales + 2 {
			before, after := sigmaOf(float64(s)), sigmaOf(float64(s+1))
			o.levels = append(o.levels, o.levels[s].blur(math.Sqrt(after*after-before*before)))
		}
		all = append(all, o)
		base = o.levels[scales].half()
	}
	return all
}

// sigmaOf is the blur of a level of an octave, in the octave's pixels.
func sigmaOf(level float64) float64 { return firstSigma * math.Pow(2, level/scales) }

// find returns the strongest keypoints of a thumbnail.
func (d *detector) find(thumbnail grey) []keypoint {
	type candidate struct {
		keypoint
		strength float32
		octave   int
		level    int
	}
	all := octaves(thumbnail)
	var found []candidate
	for n, o := range all {
		width, height := o.levels[0].width, o.levels[0].height
		differences := make([][]float32, len(o.levels)-1)
		for s := range differences {
			differences[s] = make([]float32, width*height)
			for i, v := range o.levels[s+1].values {
				differences[s][i] = v - o.levels[s].values[i]
			}
		}
		for s := 1; s <= scales; s++ {
			for y := 1; y < height-1; y++ {
				for x := 1; x < width-1; x++ {
					i := y*width + x
					v := differences[s][i]
					if v < leastContrast && v > -leastContrast || !extreme(differences[s-1:s+2], i, width) || onEdge(differences[s], i, width) {
						continue
					}
					dx := peak(differences[s][i-1], v, differences[s][i+1])
					dy := peak(differences[s][i-width], v, differences[s][i+width])
					ds := peak(differences[s-1][i], v, differences[s+1][i])
					found = append(found, candidate{
						keypoint{
							x: (float32(x) + dx) * o.step, y: (float32(y) + dy) * o.step,
							sigma: float32(sigmaOf(float64(s)+float64(ds))) * o.step,
						}, max(v, -v), n, s,
					})
				}
			}
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(b.strength, a.strength) })
	var points []keypoint
	for _, c := range found {
		if len(points) == mostKeypoints {
			break
		}
		if code, inside := d.code(all, c.keypoint, thumbnail.width, thumbnail.height); inside {
			c.keypoint.code = code
			points = append(points, c.keypoint)
		}
	}
	return points
}

// extreme reports whether a value is the largest or the smallest of its 27 neighbours.
func extreme(differences [][]float32, i, width int) bool {
	v := differences[1][i]
	for s, d := range differences {
		for dy := -width; dy <= width; dy += width {
			for at := i + dy - 1; at <= i+dy+1; at++ {
				if s == 1 && at == i {
					continue
				}
				if v > 0 && d[at] >= v || v < 0 && d[at] <= v {
					return false
				}
			}
		}
	}
	return true
}

func onEdge(d []float32, i, width int) bool {
	xx := d[i-1] + d[i+1] - 2*d[i]
	yy := d[i-width] + d[i+width] - 2*d[i]
	xy := (d[i+width+1] - d[i+width-1] - d[i-width+1] + d[i-width-1]) / 4
	trace, determinant := xx+yy, xx*yy-xy*xy
	return determinant <= 0 || trace*trace*edgeRatio > determinant*(edgeRatio+1)*(edgeRatio+1)
}

// peak is where the parabola through three values has its extreme, from -0.5 to 0.5.
func peak(before, at, after float32) float32 {
	curve := before - 2*at + after
	if curve == 0 {
		return 0
	}
	return min(max((before-after)/(2*curve), -0.5), 0.5)
}

// code looks at a keypoint's window. Windows that leave the picture have none.
func (d *detector) code(all []octave, k keypoint, width, height int) (code uint64, inside bool) {
	reach := windowSigmas * k.sigma
	inner := float32(insideShare) * reach
	if k.x-inner < 0 || k.y-inner < 0 || k.x+inner > float32(width-1) || k.y+inner > float32(height-1) {
		return 0, false
	}
	// The level whose blur fits the distance of the samples.
	spacing := 2 * reach / windowSide
	steps := max(int(math.Round(scales*math.Log2(0.6*float64(spacing)/firstSigma))), 0)
	o := all[min(steps/scales, len(all)-1)]
	level := o.levels[steps%scales]
	var rows [windowSide][codeSide]float32
	for y := range rows {
		for x := range windowSide {
			px := (k.x - reach + (float32(x)+0.5)*spacing) / o.step
			py := (k.y - reach + (float32(y)+0.5)*spacing) / o.step
			v := level.at(min(max(px, 0), float32(level.width-1)), min(max(py, 0), float32(level.height-1)))
			for f, c := range &d.cosines[x] {
				rows[y][f] += c * v
			}
		}
	}
	for fy := range codeSide {
		for fx := range codeSide {
			sum := float32(0)
			for y := range rows {
				sum += d.cosines[y][fy] * rows[y][fx]
			}
			if sum > 0 && fx+fy > 0 {
				code |= 1 << (fy*codeSide + fx)
			}
		}
	}
	return code, true
}
