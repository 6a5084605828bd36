package main

import (
	"context"
	"fmt"
	"time"

	kmsapi "k8s.io/kms/apis/v2"
)

const waitTimeout = 30 * time.Second

// readiness carries both clocks: whoever starts the plugin after kms-load
// needs the wall clock to subtract its own start from.
type readiness struct {
	Op       string  `json:"op"`
	Millis   float64 `json:"ms"`
	UnixTime float64 `json:"unix_ms"`
}

// waitUntilReady waits for what an API server needs before it serves Secrets:
// one good Status and one good Encrypt.
func waitUntilReady(ctx context.Context, socket, authority string) (*readiness, error) {
	conn, err := connect(socket, authority)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	client := kmsapi.NewKeyManagementServiceClient(conn)

	if err := untilReady(ctx, client); err != nil {
		return nil, err
	}
	return ready("wait"), nil
}

func untilReady(ctx context.Context, client kmsapi.KeyManagementServiceClient) error {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	for {
		err := statusAndEncrypt(ctx, client)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready after %v: %w", time.Since(started).Round(time.Millisecond), err)
		case <-time.After(pollInterval):
		}
	}
}

func statusAndEncrypt(ctx context.Context, client kmsapi.KeyManagementServiceClient) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := checkStatus(ctx, client, 0); err != nil {
		return err
	}
	_, err := encryptSeed(ctx, client, 0)
	return err
}

func millis(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
