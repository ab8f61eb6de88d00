package printable

import (
	"math"
	"strconv"
)

// Bytes is a size as an option takes it, such as 5.1GB. It is rounded up, so that
// what needs n bytes fits in it.
func Bytes(n int64) string {
	unit, scale := "B", 1.0
	for _, next := range []string{"KB", "MB", "GB", "TB"} {
		if float64(n) < 1000*scale {
			break
		}
		unit, scale = next, 1000*scale
	}
	tenths := math.Ceil(float64(n) * 10 / scale)
	if int64(tenths/10*scale) < n {
		tenths++
	}
	return strconv.FormatFloat(tenths/10, 'f', -1, 64) + unit
}
