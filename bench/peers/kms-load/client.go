package main

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	// requestTimeout is the API server's default for a provider.
	requestTimeout = 3 * time.Second
	pollInterval   = 2 * time.Millisecond
)

// connect makes one HTTP/2 connection. The passthrough target and the dialer
// are how the API server reaches the socket; the dialer alone knows the path,
// so that :authority is free to differ from it.
func connect(socket, authority string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithAuthority(authority),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", socket)
		}),
		// As the API server: a request during a restart waits for the new
		// plugin within its deadline, and so shows as latency, not as error.
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
		// The default first retry comes after a second, too coarse to time a
		// start or a restart with.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: pollInterval, Multiplier: 1, MaxDelay: pollInterval},
			MinConnectTimeout: requestTimeout,
		}),
	)
}
