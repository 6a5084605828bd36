import type { SocketScope } from "../../storage/scope.ts";
import { SOCKETS } from "./model-socket.ts";

/**
 * The rule of an EncryptionConfiguration for a resource: the provider that writes it, if any, and the
 * providers that read it.
 */
export interface Rule {
  readonly resource: string;
  readonly writes?: string;
  readonly reads: readonly string[];
}

const written = (resource: string, writes: string): Rule => ({ resource, writes, reads: [writes] });
/** `identity` comes first, and objects stored before can still be read. */
const left = (resource: string, by: string): Rule => ({ resource, reads: [by] });

/** The EncryptionConfigurations of this model. The API server refuses `broken`. */
export const FILES = {
  all: [written("secrets", "direct"), written("configmaps", "aliased"), written("leases", "aliased")],
  fewer: [written("secrets", "direct"), written("configmaps", "aliased"), left("leases", "aliased")],
  early: [written("secrets", "direct"), written("configmaps", "aliased")],
  out: [left("secrets", "direct"), left("configmaps", "aliased"), left("leases", "aliased")],
  broken: [written("secrets", "direct")],
} as const satisfies Readonly<Record<string, readonly Rule[]>>;

export type FileName = keyof typeof FILES;

export const rulesOf = (file: FileName | undefined): readonly Rule[] =>
  file === undefined ? [] : FILES[file];

/** Returns the scope that a file assigns to a socket, as scopeOf reads it. */
export function scopeIn(file: FileName | undefined, provider: string): SocketScope {
  const rules = rulesOf(file).filter(({ reads }) => reads.includes(provider));
  return {
    entries: rules.length,
    resources: rules.filter(({ writes }) => writes === provider).map(({ resource }) => resource),
    reads: rules.map(({ resource }) => resource),
  };
}

/** Every resource that a file names. */
export const RESOURCES: readonly string[] = FILES.all.map(({ resource }) => resource);

export const PROVIDERS: readonly string[] = SOCKETS.map(({ name }) => name);
