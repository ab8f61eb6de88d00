package printable

import (
	"fmt"
	"slices"
	"strings"
)

// Few lists words for a message: the first few of many, and how many more there are.
func Few(words []string) string {
	const most = 5
	if len(words) > most {
		words = append(slices.Clone(words[:most]), fmt.Sprintf("and %d more", len(words)-most))
	}
	return strings.Join(words, "; ")
}
