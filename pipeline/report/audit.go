package report

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/audit"
	"tftl/pipeline/audit/findings"
)

// Audit is what an audit found, for people.
type Audit struct {
	Summary findings.Summary
	Rows    []findings.Row // in the order of findings.Sort
	// Examples are images of each class that show it best, by the name of the class.
	Examples map[string][]string
	// Parts are the parts of the images in Rows and Examples, and Labels their classes.
	Parts, Labels map[string]string
}

// Limits of the page.
const (
	auditCards    = 10_000 // findings that are shown
	auditPictures = 600    // images that are shown
	auditGroup    = 6      // images of a group that are shown
	auditExamples = 3      // images that a label error is compared with
)

// auditCard is one finding on the page, or one group of copies.
type auditCard struct {
	Anchor           string
	Kind             audit.Kind
	Title, Score     string
	Leak, Accepted   bool
	Label, Suggested string // of a label error
	Detail           string
	Images, Beside   []*auditImage
	MoreImages       int
	BesideTitle      string
	Classes, PartsOf string // what filters look for

	images, details, beside []string
	classes, parts          []string
}

// auditImage is an image in a card.
type auditImage struct {
	Name, Label, Part, Detail string
	Number                    int // of its picture, from 1; 0 for none
}

// cards are the findings as the page shows them: images of one group together.
func (a Audit) cards() []*auditCard {
	var cards []*auditCard
	groups := map[int]*auditCard{}
	for _, r := range a.Rows {
		if c := groups[r.Group]; r.Group > 0 && c != nil {
			c.join(r)
			continue
		}
		c := &auditCard{
			Kind: r.Kind, Leak: r.Leak, Accepted: r.Accepted, Score: fixed(r.Score, 3), Detail: r.Detail,
			images: []string{r.Image}, classes: []string{r.Label}, details: []string{""}, parts: []string{r.Part},
		}
		switch {
		case r.Group > 0:
			groups[r.Group], c.details, c.Detail = c, []string{r.Detail}, ""
		case r.Kind == audit.LabelError:
			c.Label, c.Suggested = r.Label, r.Suggested
			c.classes = append(c.classes, r.Suggested)
			c.beside = without(a.Examples[r.Suggested], r.Image, auditExamples)
			c.BesideTitle = "examples of " + shorten(r.Suggested, nameRunes)
		case len(r.Others) > 0:
			c.beside, c.BesideTitle = without(r.Others, r.Image, auditExamples), "nearest"
		}
		cards = append(cards, c)
	}
	for i, c := range cards {
		c.Anchor, c.Title = "f"+strconv.Itoa(i+1), kindTitle(c.Kind)
	}
	return cards
}

// join adds an image to a card of copies.
func (c *auditCard) join(r findings.Row) {
	c.images, c.details = append(c.images, r.Image), append(c.details, r.Detail)
	c.classes, c.parts = append(c.classes, r.Label), append(c.parts, r.Part)
	c.Leak, c.Accepted = c.Leak || r.Leak, c.Accepted && r.Accepted
	if slices.Index(audit.Kinds(), r.Kind) < slices.Index(audit.Kinds(), c.Kind) {
		c.Kind = r.Kind
	}
}

// shown are the images of the card that have room, first its own.
func (c *auditCard) shown() []string {
	return slices.Concat(c.images[:min(len(c.images), auditGroup)], c.beside)
}

// Pictured says whether the card has a picture.
func (c *auditCard) Pictured() bool {
	return slices.ContainsFunc(c.Images, func(m *auditImage) bool { return m.Number > 0 })
}

// without is the first of names, at most so many, and none of them name.
func without(names []string, name string, most int) (some []string) {
	for _, n := range names {
		if n != name && len(some) < most {
			some = append(some, n)
		}
	}
	return some
}

// Wanted lists the images that the page shows, if it gets their pictures: as many of
// each kind of finding as of the others while there are more, the worst first.
func (a Audit) Wanted() []string {
	byKind := map[audit.Kind][]*auditCard{}
	for _, c := range a.cards() {
		byKind[c.Kind] = append(byKind[c.Kind], c)
	}
	var wanted []string
	known := map[string]bool{}
	for left := true; left; {
		left = false
		for _, kind := range audit.Kinds() {
			cards := byKind[kind]
			if len(cards) == 0 {
				continue
			}
			left, byKind[kind] = true, cards[1:]
			for _, image := range cards[0].shown() {
				if !known[image] {
					known[image] = true
					wanted = append(wanted, image)
				}
			}
		}
	}
	return wanted[:min(len(wanted), auditPictures)]
}

// kindTitle is a kind in words.
func kindTitle(k audit.Kind) string {
	switch k {
	case audit.LabelError:
		return "label error"
	case audit.SamePixels:
		return "same pixels"
	case audit.NearCopy:
		return "near copy"
	case audit.OddShape:
		return "odd shape"
	}
	return string(k)
}

