import { type Document, parseAllDocuments } from "yaml";
import { ClavigerError, messageOf } from "./errors.ts";
import type { ObjectName } from "./keyring/rows.ts";

/** What Kubernetes takes for a name. */
export const DNS_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** A mapping of the file, which remembers what was asked for, so that a misspelt field is an error. */
export class Section {
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

  static root(text: string, file: string): Section {
    const documents = parseAllDocuments(text);
    const [document] = documents;
    if (document === undefined || documents.length !== 1) {
      throw new ClavigerError("ConfigInvalid", `configuration ${file} must hold exactly one YAML document`);
    }
    const [error] = document.errors;
    if (error !== undefined)
      throw new ClavigerError("ConfigInvalid", `configuration ${file}: ${error.message}`);
    const value = plain(document, file);
    if (!isMapping(value))
      throw new ClavigerError("ConfigInvalid", `configuration ${file} must be a mapping`);
    return new Section(file, "", value);
  }

  wrong(field: string, what: string): ClavigerError {
    const at = `${this.#where}${field}`.replace(/\.$/, "");
    return new ClavigerError(
      "ConfigInvalid",
      `configuration ${this.#file}: ${at === "" ? "it" : at} ${what}`,
    );
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

/** Anchors that unfold without end show only now. */
function plain(document: Document, file: string): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    throw new ClavigerError("ConfigInvalid", `configuration ${file}: ${messageOf(cause)}`, { cause });
  }
}

const isMapping = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
