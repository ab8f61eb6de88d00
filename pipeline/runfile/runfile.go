// Package runfile reads the YAML file of "tftl run" and expands it into a list of
// runs, each with a name and options.
//
// Here an option is only a name with a value and a position in the file. The
// commands decide whether the option exists and the value is valid. Nothing is
// run here.
package runfile

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"

	"tftl/pipeline"
)

// The keys of a file that are not options of a command.
const (
	OutputKey   = "output"   // folder of the runs
	RankKey     = "rank"     // metric that ranks the runs
	RunsKey     = "runs"     // list of runs; each overrides what is outside the list
	NameKey     = "name"     // name of an entry of the list
	EvaluateKey = "evaluate" // options of tftl evaluate
	MatrixKey   = "matrix"   // lists of values; every combination is a run
	IncludeKey  = "include"  // in a matrix: more runs
	FoldsKey    = "folds"    // number of folds of a manifest; each is the test part of one run
)

// FoldOption is the option that holds out one fold, SeedOption the one whose values
// make repetitions of the same setting.
const (
	FoldOption = "fold"
	SeedOption = "seed"
)

// File is a file of runs.
type File struct {
	Path   string // as it was given, for errors
	Output string // empty if absent
	Rank   Option // zero if absent
	Runs   []Run  // in the order of the file, at least one
}

// Run is one run of a file.
type Run struct {
	// Name says what varies. It is a path below the output folder, with forward
	// slashes.
	Name string
	// Group is shared by the seeds and the folds of one setting: Name without them.
	Group string
	Folds int    // of Group; 0 without folds
	Seed  string // if Group has several; empty if it has one
	// Fit and Evaluate are the options of these commands, each at most once.
	Fit, Evaluate []Option
	At            Position
}

// Option is an option in a file.
type Option struct {
	Name  string
	Value ast.Node
	At    Position // of its name
}

// ValueAt returns the position of an option's value. If the value is not in the
// file, it is the position of the key that led to it.
func (o Option) ValueAt() Position {
	if at := position(o.Value); at != (Position{}) && o.Name != FoldOption {
		return at
	}
	return o.At
}

// Position is a place in a file; its zero value is unknown.
type Position struct{ Line, Column int }

// At adds the place to an error: FILE:LINE:COLUMN. It keeps kind and hint.
func (f File) At(p Position, err error) error {
	if p == (Position{}) {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return fmt.Errorf("%s:%d:%d: %w", f.Path, p.Line, p.Column, err)
}

func (f File) errorf(p Position, format string, args ...any) error {
	return f.At(p, pipeline.Errorf(pipeline.BadUsage, format, args...))
}

// with returns the options of under and over. Those of over replace those of
// under with the same name.
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
