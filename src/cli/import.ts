import { randomUUID } from "node:crypto";
import { readConfig } from "../config/config.ts";
import { WRAPPING_ALGORITHMS, type WrappingAlgorithm } from "../crypto/import-wrapping.ts";
import { ClavigerError, codeOf, messageOf } from "../errors.ts";
import { nameText, type ObjectName } from "../names.ts";
import { offerOf } from "../operator/import/import-offer.ts";
import { printable } from "../printable.ts";
import { conditionOf } from "../resources/conditions.ts";
import type { ImportSpec } from "../resources/schemas/import.ts";
import { type Command, formatOf, OUTPUT, parseArgument, UsageError } from "./command.ts";
import {
  type Importing,
  type ImportRequest,
  parametersOf,
  takeBack,
  untilCurrent,
  untilProcessed,
  wrapHere,
  wrappedOffer,
} from "./import/steps.ts";
import { clusterTarget, type ImportTarget, standaloneTarget } from "./import/target.ts";
import { accessOf, CLUSTER_OPTIONS, nameInCluster, nameOf } from "./site/target.ts";
import type { Format } from "./terminal/formats.ts";
import { render } from "./terminal/output.ts";
import { realPace } from "./terminal/patience.ts";
import { print } from "./terminal/print.ts";
import { ProgressLine } from "./terminal/progress.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

const OPTIONS = {
  material: { type: "string" },
  wrapped: { type: "string" },
  token: { type: "string" },
  algorithm: { type: "string" },
  expires: { type: "string" },
  new: { type: "boolean" },
  parameters: { type: "boolean" },
  output: OUTPUT,
  ...CLUSTER_OPTIONS,
} as const;

export const importMaterial: Command = {
  summary: "Import key material of your own into a MasterKey of origin EXTERNAL.",
  usage:
    "import NAMESPACE/NAME --material FILE | --wrapped FILE --token FILE | --parameters [-o json|yaml] [--algorithm NAME] [--expires TIME] [--new] [-n NAMESPACE] [--context NAME] [--kubeconfig FILE | --config FILE]",
  options: {
    "--material FILE": "the raw bytes; they are wrapped here and leave this machine wrapped only",
    "--wrapped FILE": "material that was wrapped elsewhere, under the public key that --parameters gave",
    "--token FILE": "the import token that came with that public key",
    "--parameters": "print a public key and an import token to wrap the material with elsewhere",
    "--algorithm NAME": `how it is wrapped: ${WRAPPING_ALGORITHMS.join(", ")}`,
    "--expires TIME":
      "until when the material may be used, such as 2027-01-02T03:04:05Z; for ever if left out",
    "--new": "rotate a key that has material already to this one",
    "--config FILE": "standalone: this node's configuration",
  },
  async run(args) {
    const { argument, options } = parseArgument(args, "one NAMESPACE/NAME", OPTIONS);
    const request = requestOf(options);
    const { name, target } = targetOf(argument, options);
    // Progress is not among the output that a program reads.
    const line = new ProgressLine(process.stderr, { seldom: true });
    const importing: Importing = {
      name: nameText(name),
      target,
      requestToken: randomUUID(),
      say: (text) => {
        line.clear();
        if (request.kind !== "parameters") print(`${printable(text)}\n`);
      },
      waitFor: (text) => line.show({ text }),
      pace: realPace,
      signal: stopSignal(),
    };
    const work =
      request.kind === "parameters"
        ? printParameters(importing, request.format)
        : runImport(importing, request);
    await work.finally(() => line.clear());
  },
};

type Request = ImportRequest | { readonly kind: "parameters"; readonly format: Format | undefined };

type Options = { readonly [K in Exclude<keyof typeof OPTIONS, "new" | "parameters">]?: string } & {
  readonly new?: boolean;
  readonly parameters?: boolean;
};

function requestOf(options: Options): Request {
  const { material, wrapped, token } = options;
  const format = formatOf(options.output);
  const ways = [material !== undefined, wrapped !== undefined, options.parameters === true];
  if (ways.filter(Boolean).length !== 1 || (wrapped === undefined) !== (token === undefined)) {
    throw new UsageError(
      "one of --material FILE, --wrapped FILE with --token FILE, and --parameters is needed",
    );
  }
  const rest = {
    ...(options.new && { importType: "NEW_KEY_MATERIAL" as const }),
    ...expiryOf(options.expires),
  };
  const algorithm = algorithmOf(options.algorithm);
  if (material !== undefined) return { kind: "material", file: material, algorithm, rest };
  if (wrapped !== undefined && token !== undefined) {
    return { kind: "wrapped", file: wrapped, tokenFile: token, algorithm, rest };
  }
  return { kind: "parameters", format };
}

