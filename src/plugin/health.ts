import type {
  MethodDefinition,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  sendUnaryData,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import { asText, readFields, stringField, varintField } from "../protobuf.ts";
import type { Codec } from "./kms-messages.ts";
import { unary } from "./kms-service.ts";

/**
 * grpc.health.v1.Health (the gRPC Health Checking Protocol), which the kubelet's gRPC probes use. Known
 * services: "" and "v2.KeyManagementService".
 */
interface HealthRequest {
  readonly service: string;
}
interface HealthResponse {
  readonly status: number;
}

const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;
const SERVICES = new Set(["", "v2.KeyManagementService"]);

const healthRequest: Codec<HealthRequest> = {
  encode: (message) => Buffer.concat(stringField(1, message.service)),
  decode: (bytes) => {
    let service = "";
    readFields(bytes, (field, value) => {
      if (field === 1) service = asText(value);
    });
    return { service };
  },
};

const healthResponse: Codec<HealthResponse> = {
  encode: (message) => Buffer.concat(varintField(1, message.status)),
  decode: (bytes) => {
    let code = 0;
    readFields(bytes, (field, value) => {
      if (field === 1 && typeof value === "number") code = value;
    });
    return { status: code };
  },
};

export interface HealthService extends ServiceDefinition {
  readonly Check: MethodDefinition<HealthRequest, HealthResponse>;
  readonly Watch: MethodDefinition<HealthRequest, HealthResponse>;
}

export const healthService: HealthService = {
  Check: unary("/grpc.health.v1.Health/Check", healthRequest, healthResponse),
  Watch: { ...unary("/grpc.health.v1.Health/Watch", healthRequest, healthResponse), responseStream: true },
};

/** Reports if a provider can encrypt, to callers and to watchers. */
export class Health {
  readonly #isServing: () => boolean;
  readonly #watchers = new Set<ServerWritableStream<HealthRequest, HealthResponse>>();
  /** Watchers of unknown services, who get no further messages. */
  readonly #strangers = new Set<ServerWritableStream<HealthRequest, HealthResponse>>();
  #told: number | undefined;

  constructor(isServing: () => boolean) {
    this.#isServing = isServing;
  }

  implementation(): UntypedServiceImplementation {
    return {
      Check: (call: ServerUnaryCall<HealthRequest, HealthResponse>, reply: sendUnaryData<HealthResponse>) => {
        if (SERVICES.has(call.request.service)) reply(null, { status: this.#status() });
        else reply({ code: status.NOT_FOUND, details: "unknown service" });
      },
      Watch: (call: ServerWritableStream<HealthRequest, HealthResponse>) => {
        const known = SERVICES.has(call.request.service);
        const watchers = known ? this.#watchers : this.#strangers;
        call.write({ status: known ? this.#status() : SERVICE_UNKNOWN });
        watchers.add(call);
        call.once("cancelled", () => watchers.delete(call));
      },
    };
  }

  /** Sends the answer to the watchers, if it has changed. */
  refresh(): void {
    const now = this.#status();
    if (now === this.#told) return;
    this.#told = now;
    for (const watcher of this.#watchers) watcher.write({ status: now });
  }

  /** A watch never ends by itself, so a server that stops ends all watches. */
  close(): void {
    for (const watchers of [this.#watchers, this.#strangers]) {
      for (const watcher of watchers) watcher.end();
      watchers.clear();
    }
  }

  #status(): number {
    return this.#isServing() ? SERVING : NOT_SERVING;
  }
}
