package main

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/kms/apis/v1beta1"
)

// v1Service speaks KMS v1 with the same key, for tests that move away from it:
// v1 wraps a data key for each object, and names no key_id.
type v1Service struct {
	v1beta1.UnimplementedKeyManagementServiceServer
	*memoryService
}

// newV1Server listens on the socket; Serve answers on the listener.
func newV1Server(socket string, memory *memoryService) (*grpc.Server, net.Listener, error) {
	if err := removeStale(socket); err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, nil, err
	}
	server := grpc.NewServer(grpc.ConnectionTimeout(connectionTimeout))
	v1beta1.RegisterKeyManagementServiceServer(server, &v1Service{memoryService: memory})
	return server, listener, nil
}

func (s *v1Service) Version(context.Context, *v1beta1.VersionRequest) (*v1beta1.VersionResponse, error) {
	return &v1beta1.VersionResponse{Version: "v1beta1", RuntimeName: "reference-plugin", RuntimeVersion: "0.1.0"}, nil
}

func (s *v1Service) Encrypt(_ context.Context, req *v1beta1.EncryptRequest) (*v1beta1.EncryptResponse, error) {
	return &v1beta1.EncryptResponse{Cipher: s.aead.Seal(nil, nil, req.Plain, nil)}, nil
}

func (s *v1Service) Decrypt(_ context.Context, req *v1beta1.DecryptRequest) (*v1beta1.DecryptResponse, error) {
	plain, err := s.aead.Open(nil, nil, req.Cipher, nil)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "cannot decrypt")
	}
	return &v1beta1.DecryptResponse{Plain: plain}, nil
}
