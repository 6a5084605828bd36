import { type NodeConfig, type ProviderConfig, readConfig } from "../config/config.ts";
import { type Command, configPathOf, parseOptions, UsageError } from "./command.ts";
import { parseMessage } from "./first-try/message.ts";
import { readInput } from "./first-try/read-input.ts";
import { didYouMean } from "./terminal/nearest.ts";
import { complain, print, printBytes } from "./terminal/print.ts";

const OPTIONS = { config: { type: "string" }, provider: { type: "string" } } as const;

/** The limit of a request of KMS v2, which API servers use for 32 bytes. The provider's own limit is lower. */
const MAX_PLAINTEXT_BYTES = 1024;
/** A ciphertext of 1 KiB in base64, its key_id, and annotations of other providers. */
const MAX_MESSAGE_BYTES = 32 * 1024;

const PROVIDER = "the provider whose socket is used; may be left out if there is one only";

export const encrypt: Command = {
  summary: "Encrypt a short text from stdin through a socket, as a first try. Not for your data.",
  usage: "encrypt [--provider NAME] [--round-trip] [--config FILE]",
  options: {
    "--provider NAME": PROVIDER,
    "--round-trip": "decrypt it again, and say how long both took",
  },
  async run(args) {
    const options = parseOptions(args, { ...OPTIONS, "round-trip": { type: "boolean" } });
    const provider = providerOf(readConfig(configPathOf(options.config)), options.provider);
    const plaintext = await readInput("a text to encrypt", MAX_PLAINTEXT_BYTES, complain);
    const { encryptedText } = await import("./first-try/over-socket.ts");
    print(await encryptedText(provider, plaintext, options["round-trip"] === true));
  },
};

export const decrypt: Command = {
  summary: "Decrypt a line that claviger encrypt printed, from stdin.",
  usage: "decrypt [--provider NAME] [--config FILE]",
  options: { "--provider NAME": PROVIDER },
  async run(args) {
    const options = parseOptions(args, OPTIONS);
    const provider = providerOf(readConfig(configPathOf(options.config)), options.provider);
    const message = parseMessage(await readInput("a line of claviger encrypt", MAX_MESSAGE_BYTES, complain));
    const { decrypted } = await import("./first-try/over-socket.ts");
    printBytes(await decrypted(provider, message));
  },
};

function providerOf({ providers, path }: NodeConfig, name: string | undefined): ProviderConfig {
  const names = providers.map((provider) => provider.name);
  const found = name === undefined && providers.length === 1 ? providers[0] : undefined;
  const provider = found ?? providers.find((each) => each.name === name);
  if (provider !== undefined) return provider;
  const those = names.length === 0 ? "it has none" : `it has ${names.join(", ")}`;
  throw name === undefined
    ? new UsageError(`--provider NAME is needed: configuration ${path} has no single provider, ${those}`)
    : new UsageError(`configuration ${path} has no provider ${name}${didYouMean(name, names)}: ${those}`);
}
