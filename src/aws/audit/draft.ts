import { randomUUID } from "node:crypto";
import type { DecidingRule } from "../../access/decide-access.ts";
import type { Caller } from "../caller.ts";

/** The facts of a request that its record needs, noted while the request is answered. */
export class Draft {
  /** The id of the record. */
  readonly eventId = randomUUID();
  /** Undefined until the signature was verified. */
  caller: Caller | undefined;
  /** The input, once the service model has accepted it. */
  input: object | undefined;
  output: object | undefined;
  /** The ARNs of the keys that the request needs. */
  keys: readonly string[] = [];
  /** The id of the material that has encrypted, if the answer does not have it. */
  materialId: string | undefined;
  readonly #rules: string[] = [];

  /** The rules that decided so far. */
  get rules(): readonly string[] {
    return this.#rules;
  }

  /** Forgets the rules of an earlier round, because the request names other keys now. */
  begin(): void {
    this.#rules.length = 0;
  }

  decided(rule: DecidingRule): void {
    this.#rules.push(textOf(rule));
  }
}

function textOf(rule: DecidingRule): string {
  if ("grantId" in rule) return `${rule.kind} ${rule.grantId}`;
  if ("statement" in rule) return `${rule.kind} ${rule.statement}`;
  return "verb" in rule ? `${rule.kind} ${rule.verb}` : rule.kind;
}
