package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	kmsapi "k8s.io/kms/apis/v2"
)

const (
	// seedSize is the size of the DEK seed, the only plaintext that an API
	// server sends.
	seedSize = 32
	// distinctSeeds keeps a plugin from answering every Decrypt out of the
	// state that the last one left.
	distinctSeeds = 64
)

// operation sends the n-th request of a connection and checks its answer.
type operation func(ctx context.Context, client kmsapi.KeyManagementServiceClient, n int) error

func newOperation(ctx context.Context, client kmsapi.KeyManagementServiceClient, name string) (operation, error) {
	switch name {
	case "status":
		return checkStatus, nil
	case "encrypt":
		return func(ctx context.Context, client kmsapi.KeyManagementServiceClient, n int) error {
			_, err := encryptSeed(ctx, client, n)
			return err
		}, nil
	case "decrypt":
		return newDecrypt(ctx, client)
	}
	return nil, fmt.Errorf("--op %q: want status, encrypt or decrypt", name)
}

func checkStatus(ctx context.Context, client kmsapi.KeyManagementServiceClient, _ int) error {
	status, err := client.Status(ctx, &kmsapi.StatusRequest{})
	if err != nil {
		return err
	}
	if status.Version != "v2" || status.Healthz != "ok" || status.KeyId == "" {
		return fmt.Errorf("bad Status: version %q, healthz %q, key_id %q", status.Version, status.Healthz, status.KeyId)
	}
	return nil
}

type sealedSeed struct {
	plaintext []byte
	request   *kmsapi.DecryptRequest
}

func encryptSeed(ctx context.Context, client kmsapi.KeyManagementServiceClient, n int) (*sealedSeed, error) {
	plaintext := make([]byte, seedSize)
	rand.Read(plaintext)
	answer, err := client.Encrypt(ctx, &kmsapi.EncryptRequest{Plaintext: plaintext, Uid: uid(n)})
	if err != nil {
		return nil, err
	}
	if len(answer.Ciphertext) == 0 || answer.KeyId == "" {
		return nil, errors.New("bad Encrypt: ciphertext or key_id is empty")
	}
	return &sealedSeed{plaintext, &kmsapi.DecryptRequest{
		Ciphertext:  answer.Ciphertext,
		KeyId:       answer.KeyId,
		Annotations: answer.Annotations,
		Uid:         uid(n),
	}}, nil
}

func newDecrypt(ctx context.Context, client kmsapi.KeyManagementServiceClient) (operation, error) {
	seeds := make([]*sealedSeed, distinctSeeds)
	for n := range seeds {
		seed, err := encryptSeed(ctx, client, n)
		if err != nil {
			return nil, fmt.Errorf("encrypt before decrypt: %w", err)
		}
		seeds[n] = seed
	}
	return func(ctx context.Context, client kmsapi.KeyManagementServiceClient, n int) error {
		seed := seeds[n%len(seeds)]
		answer, err := client.Decrypt(ctx, seed.request)
		if err != nil {
			return err
		}
		if !bytes.Equal(answer.Plaintext, seed.plaintext) {
			return errors.New("WRONG PLAINTEXT from Decrypt")
		}
		return nil
	}, nil
}

// uid has the length of the UUID that an API server sends.
func uid(n int) string {
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", n)
}