function algorithmOf(name: string | undefined): WrappingAlgorithm {
  const algorithm = WRAPPING_ALGORITHMS.find((known) => known === (name ?? "RSAES_OAEP_SHA_256"));
  if (algorithm !== undefined) return algorithm;
  throw new UsageError(`--algorithm takes ${WRAPPING_ALGORITHMS.join(", ")}`);
}

function expiryOf(time: string | undefined): Pick<Partial<ImportSpec>, "expirationModel" | "validTo"> {
  if (time === undefined) return {};
  // A time without a zone would be another moment on each machine.
  if (!/^\d{4}-\d{2}-\d{2}T.*(Z|[+-]\d{2}:\d{2})$/i.test(time) || Number.isNaN(Date.parse(time))) {
    throw new UsageError("--expires takes a time with its zone, such as 2027-01-02T03:04:05Z");
  }
  return { expirationModel: "KEY_MATERIAL_EXPIRES", validTo: new Date(time).toISOString() };
}

function targetOf(
  argument: string,
  options: Options,
): { readonly name: ObjectName; readonly target: ImportTarget } {
  const node = options.config === undefined ? undefined : readConfig(options.config);
  if (node?.resources.kind === "manifests" && options.kubeconfig === undefined) {
    const name = nameOf(argument, options.namespace, () => "default");
    return { name, target: standaloneTarget(node.resources.folder, node, name) };
  }
  const name = nameInCluster(argument, options);
  return { name, target: clusterTarget(accessOf(options), name) };
}

async function printParameters(importing: Importing, format: Format | undefined): Promise<void> {
  const { publicKey, importToken, algorithms, validTo } = await interruptible(importing, () =>
    parametersOf(importing),
  );
  print(
    format
      ? render({ publicKey, importToken, algorithms, validTo }, format)
      : `${publicKey}\nimport token, valid until ${validTo}:\n${importToken}\n`,
  );
}

/**
 * Imports material, from the offer until the version is on every node. Throws the reason why not, and leaves
 * nothing behind if it is interrupted.
 */
export async function runImport(importing: Importing, request: ImportRequest): Promise<void> {
  const number = await interruptible(importing, (offered) => offer(importing, request, offered));
  try {
    await untilCurrent(importing, number);
  } catch (error) {
    if (!importing.signal.aborted) throw error;
    throw interrupted(`version ${number} has the material, and goes to the nodes without this command`);
  }
}

/**
 * Offers the material, waits until the leader has processed it, and removes the offer. Returns the number of
 * its version.
 */
async function offer(
  importing: Importing,
  request: ImportRequest,
  offered: (digest: string | undefined) => void,
): Promise<number> {
  const { name, target, requestToken, say } = importing;
  const wrapped = request.kind === "wrapped" ? wrappedOffer(request) : await wrapHere(importing, request);
  const spec = { ...wrapped, ...request.rest, requestToken };
  offered(offerOf(spec)?.digest);
  await target.write(spec);
  say(`the wrapped material is in spec.import of ${name}; waiting for the leading operator to import it`);
  const after = await untilProcessed(importing, spec);
  const removed = await target.takeOut(requestToken);
  const imported = conditionOf(after.status?.conditions, "Imported");
  if (imported?.status !== "True") {
    throw new ClavigerError(
      "InvalidArgument",
      `nothing was imported: ${imported?.message ?? "no reason given"}`,
    );
  }
  say(
    `${imported.message}; spec.import ${removed ? "was removed" : "has another offer by now, which stays"}`,
  );
  return after.status?.import?.processed?.number ?? 0;
}

/** Withdraws the request or the offer if the process is interrupted. */
async function interruptible<T>(
  importing: Importing,
  work: (offered: (digest: string | undefined) => void) => Promise<T>,
): Promise<T> {
  let digest: string | undefined;
  try {
    return await work((of) => {
      digest = of;
    });
  } catch (error) {
    if (importing.signal.aborted) throw interrupted(await takeBack(importing, digest));
    throw digest === undefined || codeOf(error) !== "ApiServer" ? error : leftBehind(importing, error);
  }
}

const leftBehind = ({ name }: Importing, cause: unknown): ClavigerError =>
  new ClavigerError(
    "ApiServer",
    `${messageOf(cause)}; spec.import of ${name} may have the offer yet: see its condition Imported, and take spec.import out`,
    { cause },
  );

const interrupted = (what: string): ClavigerError =>
  new ClavigerError("NotReady", `the import was interrupted: ${what}`);
