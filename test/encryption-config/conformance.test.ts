import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeOf, messageOf } from "../../src/errors.ts";
import {
  type EncryptionConfig,
  type EncryptionProvider,
  namesSocket,
  readEncryptionConfig,
} from "../../src/storage/encryption-config/encryption-config.ts";
import { groupResourceText } from "../../src/storage/served/group-resource.ts";
import { fileInputs, type Input, oddInputs, STRICTER } from "./inputs.ts";
import { mutations } from "./mutations.ts";
import { type Answer, askOracle, encryptionConfigOracle, type Provider } from "./oracle.ts";

const program = await encryptionConfigOracle();
const inputs: readonly Input[] = [...fileInputs(), ...oddInputs()];
/** Inputs that nobody thought of. Another seed makes others. */
const mutated = mutations(fileInputs(), Number(process.env.CLAVIGER_ENC_SEED ?? 1), 600);
const stricter = Object.entries(STRICTER).map(([name, { text }]) => ({ name, bytes: Buffer.from(text) }));

let folder = "";
const answers = new Map<string, Answer>();
const pathOf = new Map<string, string>();

beforeAll(async () => {
  if (program === undefined) return;
  folder = mkdtempSync(join(tmpdir(), "claviger-enc-"));
  const all = [...inputs, ...stricter, ...mutated];
  for (const [index, { name, bytes }] of all.entries()) {
    const path = join(folder, `${index}.yaml`);
    writeFileSync(path, bytes);
    pathOf.set(name, path);
  }
  const said = await askOracle(
    program,
    all.map(({ name }) => pathOf.get(name) ?? ""),
  );
  for (const [index, { name }] of all.entries()) {
    const answer = said[index];
    if (answer !== undefined) answers.set(name, answer);
  }
});
afterAll(() => folder !== "" && rmSync(folder, { recursive: true, force: true }));

/** Returns the loader's answer about an input, and claviger's. */
function both(name: string): {
  readonly said: Answer;
  readonly config?: EncryptionConfig;
  readonly refusal?: string;
} {
  const said = answers.get(name);
  if (said === undefined) throw new Error(`the loader did not answer for ${name}`);
  try {
    return { said, config: readEncryptionConfig(pathOf.get(name) ?? "") };
  } catch (error) {
    expect(codeOf(error)).toBe("ConfigInvalid");
    return { said, refusal: messageOf(error) };
  }
}

/** Returns our provider in the loader's words. */
function asSaid(provider: EncryptionProvider, said: Provider | undefined): Provider {
  if (provider.kind === "identity") return { kind: "identity" };
  if (provider.kind !== "kms") return provider;
  const { kind, apiVersion, name, endpoint, timeoutMilliseconds } = provider;
  const socket = said?.socket ?? "";
  // Abstract sockets have no path, and claviger matches none of them.
  const same = namesSocket(provider, socket) !== (socket === "" || socket.startsWith("@"));
  return {
    kind,
    apiVersion,
    name,
    endpoint,
    ...(same && socket !== "" && { socket }),
    nanoseconds: timeoutMilliseconds * 1e6,
  };
}

/** Returns the meaning of an input for claviger and for the loader, in the same words. */
function meanings(name: string) {
  const { said, config } = both(name);
  const ours = {
    refused: config === undefined,
    rules: config?.rules.map(({ resources, providers }, index) => ({
      resources,
      providers: providers.map((one, place) => asSaid(one, said.rules?.[index]?.providers[place])),
    })),
    refusedOnReload: config === undefined || config.refusedOnReload !== undefined,
  };
  const theirs = {
    refused: said.refused !== undefined,
    rules: said.rules?.map(({ resources, providers }) => ({
      resources: resources.map(groupResourceText),
      providers,
    })),
    refusedOnReload: said.refusedReload !== undefined,
  };
  return { ours, theirs };
}

describe.skipIf(program === undefined)(
  "an EncryptionConfiguration, as kube-apiserver's own loader reads it",
  () => {
    it.each(inputs)("$name: is taken or refused alike, and says the same", ({ name }) => {
      const { ours, theirs } = meanings(name);
      expect(ours).toEqual(theirs);
    });

    it("files that were changed at random are taken and refused alike, and say the same", () => {
      const differ = mutated.flatMap(({ name, bytes }) => {
        const { ours, theirs } = meanings(name);
        const text = bytes.toString("utf8");
        // Stricter on purpose: see STRICTER.
        const known = ours.refused && /:[,\]}]|\?/.test(text);
        return known || isDeepStrictEqual(ours, theirs) ? [] : [{ text, ours, theirs }];
      });
      expect(differ).toEqual([]);
    });

    it("a fault of validation is named by its field and in the API server's words", () => {
      const told = inputs.flatMap(({ name }) => {
        const { said, refusal } = both(name);
        const [first] = said.faults ?? [];
        // Go quotes the address once more.
        const detail = first?.detail.replace(/parse ".*": /, "parse: ").replace(/: ParseAddr.*/, "");
        return first === undefined ? [] : [{ name, refusal, wanted: `${first.field}: ${detail}` }];
      });
      expect(told.length).toBeGreaterThan(50);
      for (const { name, refusal, wanted } of told) expect(`${name}: ${refusal}`).toContain(wanted);
    });

    it("no refusal has a word of a key", () => {
      for (const { name } of inputs) expect(both(name).refusal ?? "").not.toMatch(/MDEyMzQ1|c2hvcnQ/);
    });

    it.each(stricter)("$name: is refused on purpose, though the API server takes it", ({ name }) => {
      const { said, refusal } = both(name);
      expect(said.refused).toBeUndefined();
      expect(refusal).toMatch(/^EncryptionConfiguration /);
    });
  },
);
