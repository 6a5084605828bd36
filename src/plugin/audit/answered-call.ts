import { codeOf } from "../../errors.ts";
import { grpcError } from "../grpc-status.ts";
import type { Operation } from "../metrics.ts";
import type { Provider } from "../provider.ts";
import { MAX_UID_LENGTH, type SocketCall } from "./socket-call.ts";

/** A call that was answered. */
export interface AnsweredCall {
  readonly provider: Pick<Provider, "name" | "versionOf">;
  readonly operation: Operation;
  readonly request: object;
  /** The error that was thrown, if any. */
  readonly error: unknown;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** Returns what a record has of a call, without its payload; undefined for Status, which has no record. */
export function socketCall({
  provider,
  operation,
  request,
  error,
  at,
}: AnsweredCall): SocketCall | undefined {
  if (operation === "Status") return undefined;
  const ciphertext = "ciphertext" in request ? request.ciphertext : undefined;
  return {
    provider: provider.name,
    operation,
    uid: uidOf(request),
    at,
    version: provider.versionOf(ciphertext instanceof Uint8Array ? ciphertext : undefined),
    error: error === undefined ? undefined : { code: codeOf(error), message: grpcError(error).details },
  };
}

/** A part of a longer uid would keep all of it in memory. */
function uidOf(request: object): string {
  const uid = "uid" in request ? String(request.uid) : "";
  return uid.length <= MAX_UID_LENGTH ? uid : `${uid.length} characters`;
}
