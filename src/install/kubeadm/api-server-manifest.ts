import { isDeepStrictEqual } from "node:util";
import { parse } from "yaml";
import { ClavigerError } from "../../errors.ts";
import { fieldsOf } from "../../json.ts";
import { PATHS } from "../paths.ts";
import { type EncryptionFacts, FLAGS, type LocalApiServer, VOLUMES } from "./cluster-configuration.ts";

/** The parts of the API server's manifest that claviger needs. */
export interface ApiServerManifest extends EncryptionFacts, LocalApiServer {}

interface Pod {
  readonly command: readonly string[];
  readonly volumeMounts: readonly Readonly<Record<string, unknown>>[];
  readonly volumes: readonly Readonly<Record<string, unknown>>[];
  /** Everything else. */
  readonly rest: {
    readonly pod: object;
    readonly spec: object;
    readonly container: Readonly<Record<string, unknown>>;
  };
}

/** Reads the manifest of kube-apiserver that kubeadm made. Throws InvalidArgument. */
export function readApiServerManifest(text: string): ApiServerManifest {
  const { command, volumeMounts, rest } = podOf(text);
  const address = flag(command, "advertise-address");
  const port = Number(flag(command, "secure-port") ?? "6443");
  if (address === undefined || !Number.isInteger(port)) throw unknown("names no --advertise-address");
  const flags = Object.keys(FLAGS).flatMap((name) => {
    const value = flag(command, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  const mounts = new Set(volumeMounts.map(({ mountPath }) => String(mountPath)));
  const { imagePullPolicy } = rest.container;
  const policy = typeof imagePullPolicy === "string" ? { imagePullPolicy } : {};
  return { address, port, ...policy, flags: new Map(flags), mounts };
}

/**
 * Compares two manifests without claviger's flags, mounts and volumes. Returns the part that differs, or
 * undefined if nothing else does.
 */
export function otherDifference(before: string, after: string): string | undefined {
  const [one, other] = [withoutOurs(podOf(before)), withoutOurs(podOf(after))];
  if (!isDeepStrictEqual(one.command, other.command)) {
    const flags = [...one.command, ...other.command];
    const changed = flags.filter((each) => !one.command.includes(each) || !other.command.includes(each));
    return `the flags ${changed.join(" ")}`;
  }
  return firstDifference(
    { volumeMounts: one.volumeMounts, volumes: one.volumes, ...one.rest },
    { volumeMounts: other.volumeMounts, volumes: other.volumes, ...other.rest },
  );
}

/** Returns the path of the first field that differs. */
function firstDifference(before: unknown, after: unknown): string | undefined {
  if (isDeepStrictEqual(before, after)) return undefined;
  const [one, other] = [fieldsOf(before), fieldsOf(after)];
  for (const name of new Set([...Object.keys(one), ...Object.keys(other)])) {
    if (isDeepStrictEqual(one[name], other[name])) continue;
    const inner = firstDifference(one[name], other[name]);
    return inner === undefined || inner === "" ? name : `${name}.${inner}`;
  }
  return "";
}

function withoutOurs({ command, volumeMounts, volumes, rest }: Pod): Pod {
  const paths: ReadonlySet<unknown> = new Set(VOLUMES.map(({ mountPath }) => mountPath));
  const names = new Set(volumeMounts.filter((each) => paths.has(each.mountPath)).map(({ name }) => name));
  return {
    command: command
      .filter((each) => !Object.keys(FLAGS).some((name) => each.startsWith(`--${name}=`)))
      .sort(),
    volumeMounts: sorted(volumeMounts.filter((each) => !paths.has(each.mountPath))),
    volumes: sorted(volumes.filter((each) => !names.has(each.name))),
    rest,
  };
}

const sorted = (entries: Pod["volumes"]): Pod["volumes"] =>
  entries.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

function podOf(text: string): Pod {
  const { spec, ...pod } = fieldsOf(parsedYaml(text));
  const { containers, volumes, ...restOfSpec } = fieldsOf(spec);
  const [first, ...more] = Array.isArray(containers) ? containers : [];
  const { command, volumeMounts, ...restOfContainer } = fieldsOf(first);
  if (!Array.isArray(command) || command[0] !== "kube-apiserver" || more.length > 0) {
    throw unknown("is none that kubeadm made");
  }
  return {
    command: command.map(String),
    volumeMounts: Array.isArray(volumeMounts) ? volumeMounts.map(fieldsOf) : [],
    volumes: Array.isArray(volumes) ? volumes.map(fieldsOf) : [],
    rest: { pod, spec: restOfSpec, container: restOfContainer },
  };
}

function parsedYaml(text: string): unknown {
  try {
    return parse(text);
  } catch {
    throw unknown("is not YAML");
  }
}

const flag = (command: readonly string[], name: string): string | undefined =>
  command.findLast((each) => each.startsWith(`--${name}=`))?.slice(name.length + 3);

const unknown = (what: string): ClavigerError =>
  new ClavigerError(
    "InvalidArgument",
    `${PATHS.apiServer} ${what}: install claviger by hand, as docs/install/by-hand.md says`,
  );
