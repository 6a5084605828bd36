import { generateKeyPair as generate, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { Secret } from "../secret.ts";
import { type AsymmetricSpec, type KeyType, keyTypeOf } from "./key-types.ts";

/** A new key pair. */
export interface KeyPair {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
  /** PKCS #8, DER. ML-DSA and ML-KEM keys are in seed form (RFC 9881, RFC 9935). */
  readonly privateKey: Secret;
}

/**
 * Generates a key pair outside the event loop: RSA_4096 needs seconds of a core, and the thread pool serves
 * files too, so at most one RSA pair is generated at a time.
 */
export async function generateKeyPair(spec: AsymmetricSpec): Promise<KeyPair> {
  const type = keyTypeOf(spec);
  const { publicKey, privateKey } = await (type.kind === "rsa" ? inTurn(() => pairOf(type)) : pairOf(type));
  return {
    publicKey: publicKey.export({ type: "spki", format: "der" }),
    privateKey: Secret.take(privateKey.export({ type: "pkcs8", format: "der" })),
  };
}

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

function pairOf(type: KeyType): Promise<Pair> {
  switch (type.kind) {
    case "rsa":
      return promisify(generate)("rsa", { modulusLength: type.modulusBits });
    case "ec":
      return promisify(generate)("ec", { namedCurve: type.curve.name });
    case "ed25519":
      return promisify(generate)("ed25519", {});
    case "ml-dsa":
      return promisify(generate)(type.parameters, {});
    case "ml-kem":
      return promisify(generate)(type.parameters, {});
  }
}

/** The end of the RSA pair that was asked for last. */
let last: Promise<unknown> = Promise.resolve();
let unfinished = 0;

/** Returns how many RSA pairs of this process are being generated or wait for their turn. */
export const unfinishedRsaPairs = (): number => unfinished;

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const mine = last.then(work, work);
  last = mine.catch(() => undefined);
  unfinished += 1;
  try {
    return await mine;
  } finally {
    unfinished -= 1;
  }
}
