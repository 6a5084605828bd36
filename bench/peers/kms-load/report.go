package main

import (
	"math"
	"slices"
	"time"
)

// report counts a failed request as one, but leaves its latency out: an error
// that comes fast must not look like a fast plugin.
type report struct {
	Op          string  `json:"op"`
	Connections int     `json:"connections"`
	Requests    int     `json:"requests"`
	Errors      int     `json:"errors"`
	Seconds     float64 `json:"seconds"`
	RPS         float64 `json:"rps"`
	P50         float64 `json:"p50_us"`
	P90         float64 `json:"p90_us"`
	P99         float64 `json:"p99_us"`
	Max         float64 `json:"max_us"`
}

func summarize(opts options, workers []*worker, elapsed time.Duration) *report {
	var latencies []time.Duration
	failed := 0
	for _, w := range workers {
		latencies = append(latencies, w.latencies...)
		failed += w.errors
	}
	slices.Sort(latencies)
	return &report{
		Op:          opts.op,
		Connections: opts.connections,
		Requests:    len(latencies) + failed,
		Errors:      failed,
		Seconds:     round(elapsed.Seconds(), 3),
		RPS:         round(float64(len(latencies))/elapsed.Seconds(), 1),
		P50:         percentile(latencies, 50),
		P90:         percentile(latencies, 90),
		P99:         percentile(latencies, 99),
		Max:         percentile(latencies, 100),
	}
}

// percentile is the nearest-rank one: a latency that was really seen.
func percentile(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*percent + 99) / 100
	return round(float64(sorted[rank-1].Nanoseconds())/1000, 1)
}

func round(value float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(value*scale) / scale
}
