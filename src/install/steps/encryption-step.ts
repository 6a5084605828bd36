import type { ProviderConfig } from "../../config/config.ts";
import { parseConfig } from "../../config/config.ts";
import {
  type EncryptionConfig,
  parseEncryptionConfig,
  ruleFor,
  servesSocket,
} from "../../storage/encryption-config/encryption-config.ts";
import { encryptionConfiguration } from "../../storage/encryption-config/print.ts";
import { PATHS } from "../paths.ts";
import { placeOf, type Site } from "../site.ts";
import { act, blocked, done, type Step, type StepPlan } from "../step.ts";
import { textOf } from "../text-file.ts";

const SECRETS = { group: "", resource: "secrets" };

/**
 * The EncryptionConfiguration of the API server, in which claviger reads and does not write yet: every API
 * server must be able to read a value before another one writes it.
 */
export const readerStep = (site: Site): Step => ({
  name: "encryption configuration",
  plan: async () => decideReader(textOf(placeOf(site, PATHS.encryptionConfig)), providerOf(site)),
});

export function decideReader(before: string | undefined, provider: Named): StepPlan {
  const place = placeIn(before, provider);
  if (place === "first") return done("claviger's provider is first in it");
  if (place === "later") return done("claviger's provider reads, and does not write yet");
  if (place === "other") return movingIn();
  const after = readerText(provider);
  return act("write it with identity first: claviger reads, and does not write yet", [
    { kind: "file", path: PATHS.encryptionConfig, mode: 0o600, before, after },
  ]);
}

const movingIn = (): StepPlan =>
  blocked(
    `${PATHS.encryptionConfig} is there and has no provider of claviger for Secrets`,
    "add claviger to it as its second provider, as docs/operations/move.md, says, and run init again",
  );

/** The parts of a provider that an EncryptionConfiguration names. */
export type Named = Pick<ProviderConfig, "name" | "socket">;

/** The place of claviger's provider in the rule for Secrets. */
export type Place = "missing" | "other" | "later" | "first";

export function placeIn(text: string | undefined, { socket }: Named): Place {
  if (text === undefined) return "missing";
  const providers = ruleOf(parseEncryptionConfig(text, PATHS.encryptionConfig));
  const at = providers.findIndex((provider) => servesSocket(provider, socket));
  return at < 0 ? "other" : at === 0 ? "first" : "later";
}

const ruleOf = (config: EncryptionConfig) => ruleFor(config, SECRETS)?.providers ?? [];

/** The configuration in which claviger's provider writes. */
export const writerText = (provider: Named): string => encryptionConfiguration(provider);

/** The same with identity before the kms entry. */
export function readerText(provider: Named): string {
  const text = writerText(provider);
  const identity = "      - identity: {}\n";
  const at = text.indexOf("      - kms:");
  return `${text.slice(0, at)}${identity}${text.slice(at, text.length - identity.length)}`;
}

/** Returns the first provider of the node's configuration, or of the one that init writes. */
export function providerOf(site: Site): Named {
  const text = textOf(placeOf(site, PATHS.config));
  const [provider] = text === undefined ? [] : parseConfig(text, PATHS.config).providers;
  return provider ?? { name: "secrets", socket: "/var/run/claviger/secrets.sock" };
}
