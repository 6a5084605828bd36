package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	kmsapi "k8s.io/kms/apis/v2"
)

// inFlight is the number of Decrypts that an API server has under way at once
// when it reads stored objects of many seeds.
const inFlight = 10

// storedSeed is a sealed seed as it lies in a file between two lives of a plugin.
type storedSeed struct {
	Plaintext   []byte            `json:"plaintext"`
	Ciphertext  []byte            `json:"ciphertext"`
	KeyID       string            `json:"key_id"`
	Annotations map[string][]byte `json:"annotations"`
}

// sealSeeds has distinct seeds sealed and writes them to a file.
func sealSeeds(ctx context.Context, socket, authority, file string, count int) (*readiness, error) {
	conn, err := connect(socket, authority)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	client := kmsapi.NewKeyManagementServiceClient(conn)
	seeds := make([]storedSeed, count)
	for n := range seeds {
		sealed, err := encryptSeed(ctx, client, n)
		if err != nil {
			return nil, err
		}
		request := sealed.request
		seeds[n] = storedSeed{sealed.plaintext, request.Ciphertext, request.KeyId, request.Annotations}
	}
	text, err := json.Marshal(seeds)
	if err != nil {
		return nil, err
	}
	return ready("seal"), os.WriteFile(file, text, 0o600)
}

// openSeeds does what an API server does at its start: it waits for a good
// Status and Encrypt, and has each seed opened, ten at a time on one connection.
func openSeeds(ctx context.Context, socket, authority, file string) (*readiness, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var seeds []storedSeed
	if err := json.Unmarshal(text, &seeds); err != nil {
		return nil, err
	}
	conn, err := connect(socket, authority)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	client := kmsapi.NewKeyManagementServiceClient(conn)
	if err := untilReady(ctx, client); err != nil {
		return nil, err
	}
	if err := openAll(ctx, client, seeds); err != nil {
		return nil, err
	}
	return ready("open"), nil
}

func openAll(ctx context.Context, client kmsapi.KeyManagementServiceClient, seeds []storedSeed) error {
	var next atomic.Int64
	ended := make(chan error, inFlight)
	work := func() error {
		for {
			n := int(next.Add(1)) - 1
			if n >= len(seeds) {
				return nil
			}
			if err := seeds[n].open(ctx, client, n); err != nil {
				return err
			}
		}
	}
	for range inFlight {
		go func() { ended <- work() }()
	}
	for range inFlight {
		if err := <-ended; err != nil {
			return err
		}
	}
	return nil
}

func (s storedSeed) open(ctx context.Context, client kmsapi.KeyManagementServiceClient, n int) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answer, err := client.Decrypt(ctx, &kmsapi.DecryptRequest{
		Ciphertext:  s.Ciphertext,
		KeyId:       s.KeyID,
		Annotations: s.Annotations,
		Uid:         uid(n),
	})
	if err != nil {
		return fmt.Errorf("seed %d: %w", n, err)
	}
	if !bytes.Equal(answer.Plaintext, s.Plaintext) {
		return errors.New("WRONG PLAINTEXT from Decrypt")
	}
	return nil
}

// ready tells by both clocks that op is done.
func ready(op string) *readiness {
	now := time.Now()
	return &readiness{
		Op:       op,
		Millis:   millis(now.Sub(started)),
		UnixTime: float64(now.UnixMicro()) / 1000,
	}
}
