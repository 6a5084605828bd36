package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

const keySize = 32

// loadKey returns the key in path, and makes both if there is none. An empty
// path gives a key that lives as long as the process.
func loadKey(path string) ([]byte, error) {
	if path == "" {
		return newKey(), nil
	}
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = newKey()
		return key, writeKey(path, key)
	}
	if err != nil {
		return nil, err
	}
	if len(key) != keySize {
		return nil, fmt.Errorf("%s: %d bytes, a key has %d", path, len(key), keySize)
	}
	return key, nil
}

func newKey() []byte {
	key := make([]byte, keySize)
	rand.Read(key) // Never fails since Go 1.24: it ends the process instead.
	return key
}

// writeKey never replaces a file: of two processes that start at once, one
// must fail instead of encrypting under a key that the other has overwritten.
func writeKey(path string, key []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(key); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
