import type { ObservationRow } from "../../keyring/rows.ts";
import { type ErasurePlan, erasedHere } from "../../operator/node/decide-erasure.ts";
import { decideKeyServerStatus } from "../../operator/node/report/decide-key-server.ts";
import { listable } from "../../operator/node/report/listed-versions.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import { promotionCandidate } from "../../resources/versions.ts";
import type { SocketScope } from "../../storage/scope.ts";
import { rfc3339 } from "../../times.ts";
import type { Etcd } from "./etcd.ts";
import { type FileName, scopeIn } from "./files.ts";
import type { ModelKeyring } from "./model-keyring.ts";
import { SOCKETS } from "./model-socket.ts";

/** The parts of a node that its report is made of. */
interface Reporter {
  readonly keyring: ModelKeyring;
  readonly problems: ErasurePlan["problems"];
  readonly apiServer: { readonly file: FileName | undefined };
  readonly file: FileName;
  readonly editedAt: number;
  readonly tells: boolean;
  readonly isLying: boolean;
}

/** Returns the status that a node's operator reports. */
export function statusOf(
  node: Reporter,
  {
    seen,
    before,
    looked,
  }: {
    readonly seen: Etcd;
    readonly before: KeyServerStatus | undefined;
    readonly looked: readonly ObservationRow[];
  },
  now: Date,
): KeyServerStatus {
  const { versions } = node.keyring;
  const candidates = seen.masterKeys.flatMap((key) => promotionCandidate(key, seen.versions) ?? []);
  const tombstones = [...node.keyring.tombstones.values()];
  const prepared = candidates.filter(({ spec }) => versions.has(spec.versionId));
  const status = decideKeyServerStatus(
    {
      before,
      nodeUid: undefined,
      persistedResourceVersion: "1",
      // Newest first, so that the served version is found soonest.
      versions: [...versions.values()].reverse(),
      prepared: prepared.map(listable),
      erased: erasedHere(tombstones, seen.versions),
      problems: node.problems,
      seal: undefined,
      providers: SOCKETS.map((socket) => ({
        ...socket,
        scope: scopeOf(node, socket.name, before),
        editedAt: node.editedAt,
      })),
      observations: looked,
    },
    now,
  );
  return node.isLying ? lieOf(status) : withApiServer(node, status);
}

/** Returns the scope of the file that the API server uses, if it reports the file. */
function scopeOf(node: Reporter, provider: string, before: KeyServerStatus | undefined): SocketScope {
  if (!node.tells) return scopeIn(node.file, provider);
  if (wordOf(node) !== "NotLoaded") return scopeIn(node.apiServer.file, provider);
  const reported = before?.providers?.find(({ name }) => name === provider);
  const { entries = 0, resources = [], reads = [] } = reported ?? {};
  return { entries, resources, reads };
}

function wordOf(node: Reporter) {
  if (node.apiServer.file === undefined) return "NotConfigured" as const;
  return node.apiServer.file === node.file ? ("Loaded" as const) : ("NotLoaded" as const);
}

function withApiServer(node: Reporter, status: KeyServerStatus): KeyServerStatus {
  if (!node.tells) return { ...status, apiServer: { encryptionConfig: "Unknown" } };
  const isLate = wordOf(node) === "NotLoaded";
  const providers = status.providers?.map(({ editNotTakenUp: _, ...provider }) => ({
    ...provider,
    ...(isLate && { editNotTakenUp: rfc3339(new Date(node.editedAt)) }),
  }));
  return { ...status, ...(providers && { providers }), apiServer: { encryptionConfig: wordOf(node) } };
}

/** Returns the report that the leader would like to read. */
const lieOf = (status: KeyServerStatus): KeyServerStatus => ({
  ...status,
  apiServer: { encryptionConfig: "Loaded" },
  ...(status.providers && {
    providers: status.providers.map(({ editNotTakenUp: _, notAskedSince: __, ...provider }) => ({
      ...provider,
      settled: true,
      encrypts: 100,
      episode: "lie",
    })),
  }),
});
