package main

import (
	"context"
	"log"
	"sync"
	"sync/atomic"
	"time"

	kmsapi "k8s.io/kms/apis/v2"
)

// budget ends a measurement after a number of requests if there is one, and
// else after a time.
type budget struct {
	seconds  float64
	requests int
}

// share is the part of the budget's requests that one of several connections
// sends; the first ones take what does not divide.
func (b budget) share(connection, connections int) int {
	share := b.requests / connections
	if connection < b.requests%connections {
		share++
	}
	return share
}

type worker struct {
	client    kmsapi.KeyManagementServiceClient
	operation operation
	requests  int
	latencies []time.Duration
	errors    int
	failure   error
}

// load closes the loop: a connection sends its next request when it has the
// answer to the last one.
func load(ctx context.Context, opts options) (*report, error) {
	workers := make([]*worker, opts.connections)
	for i := range workers {
		// grpc-go never shares a transport between two of these, so that each
		// is a socket of its own.
		conn, err := connect(opts.socket, opts.authority)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		workers[i] = &worker{
			client:   kmsapi.NewKeyManagementServiceClient(conn),
			requests: opts.budget.share(i, opts.connections),
		}
	}
	if err := prepare(ctx, workers, opts); err != nil {
		return nil, err
	}

	var over atomic.Bool
	if opts.budget.requests == 0 {
		timer := time.AfterFunc(time.Duration(opts.budget.seconds*float64(time.Second)), func() { over.Store(true) })
		defer timer.Stop()
	}
	begun := time.Now()
	each(workers, func(w *worker) { w.measure(ctx, opts.budget.requests > 0, &over) })
	elapsed := time.Since(begun)

	for _, w := range workers {
		if w.failure != nil {
			log.Printf("first error: %v", w.failure)
			break
		}
	}
	return summarize(opts, workers, elapsed), nil
}

// prepare warms up every connection, all at once as in the measurement.
func prepare(ctx context.Context, workers []*worker, opts options) error {
	each(workers, func(w *worker) {
		setup, cancel := context.WithTimeout(ctx, distinctSeeds*requestTimeout)
		defer cancel()
		w.operation, w.failure = newOperation(setup, w.client, opts.op)
		for n := 0; n < opts.warmup && w.failure == nil; n++ {
			_, w.failure = w.once(ctx, n)
		}
	})
	for _, w := range workers {
		if w.failure != nil {
			return w.failure
		}
	}
	return nil
}

func (w *worker) measure(ctx context.Context, counted bool, over *atomic.Bool) {
	for n := 0; ctx.Err() == nil && !over.Load() && !(counted && n == w.requests); n++ {
		latency, err := w.once(ctx, n)
		if err == nil {
			w.latencies = append(w.latencies, latency)
			continue
		}
		w.errors++
		if w.failure == nil {
			w.failure = err
		}
	}
}

func (w *worker) once(ctx context.Context, n int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	begun := time.Now()
	err := w.operation(ctx, w.client, n)
	return time.Since(begun), err
}

func each(workers []*worker, do func(*worker)) {
	var group sync.WaitGroup
	for _, w := range workers {
		group.Go(func() { do(w) })
	}
	group.Wait()
}
