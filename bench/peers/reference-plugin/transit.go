package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/kms/pkg/service"
)

// transitService calls the transit engine of an OpenBao or Vault server for
// each Encrypt and Decrypt, as a plugin does whose keys are kept elsewhere.
type transitService struct {
	url    string
	key    string
	token  string
	client *http.Client
}

var _ service.Service = (*transitService)(nil)

// newTransitService takes the server's address, http://HOST:PORT, and the name
// of a key of the engine mounted at transit/. The token is in BAO_TOKEN.
func newTransitService(address, key string) *transitService {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	return &transitService{
		url:    address + "/v1/transit/",
		key:    key,
		token:  os.Getenv("BAO_TOKEN"),
		client: &http.Client{Transport: transport, Timeout: 3 * time.Second},
	}
}

func (s *transitService) Status(context.Context) (*service.StatusResponse, error) {
	return &service.StatusResponse{Version: "v2", Healthz: "ok", KeyID: s.key}, nil
}

func (s *transitService) Encrypt(ctx context.Context, _ string, plaintext []byte) (*service.EncryptResponse, error) {
	answer, err := s.call(ctx, "encrypt", map[string]string{"plaintext": base64.StdEncoding.EncodeToString(plaintext)})
	if err != nil {
		return nil, err
	}
	return &service.EncryptResponse{Ciphertext: []byte(answer["ciphertext"]), KeyID: s.key}, nil
}

func (s *transitService) Decrypt(ctx context.Context, _ string, req *service.DecryptRequest) ([]byte, error) {
	answer, err := s.call(ctx, "decrypt", map[string]string{"ciphertext": string(req.Ciphertext)})
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(answer["plaintext"])
}

// call posts one request to the engine and returns the texts of its answer's data.
func (s *transitService) call(ctx context.Context, operation string, body map[string]string) (map[string]string, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+operation+"/"+s.key, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Vault-Token", s.token)
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	if resp.StatusCode != http.StatusOK {
		return nil, status.Error(codes.Unavailable, fmt.Sprintf("%s: %s", operation, resp.Status))
	}
	var parsed struct {
		Data map[string]any `json:"data"`
	}
	if err := json.Unmarshal(answer, &parsed); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	texts := map[string]string{}
	for name, value := range parsed.Data {
		if text, ok := value.(string); ok {
			texts[name] = text
		}
	}
	return texts, nil
}
