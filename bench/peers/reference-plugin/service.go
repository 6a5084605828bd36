package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/kms/pkg/service"
)

// memoryService answers from one key. Ciphertexts are a random 12-byte nonce,
// the encrypted bytes and a 16-byte tag, as cipher.NewGCMWithRandomNonce lays
// them out.
type memoryService struct {
	aead  cipher.AEAD
	keyID string
}

var _ service.Service = (*memoryService)(nil)

func newMemoryService(key []byte) (*memoryService, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &memoryService{aead: aead, keyID: keyID(key)}, nil
}

// keyID may be public: a hash says nothing of 32 random bytes, and the prefix
// keeps it from being the hash that some other program makes of the same key.
func keyID(key []byte) string {
	sum := sha256.Sum256(append([]byte("claviger reference-plugin key_id\x00"), key...))
	return hex.EncodeToString(sum[:])
}

func (s *memoryService) Status(context.Context) (*service.StatusResponse, error) {
	return &service.StatusResponse{Version: "v2", Healthz: "ok", KeyID: s.keyID}, nil
}

func (s *memoryService) Encrypt(_ context.Context, _ string, plaintext []byte) (*service.EncryptResponse, error) {
	return &service.EncryptResponse{Ciphertext: s.aead.Seal(nil, nil, plaintext, nil), KeyID: s.keyID}, nil
}

func (s *memoryService) Decrypt(_ context.Context, _ string, req *service.DecryptRequest) ([]byte, error) {
	if req.KeyID != s.keyID {
		return nil, status.Error(codes.FailedPrecondition, "unknown key_id")
	}
	if len(req.Annotations) > 0 {
		return nil, status.Error(codes.InvalidArgument, "this plugin makes no annotations")
	}
	plaintext, err := s.aead.Open(nil, nil, req.Ciphertext, nil)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "cannot decrypt")
	}
	return plaintext, nil
}
