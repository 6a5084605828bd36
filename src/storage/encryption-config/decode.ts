import { decodeGoBase64 } from "../../go/go-base64.ts";
import type { GoObject, GoValue } from "../../go/go-json.ts";
import { GoFraction, isGoObject } from "../../go/go-json.ts";
import { durationNanoseconds } from "./go-duration.ts";

/** The contents of an EncryptionConfiguration file. Only its form has been checked. Keys are not kept. */
export interface DecodedConfig {
  readonly apiVersion: string;
  readonly kind: string;
  readonly resources: readonly DecodedRule[];
}

export interface DecodedRule {
  readonly resources: readonly string[];
  readonly providers: readonly DecodedProvider[];
}

/** A provider as in the file: it may have several of these fields, or none. */
export interface DecodedProvider {
  readonly aesgcm?: readonly DecodedKey[];
  readonly aescbc?: readonly DecodedKey[];
  readonly secretbox?: readonly DecodedKey[];
  readonly identity?: true;
  readonly kms?: DecodedKms;
}

export interface DecodedKey {
  readonly name: string;
  /** The secret's length in bytes, or "missing" if the file has none. */
  readonly secret: number | "missing" | "not base64";
}

export interface DecodedKms {
  /** The defaults of the API server if the file leaves these out: v1, 3 s, and for v1 a cache of 1,000. */
  readonly apiVersion: string;
  readonly name: string;
  readonly endpoint: string;
  readonly nanoseconds: bigint;
  readonly cacheSize?: number;
}

/** The file does not have the form of an EncryptionConfiguration. The message quotes no value. */
export class Undecodable extends Error {}

const DEFAULT_TIMEOUT = 3_000_000_000n;
const DEFAULT_CACHE = 1_000;
const [LEAST_INT32, MOST_INT32] = [-(2 ** 31), 2 ** 31 - 1];

/**
 * Decodes a file into the fields of apiserver.config.k8s.io/v1, as the strict decoder of k8s.io/apimachinery
 * does: exact names, no unknown names, null for a missing field. Throws Undecodable, with the decoder's own
 * message unless it quotes a value.
 */
export function decodeEncryptionConfig(value: GoValue): DecodedConfig {
  const root = new Fields(value, "");
  const config = {
    apiVersion: root.text("apiVersion"),
    kind: root.text("kind"),
    resources: root.list("resources").map(ruleOf),
  };
  root.end();
  return config;
}

function ruleOf(entry: Item): DecodedRule {
  const fields = entry.fields();
  const rule = {
    resources: fields.list("resources").map((item) => item.text()),
    providers: fields.list("providers").map(providerOf),
  };
  fields.end();
  return rule;
}

function providerOf(entry: Item): DecodedProvider {
  const fields = entry.fields();
  const aesgcm = fields.optional("aesgcm")?.keys();
  const aescbc = fields.optional("aescbc")?.keys();
  const secretbox = fields.optional("secretbox")?.keys();
  const identity = fields.optional("identity");
  identity?.end();
  const kms = fields.optional("kms");
  fields.end();
  return {
    ...(aesgcm && { aesgcm }),
    ...(aescbc && { aescbc }),
    ...(secretbox && { secretbox }),
    ...(identity && { identity: true }),
    ...(kms && { kms: kmsOf(kms) }),
  };
}

function keyOf(entry: Item): DecodedKey {
  const fields = entry.fields();
  const name = fields.text("name");
  const secret = fields.text("secret");
  fields.end();
  return { name, secret: secret === "" ? "missing" : (decodeGoBase64(secret)?.length ?? "not base64") };
}

function kmsOf(fields: Fields): DecodedKms {
  const apiVersion = fields.text("apiVersion") || "v1";
  const name = fields.text("name");
  const endpoint = fields.text("endpoint");
  const nanoseconds = fields.duration("timeout") ?? DEFAULT_TIMEOUT;
  const cacheSize = fields.integer("cachesize") ?? (apiVersion === "v1" ? DEFAULT_CACHE : undefined);
  fields.end();
  return { apiVersion, name, endpoint, nanoseconds, ...(cacheSize !== undefined && { cacheSize }) };
}

