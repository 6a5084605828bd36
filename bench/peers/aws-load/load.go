package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

var throttling = []byte("ThrottlingException")

type worker struct {
	connection connection
	requests   [][]byte
	// next is the place of the next request, other for each worker.
	next      int
	latencies []time.Duration
	shed      []time.Duration
	errors    int
	// skipped counts the requests that were due while another was in flight.
	skipped int
	failure error
}

func load(opts options) (*report, error) {
	requests, err := readRequests(opts.file)
	if err != nil {
		return nil, err
	}
	config, err := trust(opts)
	if err != nil {
		return nil, err
	}
	workers := make([]*worker, opts.connections)
	for i := range workers {
		workers[i] = &worker{
			connection: connection{address: opts.address, tls: config},
			requests:   requests,
			next:       i * len(requests) / opts.connections,
		}
		defer workers[i].connection.close()
	}
	if err := prepare(workers, opts.warmup); err != nil {
		return nil, err
	}
	cpu := cpuTime()
	begun := time.Now()
	end := begun.Add(opts.duration())
	interval := opts.interval()
	each(workers, func(i int, w *worker) {
		if interval == 0 {
			w.closedLoop(end)
		} else {
			w.paced(begun.Add(interval*time.Duration(i)/time.Duration(len(workers))), interval, end)
		}
	})
	elapsed := time.Since(begun)
	return summarize(workers, opts, elapsed, cpuTime()-cpu)
}

// prepare warms up every connection, all at once as in the measurement.
func prepare(workers []*worker, warmup int) error {
	each(workers, func(_ int, w *worker) {
		for n := 0; n < warmup && w.failure == nil; n++ {
			w.once()
		}
		w.latencies, w.shed = nil, nil
	})
	for _, w := range workers {
		if w.failure != nil {
			return w.failure
		}
	}
	return nil
}

// closedLoop sends the next request when it has the answer to the last one.
func (w *worker) closedLoop(end time.Time) {
	for time.Now().Before(end) {
		w.once()
	}
}

// paced sends at fixed times, and skips those at which another request is still
// in flight.
func (w *worker) paced(due time.Time, interval time.Duration, end time.Time) {
	for due.Before(end) {
		time.Sleep(time.Until(due))
		w.once()
		due = due.Add(interval)
		for now := time.Now(); due.Before(now) && due.Before(end); due = due.Add(interval) {
			w.skipped++
		}
	}
}

func (w *worker) once() {
	request := w.requests[w.next%len(w.requests)]
	w.next++
	begun := time.Now()
	got, err := w.connection.send(request)
	latency := time.Since(begun)
	switch {
	case err == nil && got.status == 200:
		w.latencies = append(w.latencies, latency)
	case err == nil && bytes.Contains(got.body, throttling):
		w.shed = append(w.shed, latency)
	default:
		w.errors++
		if err == nil {
			err = fmt.Errorf("answer %d: %.300s", got.status, got.body)
		}
		if w.failure == nil {
			w.failure = err
		}
	}
}

func readRequests(file string) ([][]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var texts []string
	if err := json.Unmarshal(text, &texts); err != nil {
		return nil, err
	}
	if len(texts) == 0 {
		return nil, errors.New("no requests")
	}
	requests := make([][]byte, len(texts))
	for i, text := range texts {
		requests[i] = []byte(text)
	}
	return requests, nil
}

func trust(opts options) (*tls.Config, error) {
	if opts.ca == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(opts.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", opts.ca)
	}
	return &tls.Config{RootCAs: roots, ServerName: "localhost"}, nil
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func each(workers []*worker, do func(int, *worker)) {
	var group sync.WaitGroup
	for i, w := range workers {
		group.Go(func() { do(i, w) })
	}
	group.Wait()
}
