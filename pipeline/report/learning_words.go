package report

import (
	"fmt"

	"tftl/internal/printable"
	"tftl/pipeline/curve"
)

// legend says what the columns of intervals are.
func (c LearningCurve) legend() string {
	return fmt.Sprintf("Intervals are 95%%. Here: what one head will have on the %s of this data. In general: what it will have on all images of this kind, of which these are a sample.",
		count(c.Found.Images, "validation image"))
}

// sentences say what the curve means.
func (c LearningCurve) sentences() []string {
	list := []string{c.verdict()}
	if c.Found.Worse {
		list = append(list, "Heads with all images are worse than heads with fewer, by more than chance. Look for wrong labels, for copies in several parts, and for a learning rate that is too high.")
	}
	list = append(list, c.classSentences()...)
	left := 0
	for _, h := range c.Found.Heads {
		if h.Diverged {
			left++
		}
	}
	if left > 0 {
		list = append(list, fmt.Sprintf("Left out, because training diverged: %s of %d.", count(left, "head"), len(c.Found.Heads)))
	}
	return list
}

// verdict says whether more images help.
func (c LearningCurve) verdict() string {
	r := c.Found
	rise := fmt.Sprintf("with four times as many, the %s should rise by %s (%s)", c.metric(), fixed(r.Gain, 3), interval(r.Interval[0], r.Interval[1]))
	switch {
	case r.Verdict == curve.Helps:
		return fmt.Sprintf("More photographs help: %s.", rise)
	case r.Verdict == curve.Flat && r.Now.Value == 1:
		return fmt.Sprintf("Every one of the %s is right already, so more photographs change nothing that can be seen here. Validate with more of them, or with harder ones.", count(r.Images, "validation image"))
	case r.Verdict == curve.Flat:
		return fmt.Sprintf("More photographs of this kind will not help: %s. Fine-tune deeper, or use another network.", rise)
	}
	return fmt.Sprintf("It is not clear whether more photographs help: %s. More validation images or more seeds would tell.", rise)
}

// classSentences say which class gains most, and of which nothing is known.
func (c LearningCurve) classSentences() (list []string) {
	var few []string
	known := 0
	for _, class := range c.Found.Classes {
		switch {
		case class.Recall == nil:
			few = append(few, shorten(class.Name, nameRunes/2))
		case class.Name == c.Found.MostGain:
			r := class.Recall
			list = append(list, fmt.Sprintf("The class that gains most is %s: its recall is %s now, and should be %s with twice as many images (here %s).",
				shorten(class.Name, nameRunes), fixed(r.Now, 3), fixed(r.Twice.Value, 3), interval(r.Twice.Here[0], r.Twice.Here[1])))
			known++
		default:
			known++
		}
	}
	if len(list) == 0 && known > 1 {
		list = append(list, "Which class would gain most cannot be told from the noise.")
	}
	if len(few) > 0 {
		list = append(list, fmt.Sprintf("Too few validation images to say anything about: %s.", printable.Few(few)))
	}
	return list
}
