import type { ObservationRow, VersionRow } from "../../../keyring/rows.ts";
import type { KeyRef } from "../../../names.ts";
import type { KeyServerStatus } from "../../../resources/schemas/key-server.ts";
import type { SocketScope } from "../../../storage/scope.ts";
import type { ApiServerState } from "../decide-api-server.ts";
import type { SilentSocket } from "../socket-watch.ts";
import type { Listable } from "./listed-versions.ts";

/** The findings of this node's operator after updating its keyring. */
export interface ObservedNode {
  readonly before: KeyServerStatus | undefined;
  readonly nodeUid: string | undefined;
  readonly persistedResourceVersion: string;
  readonly versions: readonly VersionRow[];
  /** Candidates for promotion that are stored, opened and tested here. */
  readonly prepared: readonly Listable[];
  /** Destroyed versions that are erased here. */
  readonly erased?: readonly Listable[];
  /** Problems of this node. The first problem for which others must wait is shown, otherwise the first. */
  readonly problems: readonly { readonly reason: string; readonly message: string }[];
  readonly seal: { readonly provider: string; readonly rootKeyId: string } | undefined;
  readonly providers: readonly {
    readonly name: string;
    readonly socket: string;
    readonly ref: KeyRef;
    readonly allowImported?: boolean;
    /** The resources that the node's EncryptionConfiguration assigns to the socket, if they are known. */
    readonly scope?: SocketScope;
    /** When that file was last edited, in epoch milliseconds. */
    readonly editedAt?: number;
    /** True if the API server uses it; undefined if it does not report its file. */
    readonly takenUp?: boolean;
  }[];
  readonly observations: readonly ObservationRow[];
  /** The providers' sockets on which no plugin answers. */
  readonly silent?: readonly SilentSocket[];
  /** The API server's report about itself; undefined if nobody asks it. */
  readonly apiServer?: ApiServerState;
}

export type ProviderStatus = NonNullable<KeyServerStatus["providers"]>[number];
