// Package runfile spells out a file of runs: what varies, and what each run is
// asked for and called. It is the reading half of "tftl run".
//
// The options themselves are the commands' own: here they are names with a
// value and a place in the file, and whether there are such options, and such
// values of them, is for the commands to say. Nothing is run here.
package runfile

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"

	"tftl/pipeline"
)

// The keys of a batch that are not options of a command.
const (
	OutputKey   = "output"   // folder of the runs
	RankKey     = "rank"     // figure that the runs are ranked by
	RunsKey     = "runs"     // a list, each over what stands outside it
	NameKey     = "name"     // of one of the list
	EvaluateKey = "evaluate" // options of the other command
	MatrixKey   = "matrix"   // lists of values, every combination of which is a run
	IncludeKey  = "include"  // in a matrix: further runs
	FoldsKey    = "folds"    // how many folds of a manifest are each tested on
)

// FoldOption is the option that holds one fold out.
const FoldOption = "fold"

// File is a batch.
type File struct {
	Path   string // as it was given, for errors
	Output string // empty where the file does not say
	Rank   Option // zero likewise
	Runs   []Run  // in the order of the file, one at least
}

// Run is one run of a batch.
type Run struct {
	// Name is what varies, a path below the batch's folder with forward slashes.
	Name string
	// Group is what the folds of one run have in common: Name without the fold.
	Group string
	Folds int // of Group; 0 without folds
	// Fit and Evaluate are the commands' options, each once.
	Fit, Evaluate []Option
	At            Position
}

// Option is an option as the file has it.
type Option struct {
	Name  string
	Value ast.Node
	At    Position // of its name
}

// ValueAt is where an option's value stands; of one that is not in the file,
// where the name does that it follows from.
func (o Option) ValueAt() Position {
	if at := position(o.Value); at != (Position{}) && o.Name != FoldOption {
		return at
	}
	return o.At
}

// Position is a place in a file; the zero Position is none.
type Position struct{ Line, Column int }

// At names the place of an error: FILE:LINE:COLUMN. Kind and hint stay.
func (f File) At(p Position, err error) error {
	if p == (Position{}) {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return fmt.Errorf("%s:%d:%d: %w", f.Path, p.Line, p.Column, err)
}

func (f File) errorf(p Position, format string, args ...any) error {
	return f.At(p, pipeline.Errorf(pipeline.BadUsage, format, args...))
}

// with is options under others, which take the place of those of their name.
func with(under, over []Option) []Option {
	merged := make([]Option, 0, len(under)+len(over))
	replaced := map[string]bool{}
	for _, o := range over {
		replaced[o.Name] = true
	}
	for _, o := range under {
		if !replaced[o.Name] {
			merged = append(merged, o)
		}
	}
	return append(merged, over...)
}
