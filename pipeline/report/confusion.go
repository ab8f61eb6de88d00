package report

import (
	"cmp"
	"slices"
	"strconv"

	"tftl/pipeline/metrics"
)

const (
	matrixLimit = 16 // most classes whose whole matrix is shown
	matrixPart  = 12 // classes shown of a larger one
	pairLimit   = 15 // most pairs of classes in the list
	pairImages  = 20 // most images of a pair
)

// confusion is the confusion matrix of a page.
type confusion struct {
	Columns []string // short class names
	Names   []string // full class names
	Rows    []confusionRow
	// Part is true if only the classes with the most mistakes have their own row
	// and column.
	Part  bool
	Total int // number of classes
}

type confusionRow struct {
	Name  string
	Cells []confusionCell
}

// confusionCell is the images of the row's class that were predicted as the column's.
type confusionCell struct {
	Count int
	Share string  // of the row
	Shade float64 // 0 to 1
	Right bool    // on the diagonal
	Other bool    // in the shared row or column of the other classes
}

// newConfusion lays out the matrix. If there are many classes, the most confused
// ones get a row and a column each and the others share one, so every image is
// counted.
func newConfusion(r metrics.Report) confusion {
	shown := make([]int, len(r.Classes))
	for i := range shown {
		shown[i] = i
	}
	c := confusion{Total: len(r.Classes), Part: len(r.Classes) > matrixLimit}
	if c.Part {
		shown = mostConfused(r)
	}
	place := make([]int, len(r.Classes))
	for i := range place {
		place[i] = len(shown)
	}
	for at, class := range shown {
		place[class] = at
		c.Columns = append(c.Columns, shorten(r.Classes[class].Name, shortRunes))
		c.Names = append(c.Names, shorten(r.Classes[class].Name, nameRunes))
	}
	size := len(shown)
	if c.Part {
		size++
		c.Columns, c.Names = append(c.Columns, "others"), append(c.Names, "all other classes")
	}
	counts := make([][]int, size)
	for i := range counts {
		counts[i] = make([]int, size)
	}
	for i, row := range r.ConfusionMatrix {
		for j, n := range row {
			counts[place[i]][place[j]] += n
		}
	}
	for i, row := range counts {
		sum := 0
		for _, n := range row {
			sum += n
		}
		line := confusionRow{Name: c.Names[i]}
		for j, n := range row {
			cell := confusionCell{Count: n, Share: percent(n, sum), Right: i == j, Other: i == len(shown) || j == len(shown)}
			if sum > 0 {
				cell.Shade = float64(n) / float64(sum)
			}
			line.Cells = append(line.Cells, cell)
		}
		c.Rows = append(c.Rows, line)
	}
	return c
}

// mostConfused are the classes that are most often mistaken for another or another
// for them, in class order.
func mostConfused(r metrics.Report) []int {
	mistakes := make([]int, len(r.Classes))
	all := make([]int, len(r.Classes))
	for i, row := range r.ConfusionMatrix {
		all[i] = i
		for j, n := range row {
			if i != j {
				mistakes[i] += n
				mistakes[j] += n
			}
		}
	}
	slices.SortStableFunc(all, func(a, b int) int { return cmp.Compare(mistakes[b], mistakes[a]) })
	all = all[:matrixPart]
	slices.Sort(all)
	return all
}

// confusedPairs lists which classes were predicted as which others, the most
// frequent first. more is the number of pairs left out.
func confusedPairs(r metrics.Report) (g grid, more int) {
	all := r.Confusions()
	g = grid{Caption: "Most confused pairs", Words: 2, Header: []string{"true class", "predicted", "images", "of", "share"}}
	for _, p := range all[:min(len(all), pairLimit)] {
		of := r.Classes[p.Label].Support
		g.Rows = append(g.Rows, []string{
			shorten(r.Classes[p.Label].Name, nameRunes), shorten(r.Classes[p.Predicted].Name, nameRunes),
			strconv.Itoa(p.Count), strconv.Itoa(of), percent(p.Count, of),
		})
	}
	return g, max(len(all)-pairLimit, 0)
}

// pair is two confused classes and their images.
type pair struct {
	Label, Predicted string
	Count, Of        int
	Share            string
	Images           []pairImage // those with a picture first
	More             int         // images that are not listed
}

// pairImage is an image of a pair.
type pairImage struct {
	Name   string
	Anchor string // of its picture in the page; empty: it has none
}

// pairs lists the most confused pairs with their images, as far as these are known:
// from the predictions, or else from the pictures alone.
func pairs(c contents, pictures []shownPicture) (all []pair, more int) {
	r := *c.evaluation
	images := metrics.Images{}
	if c.table != nil {
		images = c.table.Confused(r.Decision)
	}
	confusions := r.Confusions()
	for _, found := range confusions[:min(len(confusions), pairLimit)] {
		label, predicted := r.Classes[found.Label], r.Classes[found.Predicted]
		p := pair{
			Label: shorten(label.Name, nameRunes), Predicted: shorten(predicted.Name, nameRunes),
			Count: found.Count, Of: label.Support, Share: percent(found.Count, label.Support),
		}
		seen := map[string]bool{}
		for _, s := range pictures {
			if s.Picture.Label == label.Name && s.Picture.Predicted == predicted.Name && !seen[s.Picture.ID] {
				p.Images = append(p.Images, pairImage{s.Name, s.Anchor})
				seen[s.Picture.ID] = true
			}
		}
		for _, id := range images[[2]string{label.Name, predicted.Name}] {
			if !seen[id] {
				p.Images = append(p.Images, pairImage{Name: display(id)})
			}
		}
		p.Images = p.Images[:min(len(p.Images), pairImages)]
		p.More = found.Count - len(p.Images)
		all = append(all, p)
	}
	return all, max(len(confusions)-pairLimit, 0)
}
