// Command reference-plugin is the peer that claviger's plugin is measured
// against: Kubernetes' own KMS v2 server (k8s.io/kms/pkg/service) around one
// AES-256-GCM key in memory. It does the least that a plugin can do, so what
// claviger takes beyond it is the price of claviger.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/kms/pkg/service"
)

const (
	connectionTimeout = 3 * time.Second
	// The longest wait for requests in flight, well under the 30 s after which
	// a kubelet kills the pod.
	drainTimeout = 5 * time.Second
)

func main() {
	log.SetFlags(0)
	socket := flag.String("socket", "", "path of the unix socket to serve on")
	v1Socket := flag.String("v1-socket", "", "path of a second unix socket, to serve KMS v1 on with the same key")
	keyFile := flag.String("key-file", "", "file that holds the key, made if missing; without it the key dies with the process")
	transit := flag.String("transit", "", "address of an OpenBao server whose transit engine keeps the key instead; its token is in BAO_TOKEN")
	transitKey := flag.String("transit-key", "", "name of the key in the transit engine")
	flag.Parse()
	if *socket == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	svc, err := makeService(*transit, *transitKey, *keyFile)
	if err == nil {
		err = run(*socket, *v1Socket, svc)
	}
	if err != nil {
		log.Fatalf("reference-plugin: %v", err)
	}
}

func makeService(transit, transitKey, keyFile string) (service.Service, error) {
	if transit != "" {
		return newTransitService(transit, transitKey), nil
	}
	key, err := loadKey(keyFile)
	if err != nil {
		return nil, err
	}
	return newMemoryService(key)
}

func run(socket, v1Socket string, svc service.Service) error {
	if err := removeStale(socket); err != nil {
		return err
	}

	server := service.NewGRPCService(socket, connectionTimeout, svc)
	served := make(chan error, 2)
	go func() { served <- server.ListenAndServe() }()
	if v1Socket != "" {
		memory, ok := svc.(*memoryService)
		if !ok {
			return errors.New("--v1-socket needs a key in memory: leave out --transit")
		}
		v1, listener, err := newV1Server(v1Socket, memory)
		if err != nil {
			return err
		}
		go func() { served <- v1.Serve(listener) }()
		defer v1.Stop()
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}

	// Shutdown waits without bound; one request that hangs must not keep the
	// process alive.
	force := time.AfterFunc(drainTimeout, server.Close)
	defer force.Stop()
	server.Shutdown()
	return nil
}

// removeStale clears the way after a SIGKILL, which leaves the socket's file
// behind. Only a refused connection proves that nobody listens; anything else
// is left for bind to report.
func removeStale(socket string) error {
	conn, err := net.Dial("unix", socket)
	if err == nil {
		conn.Close()
		return fmt.Errorf("%s: another process listens on it", socket)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return os.Remove(socket)
	}
	return nil
}
