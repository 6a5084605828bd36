/**
 * Writes src/aws/model/kms-*.ts from AWS's service model of KMS, which botocore carries (Apache-2.0). Run it
 * when AWS adds to the API:
 *
 *   pip download botocore==VERSION --no-deps && unzip botocore-*.whl 'botocore/data/kms/*'
 *   node scripts/generate-aws-model.ts VERSION botocore/data/kms/2014-11-01/service-2.json.gz
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

interface Ref {
  readonly shape: string;
}

interface Shape {
  readonly type: string;
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly sensitive?: boolean;
  readonly required?: readonly string[];
  readonly members?: Readonly<Record<string, Ref>>;
  readonly member?: Ref;
  readonly key?: Ref;
  readonly value?: Ref;
}

interface Operation {
  readonly input?: Ref;
  readonly output?: Ref;
  readonly errors?: readonly Ref[];
}

interface Model {
  readonly operations: Readonly<Record<string, Operation>>;
  readonly shapes: Readonly<Record<string, Shape>>;
}

const FOLDER = join(import.meta.dirname, "..", "src", "aws", "model");

const [version, file] = process.argv.slice(2);
if (version === undefined || file === undefined) {
  console.error("usage: node scripts/generate-aws-model.ts VERSION service-2.json.gz");
  process.exit(2);
}
const model: Model = JSON.parse(gunzipSync(readFileSync(file)).toString("utf8"));
const operations = Object.entries(model.operations);
const used = reachable(operations.flatMap(([, { input, output }]) => [input, output]));
const structures = used.filter((name) => shapeOf(name).type === "structure");

write("kms-operations.ts", "OPERATIONS", "OPERATION INPUT OUTPUT ERROR …", operations.map(operationLine));
write(
  "kms-structures.ts",
  "STRUCTURES",
  "NAME MEMBER=SHAPE …; a needed member has a star",
  structures.map(structureLine),
);
write(
  "kms-values.ts",
  "VALUES",
  "NAME TYPE [MIN..MAX] [SHAPE or VALUE …] [sensitive] [~ PATTERN]",
  used.filter((name) => !structures.includes(name)).map(valueLine),
);

function shapeOf(name: string): Shape {
  const shape = model.shapes[name];
  if (shape === undefined) throw new Error(`the model has no shape ${name}`);
  return shape;
}

/** Returns the names of all shapes that the references lead to, sorted. */
function reachable(refs: readonly (Ref | undefined)[]): string[] {
  const seen = new Set<string>();
  const waiting = refs.flatMap((ref) => ref?.shape ?? []);
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const { members = {}, member, key, value } = shapeOf(name);
    waiting.push(...[...Object.values(members), member, key, value].flatMap((ref) => ref?.shape ?? []));
  }
  return [...seen].sort();
}

function operationLine([name, { input, output, errors = [] }]: [string, Operation]): string {
  return [name, input?.shape ?? "-", output?.shape ?? "-", ...errors.map(({ shape }) => shape)].join(" ");
}

function structureLine(name: string): string {
  const { members = {}, required = [] } = shapeOf(name);
  const parts = Object.entries(members).map(
    ([member, { shape }]) => `${member}${required.includes(member) ? "*" : ""}=${shape}`,
  );
  return [name, ...parts].join(" ");
}

function valueLine(name: string): string {
  const { type, min, max, pattern, enum: values = [], sensitive, member, key, value } = shapeOf(name);
  const refs = [member, key, value].flatMap((ref) => ref?.shape ?? []);
  const range = min === undefined && max === undefined ? [] : [`${min ?? ""}..${max ?? ""}`];
  const mark = sensitive === true ? ["sensitive"] : [];
  const end = pattern === undefined ? [] : ["~", pattern];
  return [name, type, ...range, ...refs, ...values, ...mark, ...end].join(" ");
}

function write(name: string, constant: string, format: string, lines: readonly string[]): void {
  const body = `\n${lines.join("\n")}\n`;
  const raw = body.includes("\\") ? "String.raw" : "";
  const text = [
    "/**",
    ` * Part of AWS's service model of KMS (botocore ${version}, Apache-2.0), by scripts/generate-aws-model.ts:`,
    ` * do not edit. A line is: ${format}.`,
    " */",
    `export const ${constant}: string = ${raw}\`${body}\`;`,
    "",
  ].join("\n");
  if (body.includes("`") || body.includes("${"))
    throw new Error(`${name}: the model has text that a template would change`);
  writeFileSync(join(FOLDER, name), text);
}
