// Package yamltext parses YAML that people write: of a limited size and nesting, and
// with a limited number of values once aliases are replaced. The parser of goccy
// trusts its input: nesting and keys take the square of their number, and aliases of
// aliases grow exponentially.
package yamltext

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The limits. Files of runs have some hundred values.
const (
	// MaxBytes is the most bytes of a text.
	MaxBytes  = 256 << 10
	maxTokens = 30_000
	maxDepth  = 64
	maxValues = 30_000 // with a copy for each alias
)

// Parse parses a text. Aliases stay as they are, but it is safe to replace them:
// none is inside its own anchor.
func Parse(text []byte) (*ast.File, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("has %d bytes, more than the limit of %d", len(text), MaxBytes)
	}
	tokens := lexer.Tokenize(string(text))
	if n := len(tokens); n > maxTokens {
		return nil, at(tokens[maxTokens], "has more than %d words and signs, the limit", maxTokens)
	}
	if err := checkDepth(tokens); err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, err
	}
	c := counter{anchors: map[string]int{}}
	for _, document := range file.Docs {
		if _, err := c.count(document.Body); err != nil {
			return nil, err
		}
	}
	return file, nil
}

// mistake is an error at a place in a text, as yaml.Error.
type mistake struct {
	at      *token.Token
	message string
}

func at(place *token.Token, format string, args ...any) error {
	return mistake{place, fmt.Sprintf(format, args...)}
}

func (m mistake) GetToken() *token.Token { return m.at }
func (m mistake) GetMessage() string     { return m.message }
func (m mistake) Error() string {
	return fmt.Sprintf("[%d:%d] %s", m.at.Position.Line, m.at.Position.Column, m.message)
}

// FormatError implements yaml.Error.
func (m mistake) FormatError(_, _ bool) string { return m.Error() }

// checkDepth bounds the nesting: by indentation, by brackets, and by signs in front of
// a value on the same line.
func checkDepth(tokens token.Tokens) error {
	var columns []int // of the lines around
	brackets, signs, line := 0, 0, 0
	for _, t := range tokens {
		if at := t.Position; brackets == 0 && at.Line != line {
			line, signs = at.Line, 0
			columns = slices.DeleteFunc(columns, func(column int) bool { return column >= at.Column })
			columns = append(columns, at.Column)
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets = max(brackets-1, 0)
		case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType, token.AnchorType, token.TagType:
			if brackets == 0 {
				signs++
			}
		}
		if len(columns)+brackets+signs > maxDepth {
			return at(t, "is nested more than %d levels deep, the limit", maxDepth)
		}
	}
	return nil
}

// counter counts values.
type counter struct {
	anchors map[string]int // values of each anchor; -1 inside it
	total   int
}

// count returns the number of values in a node. It is at most twice the limit, so sums
// do not overflow.
func (c *counter) count(node ast.Node) (n int, err error) {
	n = 1
	add := func(child ast.Node) {
		if err == nil {
			var more int
			more, err = c.count(child)
			n += more
		}
	}
	switch node := node.(type) {
	case *ast.AnchorNode:
		name := node.Name.GetToken().Value
		c.anchors[name] = -1
		add(node.Value)
		c.anchors[name] = n
	case *ast.AliasNode:
		name := node.Value.GetToken().Value
		copied := c.anchors[name]
		if copied < 0 {
			return n, at(node.GetToken(), "*%s is inside &%[1]s, so it would never end", name)
		}
		n += copied
		c.total += copied
	case *ast.TagNode:
		add(node.Value)
	case *ast.MappingKeyNode:
		add(node.Value)
	case *ast.SequenceNode:
		for _, value := range node.Values {
			add(value)
		}
	case ast.MapNode:
		for pairs := node.MapRange(); pairs.Next(); {
			add(pairs.Key())
			add(pairs.Value())
		}
	}
	if c.total++; err == nil && c.total > maxValues {
		err = at(node.GetToken(), "has more than %d values, the limit, if each alias is replaced by what it stands for", maxValues)
	}
	return n, err
}
