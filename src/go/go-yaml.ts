import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Pair } from "yaml";
import { composed, faultOf, mustFit, type Refuse, refusal, startOf } from "../config/bounded-yaml.ts";
import { ClavigerError } from "../errors.ts";
import type { GoValue } from "./go-json.ts";
import { resolveGoScalar } from "./go-scalar.ts";
import { indentedWithinBrackets, notYaml11 } from "./yaml11.ts";

/** Scalars are kept as texts. resolveGoScalar says what they are in Go. */
const OPTIONS = { version: "1.1", schema: "failsafe", resolveKnownTags: false, merge: false } as const;
const MAX_DOCUMENTS = 5_000;
/** The number of nodes to which aliases may expand. */
const MAX_ALIASED = 100_000;
/** Characters that go-yaml's reader refuses. */
const CONTROL = /[^\t\n\r -~\u0085\u00a0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
/** Line breaks in YAML 1.1 but not for our parser, so the two would read a file differently. */
const SEPARATOR = /[\u2028\u2029]/;

/**
 * Reads the first document of a text as an API server reads its own configuration (sigs.k8s.io/yaml on
 * go-yaml v2, strict). Later documents are ignored. A duplicate key in a mapping is refused, also if a merge
 * brings it. Returns undefined if there is no document. Throws ConfigInvalid, which begins with `what` and
 * quotes nothing of the text.
 */
export function readGoYaml(text: string, what: string): GoValue | undefined {
  for (const document of documentsOf(text, what)) return document(true);
  return undefined;
}

/**
 * Reads every document of a text as kubectl reads manifests: a merge replaces earlier keys. A duplicate key
 * in a mapping, of which kubectl takes the last, is refused all the same.
 */
export function readGoYamlDocuments(text: string, what: string): readonly GoValue[] {
  const values: GoValue[] = [];
  for (const document of documentsOf(text, what)) {
    if (values.length === MAX_DOCUMENTS)
      throw new ClavigerError("ConfigInvalid", `${what} has more than ${MAX_DOCUMENTS} documents`);
    values.push(document(false));
  }
  return values;
}

function* documentsOf(text: string, what: string): Generator<(strict: boolean) => GoValue> {
  mustFit(text, what);
  const unbroken = text.replace(/\r\n?|\u0085/g, "\n");
  const control = CONTROL.exec(unbroken.replace(/^\uFEFF/, " ")) ?? SEPARATOR.exec(unbroken);
  if (control !== null)
    throw new ClavigerError("ConfigInvalid", `${what} has a control character, or one that separates lines`);
  for (const { document, source, refuse } of composedLeniently(unbroken, what)) {
    yield (strict) => {
      mustBeYaml11(document, source, refuse);
      return new Evaluation(document, strict, refuse).value();
    };
  }
}

interface Composed {
  readonly document: Document.Parsed;
  readonly source: string;
  readonly refuse: Refuse;
}

/**
 * YAML 1.1 has no rule for the indentation of lines within brackets or quotes, but our parser has YAML 1.2's
 * rule. If it finds a document wrong, the document is read again with such lines indented.
 */
function* composedLeniently(text: string, what: string): Generator<Composed> {
  let again: Generator<Composed, undefined> | undefined;
  let index = 0;
  let pulled = 0;
  for (const composed of composedOf(text, what)) {
    index += 1;
    if (composed.document.errors.length === 0) {
      yield composed;
      continue;
    }
    again ??= composedOf(indentedWithinBrackets(text), what);
    for (; pulled < index - 1; pulled += 1) again.next();
    pulled += 1;
    const other = again.next().value;
    yield other?.document.errors.length === 0 ? other : composed;
  }
}

function* composedOf(source: string, what: string): Generator<Composed, undefined> {
  const lines = new LineCounter();
  const refuse = refusal(what, lines);
  for (const document of composed(source, lines, refuse, OPTIONS)) yield { document, source, refuse };
}

function mustBeYaml11(document: Document.Parsed, source: string, refuse: Refuse): void {
  const { errors, warnings, directives, range } = document;
  const fault = errors[0] ?? warnings.find(({ code }) => code === "BAD_DIRECTIVE");
  if (fault !== undefined) refuse(fault.pos[0], faultOf(fault));
  const { explicit, version } = directives?.yaml ?? {};
  if (explicit === true && version !== "1.1") refuse(range[0], "is not YAML 1.1");
  const odd = notYaml11(document, source);
  if (odd !== undefined) refuse(odd, "is not YAML 1.1");
}

/** Evaluates a document as go-yaml's decoder does. */
class Evaluation {
  readonly #document: Document.Parsed;
  readonly #strict: boolean;
  readonly #refuse: Refuse;
  /** Maps each alias to the anchor before it in the text. */
  readonly #targets = new Map<Alias, unknown>();
  readonly #open = new Set<unknown>();
  #decoded = 0;
  #aliased = 0;
  #aliasDepth = 0;

  constructor(document: Document.Parsed, strict: boolean, refuse: Refuse) {
    this.#document = document;
    this.#strict = strict;
    this.#refuse = refuse;
  }

  value(): GoValue {
    this.#bind(this.#document.contents, new Map());
    return this.#valueOf(this.#document.contents);
  }

  #bind(node: unknown, anchors: Map<string, unknown>): void {
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target === undefined) this.#refuse(startOf(node), "is an alias without an anchor");
      this.#targets.set(node, target);
      return;
    }
    if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined) {
      anchors.set(node.anchor, node);
    }
    if (isSeq(node)) for (const item of node.items) this.#bind(item, anchors);
    if (isMap(node)) {
      for (const { key, value } of node.items) {
        this.#bind(key, anchors);
        this.#bind(value, anchors);
      }
    }
  }

  #valueOf(node: unknown): GoValue {
    this.#count(node);
    if (isAlias(node)) return this.#follow(node, (target) => this.#valueOf(target));
    if (isSeq(node)) return node.items.map((item) => this.#valueOf(item));
    if (!isMap(node)) return this.#scalar(node);
    const entries = new Map<string, GoValue>();
    this.#fill(entries, node.items, new Set());
    return Object.fromEntries(entries);
  }

  #follow<T>(alias: Alias, use: (target: unknown) => T): T {
    const target = this.#targets.get(alias);
    if (this.#open.has(alias)) this.#refuse(startOf(alias), "is an alias of what it stands in");
    this.#open.add(alias);
    this.#aliasDepth += 1;
    const value = use(target);
    this.#aliasDepth -= 1;
    this.#open.delete(alias);
    return value;
  }

  /**
   * Applies Go's own limit on the expansion of aliases (allowedAliasRatio of go-yaml's decode.go), and ours.
   */
  #count(node: unknown): void {
    this.#decoded += 1;
    if (this.#aliasDepth > 0) this.#aliased += 1;
    const many = this.#aliased > 100 && this.#decoded > 1_000 && this.#aliased / this.#decoded > 0.99;
    if (many || this.#aliased > MAX_ALIASED) this.#refuse(startOf(node), "is one alias too many");
  }

  /** `own` has the keys of the mapping itself. A merge may bring other keys twice. */
  #fill(entries: Map<string, GoValue>, pairs: readonly Pair[], own: Set<string>): void {
    for (const { key, value } of pairs) {
      if (isMerge(key)) {
        this.#merge(entries, value);
        continue;
      }
      const name = this.#name(key);
      if (own.has(name) || (this.#strict && entries.has(name)))
        this.#refuse(startOf(key), "is a key that its mapping has already");
      own.add(name);
      entries.set(name, this.#valueOf(value));
    }
  }

  #merge(entries: Map<string, GoValue>, node: unknown): void {
    if (isSeq(node)) {
      for (const item of node.items.toReversed()) this.#mergeOne(entries, item);
    } else this.#mergeOne(entries, node);
  }

  #mergeOne(entries: Map<string, GoValue>, node: unknown): void {
    this.#count(node);
    if (isAlias(node)) {
      this.#follow(node, (target) => {
        if (!isMap(target)) this.#refuse(startOf(node), "is merged and is not a mapping");
        else this.#mergeOne(entries, target);
      });
    } else if (isMap(node)) this.#fill(entries, node.items, new Set());
    else this.#refuse(startOf(node), "is merged and is not a mapping");
  }

  #name(key: unknown): string {
    const value = this.#valueOf(key);
    if (value === null || typeof value === "object") this.#refuse(startOf(key), "is a key that is no text");
    return String(value);
  }

  #scalar(node: unknown): GoValue {
    if (node === null || node === undefined) return null;
    if (!isScalar(node)) return null;
    const text = node.source ?? "";
    if (node.tag === undefined && node.type !== "PLAIN") return text;
    const value = resolveGoScalar(text, node.tag);
    if (value === undefined) this.#refuse(startOf(node), "is not of the type that its tag says");
    if (typeof value === "number" && !Number.isFinite(value))
      this.#refuse(startOf(node), "is a number that JSON lacks");
    return value as GoValue;
  }
}

const isMerge = (key: unknown): boolean =>
  isScalar(key) &&
  key.source === "<<" &&
  ((key.tag === undefined && key.type === "PLAIN") || key.tag === "!" || key.tag === MERGE_TAG);

const MERGE_TAG = "tag:yaml.org,2002:merge";
