import { ClavigerError } from "../errors.ts";
import type { ObjectName } from "../names.ts";
import { parseYaml } from "./bounded-yaml.ts";

/**
 * The length and characters of a Kubernetes name (an RFC 1123 subdomain). The labels between the dots are not
 * checked: `a..b` matches too.
 */
export const DNS_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** A mapping of the file. It records which fields were read, so that a misspelt field is an error. */
export class Section {
  /** The noun and the path at the beginning of messages. */
  readonly #file: string;
  readonly #where: string;
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #asked = new Set<string>();
  readonly #children: Section[] = [];

  private constructor(file: string, where: string, values: object) {
    this.#file = file;
    this.#where = where;
    this.#values = new Map(Object.entries(values));
  }

  /**
   * Reads the single mapping of a text. Messages begin with the noun and the path, and quote no value. Throws
   * ConfigInvalid.
   */
  static root(text: string, path: string, noun = "configuration"): Section {
    const file = `${noun} ${path}`;
    const documents = parseYaml(text, file);
    const [first] = documents;
    if (first === undefined || documents.length !== 1) {
      throw new ClavigerError("ConfigInvalid", `${file} must hold exactly one YAML document`);
    }
    if (!isMapping(first.value)) throw new ClavigerError("ConfigInvalid", `${file} must be a mapping`);
    return new Section(file, "", first.value);
  }

  /** Reads a text that is one list of mappings, with messages as those of `root`. Throws ConfigInvalid. */
  static entries(text: string, path: string, noun: string): Section[] {
    const file = `${noun} ${path}`;
    const [first, ...others] = parseYaml(text, file);
    const entries = first?.value;
    if (others.length > 0 || !Array.isArray(entries))
      throw new ClavigerError("ConfigInvalid", `${file} must be a list`);
    return entries.map((entry: unknown, index) => {
      if (!isMapping(entry))
        throw new ClavigerError("ConfigInvalid", `${file}: [${index}] must be a mapping`);
      return new Section(file, `[${index}].`, entry);
    });
  }

  wrong(field: string, what: string): ClavigerError {
    const at = `${this.#where}${field}`.replace(/\.$/, "");
    return new ClavigerError("ConfigInvalid", `${this.#file}: ${at === "" ? "it" : at} ${what}`);
  }

  take(field: string): unknown {
    this.#asked.add(field);
    return this.#values.get(field) ?? undefined;
  }

  optionalText(field: string, pattern?: RegExp): string | undefined {
    const value = this.take(field);
    if (value === undefined) return undefined;
    if (typeof value !== "string" || value === "") throw this.wrong(field, "must be text");
    if (pattern !== undefined && !pattern.test(value))
      throw this.wrong(field, `must match ${pattern.source}`);
    return value;
  }

  text(field: string, pattern?: RegExp): string {
    const value = this.optionalText(field, pattern);
    if (value === undefined) throw this.wrong(field, "is missing");
    return value;
  }

  expectText(field: string, expected: string): void {
    if (this.text(field) !== expected) throw this.wrong(field, `must be ${expected}`);
  }

  optionalInteger(field: string): number | undefined {
    const value = this.take(field);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      throw this.wrong(field, "must be a whole number");
    }
    return value;
  }

  optionalBoolean(field: string): boolean | undefined {
    const value = this.take(field);
    if (value === undefined) return undefined;
    if (typeof value !== "boolean") throw this.wrong(field, "must be true or false");
    return value;
  }

  optionalObjectName(field: string): ObjectName | undefined {
    const value = this.optionalText(field);
    if (value === undefined) return undefined;
    const [namespace = "", name = "", ...rest] = value.split("/");
    if (!DNS_NAME.test(namespace) || !DNS_NAME.test(name) || rest.length > 0) {
      throw this.wrong(field, "must be NAMESPACE/NAME");
    }
    return { namespace, name };
  }

  optionalSection(field: string): Section | undefined {
    const value = this.take(field);
    if (value === undefined) return undefined;
    return this.#child(field, value);
  }

  section(field: string): Section {
    const section = this.optionalSection(field);
    if (section === undefined) throw this.wrong(field, "is missing");
    return section;
  }

  sections(field: string): Section[] {
    const value = this.take(field);
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw this.wrong(field, "must be a list");
    return value.map((entry: unknown, index) => this.#child(`${field}[${index}]`, entry));
  }

  /** Returns a list of texts, empty if the field is missing. */
  texts(field: string, pattern?: RegExp): string[] {
    const value = this.take(field);
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw this.wrong(field, "must be a list");
    return value.map((entry: unknown, index) => {
      const at = `${field}[${index}]`;
      if (typeof entry !== "string" || entry === "") throw this.wrong(at, "must be text");
      if (pattern !== undefined && !pattern.test(entry)) throw this.wrong(at, `must match ${pattern.source}`);
      return entry;
    });
  }

  refuseUnknown(): void {
    const unknown = [...this.#values.keys()].find((field) => !this.#asked.has(field));
    if (unknown !== undefined) throw this.wrong(unknown, "is not a field that claviger knows");
    for (const child of this.#children) child.refuseUnknown();
  }

  #child(field: string, value: unknown): Section {
    if (!isMapping(value)) throw this.wrong(field, "must be a mapping");
    const child = new Section(this.#file, `${this.#where}${field}.`, value);
    this.#children.push(child);
    return child;
  }
}

const isMapping = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
