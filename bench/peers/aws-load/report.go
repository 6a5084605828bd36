package main

import (
	"log"
	"slices"
	"time"

	"claviger.dev/bench/peers/latency"
)

// report counts a failed or shed request as one, but leaves its latency out of
// those of the others: an error that comes fast must not look like a fast API.
type report struct {
	Requests int     `json:"requests"`
	Errors   int     `json:"errors"`
	Shed     int     `json:"shed"`
	Skipped  int     `json:"skipped"`
	Seconds  float64 `json:"seconds"`
	RPS      float64 `json:"rps"`
	P50      float64 `json:"p50_us"`
	P99      float64 `json:"p99_us"`
	Max      float64 `json:"max_us"`
	ShedP99  float64 `json:"shed_p99_us"`
	// CPU is the time of this client for a request.
	CPU float64 `json:"cpu_us"`
}

func summarize(workers []*worker, opts options, elapsed, cpu time.Duration) (*report, error) {
	var good, shed []time.Duration
	failed, skipped := 0, 0
	for _, w := range workers {
		good = append(good, w.latencies...)
		shed = append(shed, w.shed...)
		failed += w.errors
		skipped += w.skipped
		if w.failure != nil && failed == w.errors {
			log.Printf("first error: %v", w.failure)
		}
	}
	slices.Sort(good)
	slices.Sort(shed)
	requests := len(good) + len(shed) + failed
	return &report{
		Requests: requests,
		Errors:   failed,
		Shed:     len(shed),
		Skipped:  skipped,
		Seconds:  latency.Round(elapsed.Seconds(), 3),
		RPS:      latency.Round(float64(len(good))/elapsed.Seconds(), 1),
		P50:      latency.Percentile(good, 50),
		P99:      latency.Percentile(good, 99),
		Max:      latency.Percentile(good, 100),
		ShedP99:  latency.Percentile(shed, 99),
		CPU:      latency.Round(float64(cpu.Microseconds())/float64(max(requests, 1)), 1),
	}, nil
}
