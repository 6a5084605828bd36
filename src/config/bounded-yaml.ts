import {
  Composer,
  type Document,
  type DocumentOptions,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type ParseOptions,
  Parser,
  type SchemaOptions,
  type YAMLError,
} from "yaml";
import { ClavigerError } from "../errors.ts";

/** Every text that claviger reads as YAML is far shorter. A text of this length takes up to three seconds. */
export const MAX_YAML_BYTES = 512 * 1024;
const MAX_DOCUMENTS = 5_000;
/** The parser's time grows faster than the square of this, and it recurses. */
const MAX_NESTING = 100;
/** As many aliases as the parser expands. */
const MAX_ALIASES = 100;

/** A document and its plain value. */
export interface YamlDocument {
  readonly document: Document.Parsed;
  readonly value: unknown;
}

/**
 * Parses all documents of a text, in a time that grows linearly with its length. Throws ConfigInvalid, which
 * begins with `what` and names the position of the fault. It never quotes the text, which may be a file of
 * secrets that was named by mistake.
 */
export function parseYaml(text: string, what: string): YamlDocument[] {
  const lines = new LineCounter();
  const refuse = refusal(what, lines);
  mustFit(text, what);
  const documents: YamlDocument[] = [];
  for (const document of composed(text, lines, refuse)) {
    const [error] = document.errors;
    if (error !== undefined) refuse(error.pos[0], faultOf(error));
    if (documents.length === MAX_DOCUMENTS)
      refuse(document.range[0], `begins document ${MAX_DOCUMENTS + 1}, and there may be ${MAX_DOCUMENTS}`);
    checkNodes(document, refuse);
    documents.push({ document, value: plainOf(document, what) });
  }
  return documents;
}

/** Throws ConfigInvalid for a fault at a position of the text. */
export type Refuse = (position: number, fault: string) => never;

/**
 * Composes the documents of a text one by one, as parseAllDocuments does, but checks how deep the text is
 * nested before anything recurses.
 */
export function* composed(
  text: string,
  lines: LineCounter,
  refuse: Refuse,
  options: ParseOptions & DocumentOptions & SchemaOptions = {},
): Generator<Document.Parsed> {
  const parser = new Parser(lines.addNewLine);
  // The parser's own check for duplicate keys compares each key with each: see checkNodes.
  const composer = new Composer({ ...options, uniqueKeys: false, prettyErrors: false, logLevel: "error" });
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) yield* composer.next(token);
    if (parser.stack.length > MAX_NESTING) refuse(parser.offset, "is nested too deep");
  }
  for (const token of parser.end()) yield* composer.next(token);
  yield* composer.end();
}

/** Throws ConfigInvalid if a text is longer than any that claviger reads as YAML. */
export function mustFit(text: string, what: string): void {
  if (Buffer.byteLength(text) <= MAX_YAML_BYTES) return;
  throw new ClavigerError("ConfigInvalid", `${what} has more than ${MAX_YAML_BYTES} bytes of YAML`);
}

/** Makes a function that refuses a text and names the line and the column. */
export const refusal =
  (what: string, lines: LineCounter): Refuse =>
  (position, fault) => {
    const { line, col } = lines.linePos(position);
    throw new ClavigerError("ConfigInvalid", `${what}: line ${line}, column ${col} ${fault}`);
  };

export const faultOf = ({ code }: YAMLError): string => `is not YAML (${code})`;

/** Refuses legal YAML that is never meant, or that costs more than its length suggests. */
function checkNodes(document: Document.Parsed, refuse: Refuse): void {
  let aliases = 0;
  const check = (node: unknown): void => {
    if (isAlias(node)) {
      aliases += 1;
      if (aliases > MAX_ALIASES) refuse(startOf(node), "is one alias too many");
    } else if (isSeq(node)) {
      for (const item of node.items) check(item);
    } else if (isMap(node)) {
      const seen = new Set<string>();
      for (const { key, value } of node.items) {
        if (!isScalar(key)) refuse(startOf(key ?? node), "is a key that is no text");
        else if (seen.has(String(key.value))) refuse(startOf(key), "is a key that its mapping has already");
        else seen.add(String(key.value));
        check(value);
      }
    }
  };
  check(document.contents);
}

export const startOf = (node: unknown): number => (node as Node).range?.[0] ?? 0;

/** Only now do aliases without an anchor, and aliases that expand without end, become visible. */
function plainOf(document: Document.Parsed, what: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    throw new ClavigerError("ConfigInvalid", `${what}: its anchors cannot be unfolded`);
  }
}