// HTML writes the page. pictures are JPEGs of some of the Wanted images, in order; one
// that is nil could not be made.
func (a Audit) HTML(w io.Writer, pictures [][]byte) error {
	p, err := newAuditPage(a)
	if err != nil {
		return err
	}
	numbers := p.addPictures(a.Wanted(), pictures)
	cards := a.cards()
	p.Total = len(cards)
	cards = cards[:min(len(cards), auditCards)]
	p.MoreCards = p.Total - len(cards)
	var classes []string
	for _, c := range cards {
		classes = append(classes, c.classes...)
	}
	slices.Sort(classes)
	classes = slices.DeleteFunc(slices.Compact(classes), func(s string) bool { return s == "" })
	for _, class := range classes {
		p.Classes = append(p.Classes, shorten(class, nameRunes))
	}
	for _, c := range cards {
		a.fill(c, numbers, classes)
		if !c.Pictured() {
			p.NoPicture++
		}
	}
	p.Cards = cards
	return execute(w, "audit.tmpl", p)
}

// fill completes a card for the page.
func (a Audit) fill(c *auditCard, numbers map[string]int, classes []string) {
	show := func(names []string) (images []*auditImage) {
		for _, name := range names {
			images = append(images, &auditImage{Name: display(name), Label: shorten(a.Labels[name], nameRunes), Part: partTitle(a.Parts[name]), Number: numbers[name]})
		}
		return images
	}
	c.Images = show(c.images[:min(len(c.images), auditGroup)])
	for i, m := range c.Images {
		m.Detail = printableOrEmpty(c.details[i])
	}
	c.MoreImages, c.Beside = len(c.images)-len(c.Images), show(c.beside)
	if c.Kind == audit.LabelError {
		c.Label, c.Suggested = shorten(c.Label, nameRunes), shorten(c.Suggested, nameRunes)
	}
	c.Detail = printableOrEmpty(c.Detail)
	var numbersOf []string
	for _, class := range c.classes {
		if at, ok := slices.BinarySearch(classes, class); ok {
			numbersOf = append(numbersOf, strconv.Itoa(at))
		}
	}
	c.Classes, c.PartsOf = strings.Join(unique(numbersOf), " "), strings.Join(unique(c.parts), " ")
}

func unique(words []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(words)))
}

func printableOrEmpty(text string) string {
	if text == "" {
		return ""
	}
	return display(text)
}

func partTitle(part string) string {
	if part == pipeline.ValidationPart {
		return "validation"
	}
	return part
}

// auditPage is the data of audit.tmpl.
type auditPage struct {
	Name, Subtitle   string
	Facts            []fact
	Counts, Confused grid
	Gates            grid
	Verdict          string
	Missed           bool
	Gone             []string
	MoreGone         int
	Kinds            []auditKind
	Classes          []string
	Cards            []*auditCard
	Total, MoreCards int
	NoPicture, Most  int
	LabelErrors      string
	Pictures         template.CSS
	Script           template.JS
	ScriptDigest     string
}

// auditKind is a choice of the filter by kind.
type auditKind struct {
	Kind  audit.Kind
	Title string
}

func newAuditPage(a Audit) (*auditPage, error) {
	script, err := files.ReadFile("audit.js")
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(script)

	s := a.Summary
	p := &auditPage{
		Name:     display(s.Data),
		Subtitle: fmt.Sprintf("%s of %s, judged by %s on %s", count(s.Images, "image"), count(s.Classes, "class"), count(s.Folds, "head"), display(s.Model)),
		Counts:   countsGrid(s), Confused: confusedGrid(s), LabelErrors: estimated(s), Most: auditPictures,
		Script: template.JS(script), ScriptDigest: base64.StdEncoding.EncodeToString(digest[:]),
	}
	for _, c := range s.Found {
		if c.Images > 0 {
			p.Kinds = append(p.Kinds, auditKind{c.Kind, kindTitle(c.Kind)})
		}
	}
	if len(s.Gates) > 0 {
		p.Gates, p.Verdict, p.Missed = auditGates(s.Gates)
	}
	if s.Baseline != nil {
		gone := s.Baseline.Gone
		for _, text := range gone[:min(len(gone), mostProblems)] {
			p.Gone = append(p.Gone, display(text))
		}
		p.MoreGone = len(gone) - len(p.Gone)
	}
	return p, nil
}

// addPictures puts pictures into the page's style sheet, each once, and returns their
// numbers by image.
func (p *auditPage) addPictures(names []string, pictures [][]byte) map[string]int {
	numbers := map[string]int{}
	var style strings.Builder
	for i, picture := range pictures[:min(len(pictures), len(names))] {
		if picture == nil {
			continue
		}
		numbers[names[i]] = i + 1
		fmt.Fprintf(&style, ".p%d{background-image:url(data:image/jpeg;base64,%s)}\n", i+1, base64.StdEncoding.EncodeToString(picture))
	}
	p.Pictures = template.CSS(style.String())
	return numbers
}
