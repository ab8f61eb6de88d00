package csvrows

import "strings"

// formula are the first characters by which a spreadsheet takes a field for a formula,
// or drops them and looks at the next.
const formula = "=+-@\t\r\n"

// Inert keeps a spreadsheet from running a name as a formula: it puts a ' in front of
// one that begins like a formula. A name that begins with ' and goes on like one
// gets another ', so that Plain undoes it exactly.
func Inert(name string) string {
	if begins(name) {
		return "'" + name
	}
	return name
}

// Plain undoes Inert.
func Plain(field string) string {
	if rest, ok := strings.CutPrefix(field, "'"); ok && begins(rest) {
		return rest
	}
	return field
}

// begins reports whether a name begins like a formula, not counting ' in front.
func begins(name string) bool {
	name = strings.TrimLeft(name, "'")
	return name != "" && strings.IndexByte(formula, name[0]) >= 0
}
