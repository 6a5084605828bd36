// Command aws-load sends signed requests to an AWS KMS API over connections
// that stay open, and prints one line of JSON. The requests are made before:
// signing them costs nothing while it measures.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"time"
)

type options struct {
	address     string
	ca          string
	file        string
	connections int
	seconds     float64
	warmup      int
	rate        float64
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("aws-load: ")
	var opts options
	flag.StringVar(&opts.address, "address", "", "`HOST:PORT` of the API")
	flag.StringVar(&opts.ca, "ca", "", "`file` with the certificate to trust; without it the API speaks plain HTTP")
	flag.StringVar(&opts.file, "requests", "", "`file` with a JSON list of whole HTTP requests, which are sent in turn")
	flag.IntVar(&opts.connections, "connections", 1, "connections, each with one request in flight")
	flag.Float64Var(&opts.seconds, "seconds", 5, "how long to measure")
	flag.IntVar(&opts.warmup, "warmup", 20, "requests on each connection before the measurement")
	flag.Float64Var(&opts.rate, "rate", 0, "requests a second over all connections, whether answers come or not; 0 sends the next after each answer")
	flag.Parse()
	if err := opts.check(); err != nil {
		fmt.Fprintln(flag.CommandLine.Output(), err)
		flag.Usage()
		os.Exit(2)
	}
	result, err := load(opts)
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
	case o.address == "" || o.file == "":
		return errors.New("--address and --requests are needed")
	case o.connections < 1 || o.warmup < 0 || o.rate < 0:
		return errors.New("--connections must be at least 1; --warmup and --rate cannot be negative")
	case o.seconds <= 0:
		return errors.New("--seconds must be positive")
	}
	return nil
}

func (o options) duration() time.Duration {
	return time.Duration(o.seconds * float64(time.Second))
}

// interval is the time between two requests of one connection; 0 if each
// follows the answer to the last one.
func (o options) interval() time.Duration {
	if o.rate == 0 {
		return 0
	}
	return time.Duration(float64(o.connections) / o.rate * float64(time.Second))
}
