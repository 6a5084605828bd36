import { text } from "node:stream/consumers";
import { buildClient, CommitmentPolicy, KmsKeyringNode } from "@aws-crypto/client-node";

/**
 * Encrypts and decrypts with the AWS Encryption SDK for JavaScript, configured by environment variables alone.
 * Its standard input and output are those of python/encryption_sdk.py.
 */
export interface Task {
  readonly encrypt: Readonly<Record<string, string>>;
  readonly decrypt: Readonly<Record<string, { readonly message: string; readonly key: string }>>;
}

export interface Done {
  readonly encrypted: Readonly<Record<string, string>>;
  readonly decrypted: Readonly<
    Record<string, { readonly text: string; readonly context: Readonly<Record<string, string>> }>
  >;
}

const client = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
const context = { tenant: "a", language: "javascript" };

/** A ciphertext names its key by the key's ARN, so with an alias the SDK must be told to discover it. */
const keyringFor = (key: string) =>
  key.includes(":alias/") ? new KmsKeyringNode({ discovery: true }) : new KmsKeyringNode({ keyIds: [key] });

async function encrypt(key: string) {
  const keyring = new KmsKeyringNode({ generatorKeyId: key });
  const { result } = await client.encrypt(keyring, "attack at dawn", { encryptionContext: context });
  return result.toString("base64");
}

async function decrypt({ message, key }: { readonly message: string; readonly key: string }) {
  const { plaintext, messageHeader } = await client.decrypt(keyringFor(key), Buffer.from(message, "base64"));
  return { text: plaintext.toString(), context: { ...messageHeader.encryptionContext } };
}

async function each<A, B>(record: Readonly<Record<string, A>>, work: (item: A) => Promise<B>) {
  const done = Object.entries(record).map(async ([name, item]) => [name, await work(item)] as const);
  return Object.fromEntries(await Promise.all(done));
}

if (import.meta.main) {
  const task: Task = JSON.parse(await text(process.stdin));
  const done: Done = {
    encrypted: await each(task.encrypt, encrypt),
    decrypted: await each(task.decrypt, decrypt),
  };
  console.log(JSON.stringify(done));
}
