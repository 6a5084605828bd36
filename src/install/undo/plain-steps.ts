import { parseConfig } from "../../config/config.ts";
import type { KeyServer } from "../../resources/resources.ts";
import type { Census } from "../../storage/census/census.ts";
import { ownServer, readCluster } from "../cluster-facts.ts";
import { PATHS } from "../paths.ts";
import { placeOf, type Site } from "../site.ts";
import { act, actIf, blocked, done, type Step, type StepPlan, wait } from "../step.ts";
import {
  type Named,
  type Place,
  placeIn,
  providerOf,
  readerText,
  writerText,
} from "../steps/encryption-step.ts";
import { textOf } from "../text-file.ts";

const MOVE_OUT = "follow docs/operations/move.md, Out, and run init --undo again";

/** Puts identity first, so that claviger only reads. */
export const stopWritingStep = (site: Site): Step => ({
  name: "encryption",
  patience: 5 * 60_000,
  plan: async () => {
    const text = textOf(placeOf(site, PATHS.encryptionConfig));
    const provider = providerOf(site);
    const own = ownServer(site, await readCluster(site));
    return decideStopWriting({ text, place: placeIn(text, provider), provider, writes: mayWrite(own) });
  },
});

/**
 * Returns true if the API server of this node may still write under claviger: only a report that it uses the
 * file on the disk, in which claviger writes nothing, says that it does not. API servers before 1.34 make no
 * such report.
 */
export function mayWrite(server: KeyServer | undefined): boolean {
  const { apiServer, providers = [] } = server?.status ?? {};
  if (server === undefined || apiServer?.encryptionConfig === "NotConfigured") return false;
  if (providers.every(({ entries, notAskedSince }) => entries === 0 && notAskedSince !== undefined))
    return false;
  return (
    apiServer?.encryptionConfig !== "Loaded" || providers.some(({ resources = [] }) => resources.length > 0)
  );
}

export interface ObservedWriting {
  readonly text: string | undefined;
  readonly place: Place;
  readonly provider: Named;
  readonly writes: boolean;
}

export function decideStopWriting({ text, place, provider, writes }: ObservedWriting): StepPlan {
  if (place === "first") {
    if (text !== writerText(provider))
      return blocked(`${PATHS.encryptionConfig} was not written by init`, MOVE_OUT);
    const after = readerText(provider);
    const change = { kind: "file", path: PATHS.encryptionConfig, mode: 0o600, before: text, after } as const;
    return act("put identity first; the API server reloads the file", [change]);
  }
  return writes
    ? wait("this node's API server does not report yet that it uses the file with identity first")
    : done("this node's API server writes nothing under claviger");
}

/** Every API server has to write plain before the stored objects are rewritten. */
export const nobodyWritesStep = (site: Site): Step => ({
  name: "no API server writes",
  plan: async () => decideNobodyWrites((await readCluster(site)).keyServers),
});

export function decideNobodyWrites(keyServers: readonly KeyServer[]): StepPlan {
  const writers = keyServers.filter(mayWrite).map(({ metadata }) => metadata.name);
  return writers.length === 0
    ? done("no API server writes under claviger")
    : blocked(
        `API servers of these nodes still write under claviger: ${writers.join(", ")}`,
        "run claviger init --undo there, and here again",
      );
}

/** Writes every Secret back, until a count in etcd finds none under claviger. */
export const rewriteStep = (site: Site): Step => ({
  name: "stored objects",
  plan: async () => {
    const text = textOf(placeOf(site, PATHS.config));
    if (text === undefined)
      return done("this node has no configuration, and cannot count; nothing is rewritten");
    const config = parseConfig(text, PATHS.config);
    if (config.etcd === undefined) {
      return blocked(
        `${PATHS.config} has no etcd in which the objects under claviger could be counted`,
        MOVE_OUT,
      );
    }
    return decideRewrite(await site.count(config));
  },
});

export function decideRewrite({
  rows,
  objects,
  unlisted,
}: Pick<Census, "rows" | "objects" | "unlisted">): StepPlan {
  const ours = rows.filter(({ stored }) => stored.kind === "kms-v2");
  const other = ours.find(({ resource }) => resource !== "secrets");
  if (unlisted > 0 || other !== undefined) {
    return blocked(
      other === undefined
        ? `${unlisted} objects could not be counted`
        : `${other.objects} ${other.resource} are stored under KMS provider ${providerName(other)}, which init did not set up`,
      MOVE_OUT,
    );
  }
  const count = ours.reduce((sum, row) => sum + row.objects, 0);
  return actIf(
    count === 0 ? [] : [{ kind: "rewrite", path: "/api/v1/secrets", objects: count } as const],
    `write ${count} Secrets back`,
    `none of ${objects} objects in etcd is encrypted by a KMS provider`,
  );
}

const providerName = ({ stored }: Census["rows"][number]): string =>
  stored.kind === "kms-v2" ? stored.provider : stored.kind;
