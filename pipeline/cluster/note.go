package cluster

import (
	"context"
	"encoding/json"
	"errors"

	"tftl/pipeline"
)

// note is what a task writes about itself. A task is alive as long as its note changes.
type note struct {
	Process string   `json:"process"` // random, so that a task which was started again is told from before
	Beat    int      `json:"beat"`
	State   state    `json:"state,omitempty"`
	Because *because `json:"because,omitempty"` // it or the cluster ends; nil for no error
	Over    bool     `json:"over,omitempty"`    // it knows that the cluster ends, and why
}

// state is what a task is at.
type state string

// The states. The chief's say how the cluster is.
const (
	waiting  state = ""         // for others to come
	together state = "together" // all are there
	asking   state = "asking"   // was interrupted, and asks the chief to stop
	stopping state = "stopping" // of the chief: everyone ends, for the reason it gives
	ended    state = "ended"
)

// because says why a cluster ends, in a form that all its processes understand.
type because struct {
	Task        int           `json:"task"` // of which it is the error
	Kind        pipeline.Kind `json:"kind"`
	Text        string        `json:"text"`
	Interrupted bool          `json:"interrupted,omitempty"`
}

// reason puts an error of a task into that form.
func reason(task int, err error) *because {
	var said *told
	if errors.As(err, &said) {
		return said.because
	}
	text := pipeline.ErrorText(err, func(o pipeline.Option) string { return o.String() })
	return &because{Task: task, Kind: pipeline.KindOf(err), Text: text, Interrupted: errors.Is(err, context.Canceled)}
}

// told is an error that another task has told.
type told struct {
	*because
	name string
}

func (t *told) Error() string {
	switch {
	case t.Interrupted:
		return t.name + ": " + context.Canceled.Error()
	case t.Text == "":
		return t.name
	}
	return t.name + ": " + t.Text
}

func (t *told) Is(target error) bool { return t.Interrupted && target == context.Canceled }

// err is the reason as an error in another task.
func (b *because) err(name string) error {
	t := &told{b, name}
	if b.Interrupted {
		return t
	}
	return pipeline.Errorf(b.Kind, "%w", t)
}

func (n note) encode() []byte {
	text, err := json.Marshal(n)
	if err != nil { // it has only strings and numbers
		return nil
	}
	return text
}

// readNote reads a note. A bad one is as good as none.
func readNote(text []byte) (n note, ok bool) {
	if len(text) == 0 || json.Unmarshal(text, &n) != nil {
		return note{}, false
	}
	return n, n.Process != ""
}
