package report

import (
	"bytes"
	"fmt"
	"html/template"
	"math"
	"regexp"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// tint is a colour by purpose. The style sheet defines it for light and dark
// pages and for paper: colours drawn here become CSS variables of the same name.
type tint uint8

const (
	inkTint   tint = iota + 1 // text
	axisTint                  // axes
	gridTint                  // grid lines
	faintTint                 // reference lines and less important data
	firstTint                 // data
	secondTint
	thirdTint
	fourthTint
	fillTint // areas of data
)

// tintStep is the distance between tints as shades of grey.
const tintStep = 16

// RGBA implements color.Color.
func (t tint) RGBA() (r, g, b, a uint32) {
	v := uint32(t) * tintStep * 0x101
	return v, v, v, 0xffff
}

func (t tint) variable() string {
	return "var(--" + [...]string{"", "ink", "axis", "grid", "faint", "s1", "s2", "s3", "s4", "fill"}[t] + ")"
}

// render draws a plot as an <svg> for a page. It has no fixed size, and its text
// uses the page's font.
func render(p *plot.Plot, width, height vg.Length, id, name, description string) (template.HTML, error) {
	canvas := vgsvg.New(width, height)
	p.Draw(draw.Crop(draw.New(canvas), 0, -8, 0, -8)) // room for lines on the edge
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return "", fmt.Errorf("draw %s: %w", id, err)
	}
	_, drawn, found := bytes.Cut(out.Bytes(), []byte("\n<g"))
	if !found {
		return "", fmt.Errorf("draw %s: the plot library's SVG format has changed", id)
	}
	drawn = regexp.MustCompile(`font-family:[^;"]*;font-variant:[^;"]*;font-weight:[^;"]*;font-style:[^;"]*;`).ReplaceAll(drawn, nil)
	drawn = regexp.MustCompile(`#([0-9A-F]{2})[0-9A-F]{4}`).ReplaceAllFunc(drawn, func(hex []byte) []byte {
		shade, err := strconv.ParseUint(string(hex[1:3]), 16, 8)
		if err != nil {
			return hex
		}
		return []byte(tint(math.Round(float64(shade) / tintStep)).variable()) // the library may be off by one
	})
	head := fmt.Sprintf(`<svg viewBox="0 0 %g %g" role="img" aria-labelledby="%s-title %s-desc">`+
		`<title id="%[3]s-title">%[5]s</title><desc id="%[3]s-desc">%[6]s</desc>`+"\n<g",
		width.Points(), height.Points(), id, id, template.HTMLEscapeString(name), template.HTMLEscapeString(description))
	return template.HTML(head + string(drawn)), nil
}
