import type { TokenGrant } from "../../access/decide-access.ts";
import { GrantIndex } from "../../access/grant-index.ts";
import { makeGrantToken, readGrantToken, type TokenKey } from "../../access/grant-token.ts";
import { codeOf } from "../../errors.ts";
import type { GrantRow, GrantTerms } from "../../keyring/grant-row.ts";
import { LiveGrants } from "../../keyring/live/live-grants.ts";
import type { LiveKeyring } from "../../keyring/live/live-keyring.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import { AwsError } from "../aws-error.ts";

/** The grants of this node, and the tokens of this site. */
export class AwsGrants {
  readonly #seals: Pick<SealSource, "get">;
  #key: TokenKey | undefined;
  readonly #live: LiveGrants;
  readonly #keyring: Pick<LiveKeyring, "commits">;
  /** The `commits` of the keyring up to which the grants were read. */
  #commits: number | undefined;
  /** The grants in memory, for decisions and for lists. */
  readonly index = new GrantIndex();

  constructor(keyring: Pick<LiveKeyring, "path" | "commits">, seals: Pick<SealSource, "get">) {
    this.#seals = seals;
    this.#keyring = keyring;
    this.#live = new LiveGrants(keyring.path, this.index);
  }

  start(): void {
    this.#live.start();
  }

  close(): void {
    this.#live.close();
  }

  /** Reads what was committed up to the last commit that the keyring has sighted. */
  follow(): void {
    const { commits } = this.#keyring;
    if (commits !== this.#commits && this.#live.freshen()) this.#commits = commits;
  }

  /** Returns a grant as the keyring has it now; undefined if it has none of this id. */
  fresh(grantId: string): GrantRow | undefined {
    this.#live.freshen();
    return this.index.get(grantId);
  }

  /** True once the operator has recorded all grants, and every grant of the keyring is in memory. */
  get complete(): boolean {
    return this.#live.complete;
  }

  /** The reason why the keyring's file cannot be read at present, if so: the grants in memory continue to count. */
  get problem(): Error | undefined {
    return this.#live.problem;
  }

  /** The same, for an answer by what there is not. Throws DependencyTimeoutException while grants may be missing. */
  get wholeIndex(): GrantIndex {
    if (this.complete) return this.index;
    throw grantsMissing();
  }

  /** Returns the grants of a request's tokens. Throws SealUnavailable without a root key, and InvalidGrantTokenException if any was not made here. */
  tokens(texts: readonly string[] = []): readonly TokenGrant[] {
    if (texts.length === 0) return [];
    const key = this.#tokenKey();
    return texts.map((text) => {
      const grant = readGrantToken(text, key);
      if (grant !== undefined) return grant;
      throw new AwsError("InvalidGrantTokenException", "The grant token is not valid.");
    });
  }

  /** Makes the token of a grant. Throws ValidationException if its constraint is too long for a token. */
  tokenOf({ grantId, ...terms }: GrantTerms & Pick<GrantRow, "grantId">, now: number): string {
    try {
      return makeGrantToken({ ...terms, grantId, issuedAt: now }, this.#tokenKey());
    } catch (cause) {
      if (codeOf(cause) !== "InvalidArgument") throw cause;
      throw new AwsError("ValidationException", "The constraints of the grant are too long.", { cause });
    }
  }

  #tokenKey(): TokenKey {
    const seal = this.#seals.get();
    if (this.#key?.rootKeyId !== seal.rootKeyId)
      this.#key = { rootKeyId: seal.rootKeyId, key: seal.derive("grant-token") };
    return this.#key;
  }
}

/** The keyring is new or was opened a moment ago, or it cannot be read: see the log of claviger api. */
export const grantsMissing = (): AwsError =>
  new AwsError("DependencyTimeoutException", "This node does not have all grants yet: retry.");
