package main

import (
	"slices"
	"time"

	"claviger.dev/bench/peers/latency"
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
		Seconds:     latency.Round(elapsed.Seconds(), 3),
		RPS:         latency.Round(float64(len(latencies))/elapsed.Seconds(), 1),
		P50:         latency.Percentile(latencies, 50),
		P90:         latency.Percentile(latencies, 90),
		P99:         latency.Percentile(latencies, 99),
		Max:         latency.Percentile(latencies, 100),
	}
}
