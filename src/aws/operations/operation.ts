import type { Action } from "../../access/actions.ts";
import type { Asked } from "../../access/decide-access.ts";
import type { EncryptionContext } from "../../crypto/context.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import type { Draft } from "../audit/draft.ts";
import type { Caller } from "../caller.ts";
import type { AwsKeys } from "../keys/aws-keys.ts";

/** A request that is authenticated, and whose input the service model has accepted. */
export interface Request<I> {
  /** The request id, which the answer carries too. */
  readonly id: string;
  readonly caller: Caller;
  readonly input: I;
  /** The time of the request, in epoch milliseconds. */
  readonly now: number;
  readonly origin?: Origin;
  /** The facts for the record of the request, if there is an audit log. */
  readonly draft?: Draft | undefined;
}

/** The connection by which a request came. */
export interface Origin {
  /** The IP address of the client, or of the proxy before it; absent if it has gone. */
  readonly address?: string | undefined;
  /** True if it came by TLS. */
  readonly isSecure: boolean;
}

/** A permission that a request needs. */
export interface Need extends Pick<Asked, "proposed" | "target"> {
  readonly action: Action;
  /** The key that the action is done with; absent if the action concerns the caller's whole account. */
  readonly key?: KeyRow;
  /** The encryption context of the action. */
  readonly context?: EncryptionContext;
}

/** Does what a request asks for, after everything about it was checked. */
export type Work<O> = () => O | Promise<O>;

/** The members that all requests with a dry run share. */
export interface DryRunInput {
  readonly DryRun?: boolean;
}

/** An operation of AWS KMS. `I` and `O` have the members of the service model; blobs are Buffers, times Dates. */
export interface Operation<I, O> {
  /** Returns the permissions that the request needs. Throws NotFoundException if there is no such key. */
  needs(request: Request<I>, keys: AwsKeys): readonly Need[];
  /**
   * Checks everything that the work depends on: the key's state and usage, the algorithm, the lengths, the
   * ciphertext. Returns the work. A dry run ends before the work is done. The keys that names of the request mean
   * are found before it waits for anything, because they were allowed at this moment.
   */
  prepare(request: Request<I>, keys: AwsKeys): Work<O> | Promise<Work<O>>;
}
