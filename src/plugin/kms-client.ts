import { Client, credentials, Metadata, type MethodDefinition, type ServiceError } from "@grpc/grpc-js";
import { messageOf } from "../errors.ts";
import type { DecryptRequest, EncryptRequest, EncryptResponse, StatusResponse } from "./kms-messages.ts";
import { kmsService } from "./kms-service.ts";
import { selfCheckMetadata } from "./self-check.ts";

/** The API server's default timeout for a provider. */
const DEADLINE_MILLISECONDS = 3_000;

/**
 * Calls a KMS v2 provider as an API server does, but marks its calls: the plugin must not take a self-check
 * for a sign that its API server is alive. Calls reject with grpc-js's ServiceError.
 */
export class KmsClient {
  readonly #client: Client;
  readonly #metadata: Metadata;

  /** `passesForApiServer` is for tests. */
  constructor(socket: string, { passesForApiServer = false } = {}) {
    this.#metadata = passesForApiServer ? new Metadata() : selfCheckMetadata();
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure(), {
      // A socket's path is not a valid authority; newer API servers also use localhost.
      "grpc.default_authority": "localhost",
    });
  }

  status(): Promise<StatusResponse> {
    return this.#call(kmsService.Status, {});
  }

  encrypt(request: EncryptRequest): Promise<EncryptResponse> {
    return this.#call(kmsService.Encrypt, request);
  }

  async decrypt(request: DecryptRequest): Promise<Buffer> {
    return (await this.#call(kmsService.Decrypt, request)).plaintext;
  }

  close(): void {
    this.#client.close();
  }

  #call<Request, Response>(method: MethodDefinition<Request, Response>, request: Request): Promise<Response> {
    const deadline = Date.now() + DEADLINE_MILLISECONDS;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        this.#metadata,
        { deadline },
        (error: ServiceError | null, response?: Response) => {
          if (error !== null) reject(error);
          else if (response === undefined) reject(new Error(`${method.path} answered nothing`));
          else resolve(response);
        },
      );
    });
  }
}

/**
 * Returns why a call failed, for people: if there is no connection, grpc-js hides the reason in its own
 * words.
 */
export function callFault(error: unknown): string {
  const text = messageOf(error);
  const reason = /No connection established\. Last error: (?:Error: )?(.*?)\. Resolution note:/.exec(
    text,
  )?.[1];
  if (reason === undefined) return text;
  return /ECONNREFUSED|ENOENT/.test(reason) ? `no plugin listens (${reason}): start it` : reason;
}
