import { join } from "node:path";
import {
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { loadSync, type MethodDefinition, type ServiceDefinition } from "@grpc/proto-loader";
import { expect } from "vitest";
import { eventually } from "../controlplane/wait.ts";

/** Only ends a call that hangs. */
const DEADLINE_MILLISECONDS = 60_000;

// Not claviger's own codec: this client sends and reads protobufjs' view of the contract.
const protos = loadSync(
  [join(import.meta.dirname, "..", "..", "proto", "kms-v2.proto"), join(import.meta.dirname, "health.proto")],
  {
    keepCase: true,
    defaults: true,
    enums: String,
  },
);

function methodOf(service: string, method: string): MethodDefinition<object, object> {
  const found = (protos[service] as ServiceDefinition | undefined)?.[method];
  if (found === undefined) throw new Error(`no ${service}/${method} in the protos`);
  return found;
}

export interface StatusAnswer {
  readonly version: string;
  readonly healthz: string;
  readonly key_id: string;
}
export interface EncryptAnswer {
  readonly ciphertext: Buffer;
  readonly key_id: string;
  readonly annotations: Readonly<Record<string, Buffer>>;
}
export interface DecryptRequest {
  readonly ciphertext: Uint8Array;
  readonly key_id: string;
  readonly uid?: string;
  readonly annotations?: Readonly<Record<string, Buffer>>;
}

/** A KMS v2 and health client of one socket, with its own connection. */
export class KmsTestClient {
  readonly #client: Client;

  /** `target` is a socket's path, or a gRPC address. */
  constructor(target: string) {
    this.#client = new Client(
      target.startsWith("/") ? `unix:${target}` : target,
      credentials.createInsecure(),
      {
        // Otherwise the back-off of one client would delay another.
        "grpc.use_local_subchannel_pool": 1,
        "grpc.initial_reconnect_backoff_ms": 100,
        "grpc.max_reconnect_backoff_ms": 500,
        "grpc.max_send_message_length": -1,
      },
    );
  }

  status(): Promise<StatusAnswer> {
    return this.#unary<StatusAnswer>("v2.KeyManagementService", "Status", {});
  }

  encrypt(plaintext: Uint8Array, uid = "test"): Promise<EncryptAnswer> {
    return this.#unary<EncryptAnswer>("v2.KeyManagementService", "Encrypt", { plaintext, uid });
  }

  async decrypt(request: DecryptRequest): Promise<Buffer> {
    const full = { uid: "test", ...request };
    return (await this.#unary<{ plaintext: Buffer }>("v2.KeyManagementService", "Decrypt", full)).plaintext;
  }

  async health(service: string): Promise<string> {
    return (await this.#unary<{ status: string }>("grpc.health.v1.Health", "Check", { service })).status;
  }

  /** Returns the answers to a watcher, a list that grows. Ends with `cancel`. */
  watchHealth(service: string): { readonly seen: readonly string[]; cancel(): void } {
    const { path, requestSerialize, responseDeserialize } = methodOf("grpc.health.v1.Health", "Watch");
    const call: ClientReadableStream<object> = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { service },
    );
    const seen: string[] = [];
    call.on("data", (message: { status: string }) => seen.push(message.status));
    call.on("error", () => undefined);
    return { seen, cancel: () => call.cancel() };
  }

  /** Sends bytes as a request message, whatever they are, and returns the bytes of the answer. */
  raw(path: string, message: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
        message,
        { deadline: Date.now() + DEADLINE_MILLISECONDS },
        answer(resolve, reject),
      );
    });
  }

  close(): void {
    this.#client.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #unary<Response extends object>(service: string, name: string, request: object): Promise<Response> {
    const method = methodOf(service, name);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        (bytes) => method.responseDeserialize(bytes) as Response,
        request,
        new Metadata(),
        { deadline: Date.now() + DEADLINE_MILLISECONDS },
        answer(resolve, reject),
      );
    });
  }
}

function answer<Response>(resolve: (response: Response) => void, reject: (error: Error) => void) {
  return (error: ServiceError | null, response?: Response) => {
    if (error !== null) reject(error);
    else if (response === undefined) reject(new Error("neither an answer nor an error"));
    else resolve(response);
  };
}

/** An encrypted seed, and its plaintext. */
export interface Sealed {
  readonly plaintext: Buffer;
  readonly ciphertext: Buffer;
  readonly key_id: string;
}

export async function encryptSeed(client: KmsTestClient, plaintext: Buffer): Promise<Sealed> {
  const { ciphertext, key_id } = await client.encrypt(plaintext);
  return { plaintext, ciphertext, key_id };
}

export async function expectOpens(client: KmsTestClient, sealed: Sealed): Promise<void> {
  expect(await client.decrypt(sealed)).toEqual(sealed.plaintext);
}

/** Waits until a call is refused with this code and text. */
export async function eventuallyRefused(
  call: () => Promise<unknown>,
  code: status,
  details: RegExp,
): Promise<void> {
  let last = "nothing yet";
  try {
    await eventually(`it is refused with ${status[code]} ${details}`, async () => {
      const error = await call().then(() => undefined, asServiceError);
      last = error === undefined ? "it was answered" : `${status[error.code]} ${error.details}`;
      return error?.code === code && details.test(error.details);
    });
  } catch (cause) {
    throw new Error(`the last answer was: ${last}`, { cause });
  }
}

/** Expects a refusal with this code and text now. */
export async function expectRefused(call: Promise<unknown>, code: status, details: RegExp): Promise<void> {
  await expect(call).rejects.toMatchObject({ code, details: expect.stringMatching(details) });
}

/** Returns the outcome of a call, as `OK` or a gRPC code's name. */
export function outcomeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "OK",
    (error: unknown) => status[asServiceError(error).code],
  );
}

/** Returns the code's name and the text of a refusal. */
export async function answerTo(call: Promise<unknown>): Promise<string> {
  const { code, details } = await call.then(() => {
    throw new Error("it was answered");
  }, asServiceError);
  return `${status[code]} ${details}`;
}

function asServiceError(error: unknown): ServiceError {
  if (error instanceof Error && "code" in error && "details" in error) return error as ServiceError;
  throw error;
}
