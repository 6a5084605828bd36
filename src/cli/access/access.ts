import { keyArn } from "../../aws/keys/key-name.ts";
import { ClavigerError } from "../../errors.ts";
import { type Command, formatOf, needed, OUTPUT, parseArguments, UsageError } from "../command.ts";
import { CLUSTER_OPTIONS } from "../site/target.ts";
import { didYouMean } from "../terminal/nearest.ts";
import { render } from "../terminal/output.ts";
import { print } from "../terminal/print.ts";
import { KEY_OPERATIONS, operationNamed } from "./asked-operation.ts";
import { callerNamed } from "./caller.ts";
import { explainReport, explainText } from "./explain-text.ts";
import { conditionsGiven, contextGiven } from "./given-pairs.ts";

const OPTIONS = {
  ...CLUSTER_OPTIONS,
  as: { type: "string" },
  "as-group": { type: "string", multiple: true },
  "encryption-context": { type: "string", multiple: true },
  condition: { type: "string", multiple: true },
  grant: { type: "string" },
  output: OUTPUT,
} as const;

const MODES = ["explain", "who"] as const;

export const access: Command = {
  summary:
    "Say if a principal may use a key by the AWS KMS API, and why (explain), or everybody who may (who).",
  usage:
    "access explain|who NAMESPACE/NAME [OPERATION] [--as PRINCIPAL] [--as-group GROUP] [--encryption-context PAIR] [--condition PAIR] [--grant ID] [-n NAMESPACE] [--context NAME] [--kubeconfig FILE | --config FILE] [-o json|yaml]",
  options: {
    "--as PRINCIPAL": "explain: an ARN, system:serviceaccount:NAMESPACE:NAME, or the name of a user",
    "--as-group GROUP": "a group of that user; may be given several times",
    "--encryption-context PAIR": "NAME=VALUE of the request's encryption context; may be given several times",
    "--condition PAIR":
      "KEY=VALUE of a condition key that the request decides, such as aws:SourceIp=192.0.2.1; may be given several times",
    "--grant ID": "the grant that a RetireGrant is to end, by its id or the name of its KeyGrant",
    "--config FILE": "a configuration: the keyring of a standalone node, or the kubeconfig of a node",
  },
  async run(args) {
    const { words, options } = parseArguments(args, OPTIONS);
    const [mode = "", key, operation, ...more] = words;
    if (!MODES.some((known) => known === mode))
      throw new UsageError(`access takes ${MODES.join(" or ")}${didYouMean(mode, MODES)}`);
    if (mode === "who" && key !== undefined && more.length === 0) return whoTo(key, operation, options);
    if (mode === "who") throw new UsageError("access who takes NAMESPACE/NAME, and OPERATION if you like");
    if (key === undefined || operation === undefined || more.length > 0)
      throw new UsageError("access explain takes NAMESPACE/NAME and OPERATION");
    return explainTo(key, operation, options);
  },
};

type Options = ReturnType<typeof parseArguments<typeof OPTIONS>>["options"];

async function explainTo(keyName: string, operation: string, options: Options): Promise<void> {
  const format = formatOf(options.output);
  const action = operationNamed(operation);
  const principal = needed(options.as, "--as PRINCIPAL");
  const texts = options["encryption-context"];
  const context = texts && contextGiven(texts);
  const given = conditionsGiven(options.condition ?? []);
  if (options.grant !== undefined && action !== "RetireGrant")
    throw new UsageError("--grant names the grant that a RetireGrant is to end");
  const { openSource } = await import("./source.ts");
  const { explain } = await import("./explain.ts");
  const source = await openSource(keyName, options);
  try {
    const { facts, isCluster } = source;
    const caller = callerNamed(principal, options["as-group"] ?? [], {
      account: facts.site.account,
      isCluster,
    });
    const asked = { caller, action, keyName, context, given, grant: options.grant, now: Date.now() };
    const explained = await explain(asked, facts, (verb) => source.askRbac(caller, verb));
    const report = explainReport(explained, keyArn(facts.key.keyId, facts.site));
    const width = process.stdout.columns ?? Number.POSITIVE_INFINITY;
    print(format === undefined ? explainText(report, width) : render(report, format));
    if (report.effect === "unknown") throw unknownAnswer(explained.rbac?.why);
  } finally {
    source.close();
  }
}

const OF_EXPLAIN = ["as", "as-group", "encryption-context", "condition", "grant"] as const;

async function whoTo(keyName: string, operation: string | undefined, options: Options): Promise<void> {
  const format = formatOf(options.output);
  const foreign = OF_EXPLAIN.find((name) => options[name] !== undefined);
  if (foreign !== undefined) throw new UsageError(`--${foreign} is an option of access explain`);
  const operations = operation === undefined ? KEY_OPERATIONS : [operationNamed(operation)];
  const { openSource } = await import("./source.ts");
  const { whoReport, whoText } = await import("./who.ts");
  const source = await openSource(keyName, options);
  try {
    const { who, missing } = await source.who(operations);
    const report = whoReport(operations, source.facts, { who, missing, now: Date.now() });
    const width = process.stdout.columns ?? Number.POSITIVE_INFINITY;
    print(format === undefined ? whoText(report, operations.length, width) : render(report, format));
    if (!report.complete) throw incomplete(missing);
  } finally {
    source.close();
  }
}

const incomplete = (missing: readonly string[]): ClavigerError =>
  new ClavigerError(
    "ApiServer",
    `the list is incomplete, because RBAC could not be read: use a kubeconfig whose user may list roles, rolebindings, clusterroles and clusterrolebindings: ${missing.join("; ")}`,
  );

const unknownAnswer = (why = ""): ClavigerError =>
  new ClavigerError(
    "ApiServer",
    `RBAC decides and could not be asked, so that the answer is not known: use a kubeconfig whose user may create subjectaccessreviews: ${why}`,
  );
