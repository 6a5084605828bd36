// Command kms-load drives a KMS v2 plugin as an API server does, with
// grpc-go's client over a unix socket, and prints one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"
)

// started is set before main, hence about when the process starts.
var started = time.Now()

type options struct {
	socket      string
	authority   string
	op          string
	connections int
	budget      budget
	warmup      int
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("kms-load: ")
	var opts options
	var wait bool
	var seal, open string
	flag.StringVar(&opts.socket, "socket", "", "path of the plugin's unix socket")
	flag.StringVar(&opts.authority, "authority", "localhost", "`value` of :authority; older API servers send the socket's path")
	flag.StringVar(&opts.op, "op", "status", "status, encrypt or decrypt")
	flag.IntVar(&opts.connections, "connections", 1, "connections, each with one request in flight")
	flag.Float64Var(&opts.budget.seconds, "seconds", 5, "how long to measure")
	flag.IntVar(&opts.budget.requests, "requests", 0, "how many requests to measure in all, in place of --seconds")
	flag.IntVar(&opts.warmup, "warmup", 100, "requests on each connection before the measurement; with 0, the first one measured also connects")
	flag.BoolVar(&wait, "wait", false, "wait for the first good Status and Encrypt, and measure only that")
	flag.StringVar(&seal, "seal", "", "have --requests distinct seeds sealed, and write them to this `file`")
	flag.StringVar(&open, "open", "", "wait as --wait does, and have all seeds of this `file` opened, ten at a time on one connection")
	flag.Parse()
	if err := opts.check(); err != nil {
		fmt.Fprintln(flag.CommandLine.Output(), err)
		flag.Usage()
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var result any
	var err error
	switch {
	case wait:
		result, err = waitUntilReady(ctx, opts.socket, opts.authority)
	case seal != "":
		result, err = sealSeeds(ctx, opts.socket, opts.authority, seal, opts.budget.requests)
	case open != "":
		result, err = openSeeds(ctx, opts.socket, opts.authority, open)
	default:
		result, err = load(ctx, opts)
	}
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}

func (o options) check() error {
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	case o.socket == "":
		return errors.New("--socket is missing")
	case o.connections < 1:
		return errors.New("--connections must be at least 1")
	case o.budget.requests < 0 || o.warmup < 0:
		return errors.New("--requests and --warmup cannot be negative")
	case o.budget.requests == 0 && o.budget.seconds <= 0:
		return errors.New("--seconds must be positive")
	}
	return nil
}
