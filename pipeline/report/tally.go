package report

import (
	"fmt"
	"slices"

	"tftl/pipeline"
)

// Tally reports the images that cannot be classified, and counts them. Warn and
// Fault print a warning and an error that does not end the command.
type Tally struct {
	Skip  bool // leave them out
	Alone bool // perhaps there is only one image
	Warn  func(format string, args ...any)
	Fault func(error)

	images int   // all of them
	bad    int   // those that cannot be classified
	first  error // of the first of them
	held   bool  // first is not reported yet
}

// Count returns the outcomes to write: those that have an answer, and unless Skip
// is set also the others.
func (t *Tally) Count(outcomes []pipeline.Outcome) []pipeline.Outcome {
	for _, o := range outcomes {
		t.images++
		t.Tell()
		if o.Err == nil {
			continue
		}
		t.bad++
		switch {
		case t.first == nil && t.Skip:
			t.first = fmt.Errorf("%s: %s", o.Sample.ID, o.Reason())
		case t.first == nil:
			t.first, t.held = o.Err, t.Alone && t.images == 1
		}
		switch {
		case t.Skip:
			t.Warn("image %s is skipped: %s", o.Sample.ID, o.Reason())
		case !t.held:
			t.Fault(o.Err)
		}
	}
	if t.Skip {
		outcomes = slices.DeleteFunc(outcomes, func(o pipeline.Outcome) bool { return o.Err != nil })
	}
	return outcomes
}

// Tell reports the first image if that is still to be done, because it may be the
// only one and then its error is that of the command. Call it before another error
// ends the command.
func (t *Tally) Tell() {
	if t.held {
		t.Fault(t.first)
	}
	t.held = false
}

// Err is the error of the command, or nil if it did what it was asked for. That of
// the only image is the image's own.
func (t *Tally) Err() error {
	switch {
	case t.bad == 0, t.Skip && t.bad < t.images:
		return nil
	case t.Skip:
		return pipeline.Errorf(pipeline.BadData, "no image is left: all %d are bad; the first is %w", t.bad, t.first)
	case t.held:
		return t.first
	}
	err := pipeline.Errorf(pipeline.BadData, "%d of %d images could not be classified", t.bad, t.images)
	if hint := pipeline.HintOf(t.first); !hint.Empty() {
		err = pipeline.WithHint(err, "%s", hint)
	}
	return err
}