/** The fields of one object. It records which fields were read; the others are unknown. */
class Fields {
  readonly #values: ReadonlyMap<string, GoValue>;
  readonly #path: string;
  readonly #asked = new Set<string>();

  constructor(value: GoValue, path: string) {
    if (value !== null && !isGoObject(value)) throw mismatch(path, value, "object");
    this.#values = new Map(Object.entries((value ?? {}) as GoObject));
    this.#path = path;
  }

  text(name: string): string {
    return new Item(this.#take(name), this.#of(name)).text();
  }

  list(name: string): Item[] {
    const value = this.#take(name);
    if (value === null) return [];
    if (!Array.isArray(value)) throw mismatch(this.#of(name), value, "list");
    return value.map((item: GoValue, index) => new Item(item, `${this.#of(name)}[${index}]`));
  }

  /** Returns the object in a field, or undefined if the field is missing. */
  optional(name: string): Fields | undefined {
    const value = this.#take(name);
    return value === null ? undefined : new Fields(value, this.#of(name));
  }

  keys(): DecodedKey[] {
    const keys = this.list("keys").map(keyOf);
    this.end();
    return keys;
  }

  integer(name: string): number | undefined {
    const value = this.#take(name);
    if (value === null) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value) || value < LEAST_INT32 || value > MOST_INT32)
      throw mismatch(this.#of(name), value, "int32");
    return value;
  }

  duration(name: string): bigint | undefined {
    const value = this.#take(name);
    if (value === null) return undefined;
    if (typeof value !== "string") throw mismatch(this.#of(name), value, "string");
    const nanoseconds = durationNanoseconds(value);
    if (nanoseconds === undefined)
      throw new Undecodable(`${this.#of(name)}: time: invalid duration; it must be one such as 3s`);
    return nanoseconds;
  }

  /** Throws Undecodable if there is a field that was never read. */
  end(): void {
    for (const name of this.#values.keys()) {
      if (this.#asked.has(name)) continue;
      throw new Undecodable(
        isNoKey(name)
          ? `strict decoding error: unknown field ${JSON.stringify(this.#of(name))}`
          : `strict decoding error: unknown field${this.#path === "" ? "" : ` in ${this.#path}`}`,
      );
    }
  }

  #take(name: string): GoValue {
    this.#asked.add(name);
    return this.#values.get(name) ?? null;
  }

  #of(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }
}

/** An element of a list. */
class Item {
  readonly #value: GoValue;
  readonly #path: string;

  constructor(value: GoValue, path: string) {
    this.#value = value;
    this.#path = path;
  }

  text(): string {
    if (this.#value === null) return "";
    if (typeof this.#value !== "string") throw mismatch(this.#path, this.#value, "string");
    return this.#value;
  }

  fields(): Fields {
    return new Fields(this.#value, this.#path);
  }
}

/**
 * A misplaced key could stand where a field's name belongs. The shortest AES key has 24 letters of base64, so
 * such a name is not quoted.
 */
const isNoKey = (name: string): boolean => /^[-\w.]{1,20}$/.test(name);

function mismatch(path: string, value: GoValue, wanted: string): Undecodable {
  const advice = wanted === "string" && typeof value !== "object" ? ": put it into quotes" : "";
  return new Undecodable(
    `${path === "" ? "it" : path}: cannot unmarshal ${typeOf(value)} into a field of type ${wanted}${advice}`,
  );
}

function typeOf(value: GoValue): string {
  if (Array.isArray(value)) return "array";
  if (value instanceof GoFraction) return "number";
  return typeof value === "boolean" ? "bool" : typeof value;
}
