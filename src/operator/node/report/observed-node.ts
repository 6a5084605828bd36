import type { ObservationRow, VersionRow } from "../../../keyring/rows.ts";
import type { KeyRef } from "../../../names.ts";
import type { KeyServerStatus } from "../../../resources/schemas/key-server.ts";
import type { SocketScope } from "../../../storage/scope.ts";
import type { ApiServerState } from "../decide-api-server.ts";
import type { SilentSocket } from "../socket-watch.ts";
import type { Listable } from "./listed-versions.ts";

/** What this node's operator found after bringing its keyring in step. */
export interface ObservedNode {
  readonly before: KeyServerStatus | undefined;
  readonly nodeUid: string | undefined;
  readonly persistedResourceVersion: string;
  readonly versions: readonly VersionRow[];
  /** Candidates for promotion that are stored, opened and tested here. */
  readonly prepared: readonly Listable[];
  /** Destroyed versions of which nothing is left here. */
  readonly erased?: readonly Listable[];
  /** Why something of this node does not work; the first that others must wait for is shown, else the first. */
  readonly problems: readonly { readonly reason: string; readonly message: string }[];
  readonly seal: { readonly provider: string; readonly rootKeyId: string } | undefined;
  readonly providers: readonly {
    readonly name: string;
    readonly socket: string;
    readonly ref: KeyRef;
    readonly allowImported?: boolean;
    /** What the node's EncryptionConfiguration puts on the socket, where it is known. */
    readonly scope?: SocketScope;
    /** When that file was last edited, in epoch milliseconds. */
    readonly editedAt?: number;
    /** Whether the API server uses it; undefined if it does not tell. */
    readonly takenUp?: boolean;
  }[];
  readonly observations: readonly ObservationRow[];
  /** Those of the providers' sockets on which no plugin listens. */
  readonly silent?: readonly SilentSocket[];
  /** What the API server says of itself; undefined if nobody asks it. */
  readonly apiServer?: ApiServerState;
}

export type ProviderStatus = NonNullable<KeyServerStatus["providers"]>[number];
