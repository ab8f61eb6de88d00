package runfile

import (
	"errors"
	"strconv"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"tftl/internal/yamltext"
	"tftl/pipeline"
)

// Read reads a file of runs, one YAML document. The path is used in errors, which
// are of kind pipeline.BadUsage and name the line and the column.
func Read(path string, text []byte) (File, error) {
	r := reader{File: File{Path: path}, anchors: map[string]ast.Node{}}
	document, err := yamltext.Parse(text)
	if err != nil {
		return r.File, SyntaxError(path, err)
	}
	switch n := len(document.Docs); {
	case n == 0 || n == 1 && document.Docs[0].Body == nil:
		return r.File, r.errorf(Position{}, "is empty")
	case n > 1:
		return r.File, r.errorf(Position{}, "must be one document, not %d", n)
	}
	body, err := r.resolve(document.Docs[0].Body)
	if err != nil {
		return r.File, err
	}
	top, err := r.entry(body, true)
	if err != nil {
		return r.File, err
	}
	entries := []entry{top}
	if r.runs != nil {
		entries = nil
	}
	for _, node := range r.runs {
		one, err := r.entry(node, false)
		if err != nil {
			return r.File, err
		}
		entries = append(entries, one.over(top))
	}
	for _, e := range entries {
		runs, err := r.expand(e, maxRuns-len(r.Runs))
		if err != nil {
			return r.File, err
		}
		r.Runs = append(r.Runs, runs...)
	}
	r.ungroup()
	return r.File, r.checkNames()
}

// maxRuns is the most runs of a file. Combinations multiply quickly.
const maxRuns = 10_000

// reader is a file being read.
type reader struct {
	File
	runs    []ast.Node // entries of the list; nil without a list
	anchors map[string]ast.Node
}

// entry is an entry of the list, or everything outside the list.
type entry struct {
	at            Position
	name          string
	fit, evaluate []Option
	own           []Option // options of fit in the entry itself
	matrix        *matrix  // nil if absent
	folds         *Option  // nil if absent
}

// over returns an entry of the list with defaults from outside the list.
func (e entry) over(top entry) entry {
	e.fit, e.evaluate = with(top.fit, e.fit), with(top.evaluate, e.evaluate)
	if e.matrix == nil {
		e.matrix = top.matrix
	}
	if e.folds == nil {
		e.folds = top.folds
	}
	return e
}

// entry reads an entry. top means that node is the whole document.
func (r *reader) entry(node ast.Node, top bool) (e entry, err error) {
	pairs, err := r.mapping(node)
	if err != nil {
		return e, err
	}
	e.at = position(node)
	for _, o := range pairs {
		switch {
		case o.Name == OutputKey && top:
			r.Output, err = r.text(o)
		case o.Name == RankKey && top:
			_, err = r.text(o)
			r.Rank = o
		case o.Name == RunsKey && top:
			r.runs, err = r.list(o)
		case (o.Name == OutputKey || o.Name == RankKey || o.Name == RunsKey) && !top:
			err = r.errorf(o.At, "%s: is for the whole file, not for a single run", o.Name)
		case o.Name == NameKey && !top:
			e.name, err = r.name(o)
		case o.Name == NameKey:
			err = r.errorf(o.At, "name: is for entries of the list runs; output names the folder of all runs")
		case o.Name == EvaluateKey:
			e.evaluate, err = r.mapping(o.Value)
		case o.Name == MatrixKey:
			e.matrix, err = r.matrix(o.Value)
		case o.Name == FoldsKey:
			e.folds = &o
		default:
			e.fit = append(e.fit, o)
		}
		if err != nil {
			return e, err
		}
	}
	if !top {
		e.own = e.fit
	}
	return e, nil
}

// mapping reads the keys and values of a mapping in order.
func (r *reader) mapping(node ast.Node) ([]Option, error) {
	mapping, ok := node.(ast.MapNode)
	if !ok {
		return nil, r.errorf(position(node), "must be a mapping of names to values")
	}
	var options []Option
	for pairs := mapping.MapRange(); pairs.Next(); {
		options = append(options, Option{pairs.Key().GetToken().Value, pairs.Value(), position(pairs.Key())})
	}
	return options, nil
}

// list reads a sequence that is not empty.
func (r *reader) list(o Option) ([]ast.Node, error) {
	array, ok := o.Value.(ast.ArrayNode)
	if !ok {
		return nil, r.errorf(o.At, "%s: must be a list", o.Name)
	}
	var nodes []ast.Node
	for values := array.ArrayRange(); values.Next(); {
		nodes = append(nodes, values.Value())
	}
	if len(nodes) == 0 {
		return nil, r.errorf(o.At, "%s: is empty", o.Name)
	}
	return nodes, nil
}

// resolve replaces the anchors and aliases in a node with their values. An
// anchored value cannot have an alias of itself, which would never end.
func (r *reader) resolve(node ast.Node) (_ ast.Node, err error) {
	switch n := node.(type) {
	case *ast.AnchorNode:
		value, err := r.resolve(n.Value)
		r.anchors[n.Name.GetToken().Value] = value
		return value, err
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		if value, ok := r.anchors[name]; ok {
			return value, nil
		}
		return nil, r.errorf(position(node), "*%s: there is no anchor &%s before it", name, name)
	case *ast.TagNode:
		return nil, r.errorf(position(node), "%s: tags are not allowed; quote a value to make it text", node.GetToken().Value)
	case *ast.SequenceNode:
		for i, value := range n.Values {
			if n.Values[i], err = r.resolve(value); err != nil {
				return nil, err
			}
		}
	case ast.MapNode:
		for pairs := n.MapRange(); pairs.Next(); {
			pair := pairs.KeyValue()
			if pair.Value, err = r.resolve(pair.Value); err != nil {
				return nil, err
			}
		}
	}
	return node, nil
}

// text reads a single value.
func (r *reader) text(o Option) (string, error) {
	if _, scalar := o.Value.(ast.ScalarNode); !scalar || o.Value.GetToken().Value == "" {
		return "", r.errorf(o.At, "%s: must be one value", o.Name)
	}
	return o.Value.GetToken().Value, nil
}

// number reads a whole number of least or more.
func (r *reader) number(o Option, least int) (int, error) {
	n, err := strconv.Atoi(o.Value.GetToken().Value)
	if err != nil || n < least {
		return 0, r.errorf(o.At, "%s: must be a whole number of %d or more", o.Name, least)
	}
	return n, nil
}

// SyntaxError turns an error of the YAML parser into one of kind
// pipeline.BadUsage, with line and column.
func SyntaxError(path string, err error) error {
	var bad yaml.Error
	if !errors.As(err, &bad) || bad.GetToken() == nil {
		return pipeline.Errorf(pipeline.BadUsage, "%s: %w", path, err)
	}
	at := bad.GetToken().Position
	return pipeline.Errorf(pipeline.BadUsage, "%s:%d:%d: %s", path, at.Line, at.Column, bad.GetMessage())
}

func position(node ast.Node) Position {
	if mapping, ok := node.(ast.MapNode); ok { // its own token is a colon
		if pairs := mapping.MapRange(); pairs.Next() {
			node = pairs.Key()
		}
	}
	if token := node.GetToken(); token != nil && token.Position != nil {
		return Position{token.Position.Line, token.Position.Column}
	}
	return Position{}
}
