import { statSync } from "node:fs";
import { parseConfig } from "../../config/config.ts";
import { messageOf } from "../../errors.ts";
import { fileRootKey } from "../../seal/file-root-key.ts";
import type { Change } from "../changes.ts";
import { type ClusterFacts, readCluster } from "../cluster-facts.ts";
import { packagedText } from "../objects/packaged.ts";
import { FOLDERS, PATHS } from "../paths.ts";
import { placeOf, type Site } from "../site.ts";
import { act, actIf, blocked, done, type Step, type StepPlan } from "../step.ts";
import { exists, textOf } from "../text-file.ts";

const TMPFILES = "d /run/claviger 0700 root root -\n";

/** Folders of mode 0700, and the line that creates the sockets' folder at every boot. */
export const foldersStep = (site: Site): Step => ({
  name: "folders",
  plan: async () => {
    const folders = FOLDERS.filter((path) => !isPrivate(placeOf(site, path)));
    const before = textOf(placeOf(site, PATHS.tmpfiles));
    const changes: Change[] = [
      ...folders.map((path) => ({ kind: "folder", path }) as const),
      ...(before === TMPFILES
        ? []
        : [{ kind: "file", path: PATHS.tmpfiles, mode: 0o644, before, after: TMPFILES } as const]),
    ];
    return actIf(changes, "make folders of mode 0700", "they have mode 0700");
  },
});

function isPrivate(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && (stat.mode & 0o777) === 0o700;
}

/** Root key ids: the id of this node's key, if there is one, and those that other nodes report. */
export interface RootKeys {
  readonly own: string | undefined;
  readonly others: readonly string[];
  readonly keyVersions: number;
}

export const rootKeyStep = (site: Site): Step => ({
  name: "root key",
  plan: async () => decideRootKey(observeRootKeys(site, await readCluster(site))),
});

function observeRootKeys(site: Site, { keyServers, keyVersions }: ClusterFacts): RootKeys {
  const place = placeOf(site, PATHS.rootKey);
  const others = keyServers.flatMap(({ status }) => status?.seal?.rootKeyId ?? []);
  return {
    own: exists(place) ? fileRootKey(place).identify(true) : undefined,
    others: [...new Set(others)],
    keyVersions,
  };
}

/** A root key is created for a new installation only: a second one could open nothing of the first. */
export function decideRootKey({ own, others, keyVersions }: RootKeys): StepPlan {
  if (own === undefined) {
    if (others.length === 0 && keyVersions === 0) {
      return act("create it", [{ kind: "root key", path: PATHS.rootKey }]);
    }
    return blocked(
      "this cluster has a root key on another node, and this node has none",
      "run claviger join --request on this node, which brings the root key over",
    );
  }
  const other = others.find((id) => id !== own);
  if (other === undefined) return done(`it is ${own}; keep a copy of it apart from the backups of etcd`);
  return blocked(
    `this node's root key is ${own}, and other nodes report ${other}`,
    `move ${PATHS.rootKey} away if nothing is encrypted under it, and run claviger join --request on this node`,
  );
}

/** The configuration of the node. One that exists is kept. */
export const configStep = (site: Site): Step => ({
  name: "configuration",
  plan: async () => decideConfig(textOf(placeOf(site, PATHS.config)), packagedText("deploy/claviger.yaml")),
});

export function decideConfig(before: string | undefined, wanted: string): StepPlan {
  if (before === undefined) {
    const change = { kind: "file", path: PATHS.config, mode: 0o600, before, after: wanted } as const;
    return act(`create ${PATHS.config}`, [change]);
  }
  try {
    parseConfig(before, PATHS.config);
  } catch (error) {
    return blocked(messageOf(error), `mend ${PATHS.config}, or move it away so that init writes it`);
  }
  return done(before === wanted ? `${PATHS.config} is there` : `${PATHS.config} is kept as it is`);
}
