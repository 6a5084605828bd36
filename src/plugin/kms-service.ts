import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import {
  type Codec,
  type DecryptRequest,
  type DecryptResponse,
  decryptRequest,
  decryptResponse,
  type EncryptRequest,
  type EncryptResponse,
  encryptRequest,
  encryptResponse,
  type StatusResponse,
  statusRequest,
  statusResponse,
} from "./kms-messages.ts";

/** Defines a unary method, for a server and for a client. */
export function unary<Request, Response>(
  path: string,
  request: Codec<Request>,
  response: Codec<Response>,
): MethodDefinition<Request, Response> {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: request.encode,
    requestDeserialize: request.decode,
    responseSerialize: response.encode,
    responseDeserialize: response.decode,
  };
}

export interface KmsService extends ServiceDefinition {
  readonly Status: MethodDefinition<object, StatusResponse>;
  readonly Encrypt: MethodDefinition<EncryptRequest, EncryptResponse>;
  readonly Decrypt: MethodDefinition<DecryptRequest, DecryptResponse>;
}

/** v2.KeyManagementService of proto/kms-v2.proto. */
export const kmsService: KmsService = {
  Status: unary("/v2.KeyManagementService/Status", statusRequest, statusResponse),
  Encrypt: unary("/v2.KeyManagementService/Encrypt", encryptRequest, encryptResponse),
  Decrypt: unary("/v2.KeyManagementService/Decrypt", decryptRequest, decryptResponse),
};
