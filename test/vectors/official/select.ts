import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Selects vectors from a checkout of Wycheproof, and writes them beside this file:
 *
 *   node test/vectors/official/select.ts FOLDER COMMIT
 *
 * Of each kind (its result and flags) a set keeps the first few, so that every kind of attack stays and the
 * whole is small.
 */
type Fields = Readonly<Record<string, unknown>>;

interface Selection {
  /** Files of testvectors_v1, without _test.json. */
  readonly sets: readonly string[];
  /** How many of each kind a set keeps. */
  readonly each: number;
  /** The fields of a group that the tests need. */
  readonly group: readonly string[];
  readonly test: readonly string[];
  /** Leaves a group out. */
  readonly skips?: (group: Fields) => boolean;
}

const signatures = { group: ["publicKeyDer", "keySize", "sha", "sLen"], test: ["msg", "sig", "result"] };

const selections: Readonly<Record<string, Selection>> = {
  "aes-gcm": {
    sets: ["aes_gcm"],
    each: 24,
    group: ["keySize"],
    test: ["key", "iv", "aad", "msg", "ct", "tag", "result"],
    skips: ({ keySize, ivSize, tagSize }) => keySize !== 256 || ivSize !== 96 || tagSize !== 128,
  },
  ecdh: {
    sets: ["ecdh_secp256r1", "ecdh_secp384r1", "ecdh_secp521r1"],
    each: 3,
    group: ["curve"],
    test: ["public", "private", "shared", "result"],
  },
  ecdsa: {
    sets: ["secp256r1_sha256", "secp256k1_sha256", "secp384r1_sha384", "secp521r1_sha512"].map(
      (set) => `ecdsa_${set}`,
    ),
    each: 4,
    ...signatures,
  },
  eddsa: { sets: ["ed25519"], each: 24, ...signatures },
  hkdf: {
    sets: ["hkdf_sha256"],
    each: 12,
    group: [],
    test: ["ikm", "salt", "info", "size", "okm", "result"],
  },
  hmac: {
    sets: ["hmac_sha224", "hmac_sha256", "hmac_sha384", "hmac_sha512"],
    each: 4,
    group: ["tagSize"],
    test: ["key", "msg", "tag", "result"],
  },
  "ml-dsa": {
    sets: ["mldsa_44_verify", "mldsa_65_verify", "mldsa_87_verify"],
    each: 1,
    group: ["publicKeyDer"],
    test: ["msg", "sig", "ctx", "result"],
  },
  "ml-kem": {
    sets: ["mlkem_512", "mlkem_768", "mlkem_1024"],
    each: 8,
    group: ["parameterSet"],
    test: ["seed", "c", "K", "result"],
  },
  "rsa-oaep": {
    sets: ["2048_sha1_mgf1sha1", "2048_sha256_mgf1sha256", "3072_sha256_mgf1sha256", "4096_sha256_mgf1sha256"]
      .concat("2048_sha256_mgf1sha1")
      .map((set) => `rsa_oaep_${set}`),
    each: 3,
    group: ["keySize", "sha", "mgfSha", "privateKeyPkcs8"],
    test: ["msg", "ct", "label", "result"],
  },
  "rsa-pkcs1": {
    sets: ["2048_sha256", "3072_sha384", "4096_sha512"].map((set) => `rsa_signature_${set}`),
    each: 4,
    ...signatures,
  },
  "rsa-pss": {
    sets: ["2048_sha256_mgf1_32", "2048_sha256_mgf1_0", "3072_sha256_mgf1_32", "4096_sha384_mgf1_48"]
      .concat("4096_sha512_mgf1_64")
      .map((set) => `rsa_pss_${set}`),
    each: 4,
    ...signatures,
  },
};

const pick = (from: Fields, names: readonly string[]): Fields =>
  Object.fromEntries(names.filter((name) => name in from).map((name) => [name, from[name]]));

const listOf = (from: Fields, name: string): readonly Fields[] => (from[name] ?? []) as readonly Fields[];

function selectSet(folder: string, set: string, { each, group, test, skips }: Selection) {
  const file = `testvectors_v1/${set}_test.json`;
  const whole = JSON.parse(readFileSync(join(folder, file), "utf8")) as Fields;
  const seen = new Map<string, number>();
  const isWanted = (one: Fields): boolean => {
    const kind = JSON.stringify([one.result, one.flags]);
    const before = seen.get(kind) ?? 0;
    seen.set(kind, before + 1);
    return before < each && JSON.stringify(one).length < 20_000;
  };
  const groups = listOf(whole, "testGroups")
    .filter((one) => skips?.(one) !== true)
    .map((one) => ({
      ...pick(one, group),
      tests: listOf(one, "tests")
        .filter(isWanted)
        .map((vector) => pick(vector, ["tcId", "comment", "flags", ...test])),
    }));
  return { file, groups: groups.filter(({ tests }) => tests.length > 0) };
}

/** Puts each vector on a line of its own. */
const textOf = (sets: readonly ReturnType<typeof selectSet>[], commit: string | undefined): string => {
  const about = {
    source: "https://github.com/C2SP/wycheproof",
    commit,
    licence: "Apache-2.0",
    changes: "a selection of vectors and of their fields",
  };
  const text = JSON.stringify({ ...about, sets });
  return `${text.replaceAll('{"tcId"', '\n{"tcId"').replaceAll('{"file"', '\n{"file"')}\n`;
};

const [, , folder = "", commit] = process.argv;
for (const [name, selection] of Object.entries(selections)) {
  const sets = selection.sets.map((set) => selectSet(folder, set, selection));
  writeFileSync(join(import.meta.dirname, `${name}.json`), textOf(sets, commit));
}
