import { configPathOf } from "../command.ts";
import type { Names } from "./complete.ts";

/** A person waits for the answer with a finger on the key. */
const PATIENCE_MILLISECONDS = 2_000;

/** The values of options that were typed already, without the dashes. */
export type Typed = Readonly<Record<string, string>>;

/** Collects the values of the options on which names depend. */
export function typedOptions(words: readonly string[]): Typed {
  const pairs = words.flatMap((word, at) => {
    const value = words[at + 1];
    const [, name] =
      /^--(config|kubeconfig|context|namespace)$/.exec(word === "-n" ? "--namespace" : word) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(pairs);
}

/** Looks names up. Returns none if that fails: a completion has no place for an error. */
export async function lookUp(names: Names, typed: Typed): Promise<readonly string[]> {
  try {
    return await readers[names](typed);
  } catch {
    return [];
  }
}

/** Whatever calls an API server is loaded only if a name needs it: without it an answer takes half the time. */
const readers: Readonly<Record<Names, (typed: Typed) => Promise<readonly string[]>>> = {
  async providers({ config }) {
    const { readConfig } = await import("../../config/config.ts");
    return readConfig(configPathOf(config)).providers.map(({ name }) => name);
  },
  async operations() {
    const { KEY_OPERATIONS } = await import("../access/asked-operation.ts");
    return KEY_OPERATIONS;
  },
  async contexts({ kubeconfig }) {
    const { accessOf } = await import("../site/target.ts");
    const { readKubeconfig } = await import("../../kube/kubeconfig/kubeconfig.ts");
    const access = accessOf({ ...(kubeconfig !== undefined && { kubeconfig }) });
    return readKubeconfig(access.kubeconfig).contexts.map(({ name }) => name);
  },
  async namespaces(typed) {
    const keys = await masterKeys(typed);
    return [...new Set(keys.map(({ namespace }) => namespace))];
  },
  async masterkeys(typed) {
    const keys = await masterKeys(typed);
    const { namespace } = typed;
    return namespace === undefined
      ? keys.map((key) => `${key.namespace}/${key.name}`)
      : keys.filter((key) => key.namespace === namespace).map(({ name }) => name);
  },
};

async function masterKeys(typed: Typed) {
  const { accessOf, clientOf } = await import("../site/target.ts");
  const { collectionPath } = await import("../../kube/paths.ts");
  const client = clientOf(accessOf(typed));
  const signal = AbortSignal.timeout(PATIENCE_MILLISECONDS);
  const answer = await client.request({ method: "GET", path: collectionPath("MasterKey"), signal });
  client.close();
  // The API server names each object.
  const { items } = answer as {
    readonly items: readonly { readonly metadata: { readonly namespace: string; readonly name: string } }[];
  };
  return items.map(({ metadata }) => metadata);
}
