// Package latency summarizes measured times.
package latency

import (
	"math"
	"time"
)

// Percentile returns the nearest-rank one in microseconds: a latency that was
// really seen.
func Percentile(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*percent + 99) / 100
	return Round(float64(sorted[rank-1].Nanoseconds())/1000, 1)
}

// Round rounds to a number of decimal digits.
func Round(value float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(value*scale) / scale
}
