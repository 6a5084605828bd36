import type { Caller } from "../caller.ts";
import type { CallerCredential } from "../credentials/static-credentials.ts";
import type { WireRequest } from "../door/handler.ts";
import { type CredentialName, SignatureVerifier } from "../sigv4/signature-verifier.ts";

/** Finds the credential of an access key id, and of the session token if the request has one. */
export type FindCredential = (
  name: CredentialName,
  now: number,
) => CallerCredential | undefined | Promise<CallerCredential | undefined>;

/** Finds out who signed a request. */
export class Authenticator {
  readonly #verifier: SignatureVerifier;
  readonly #find: FindCredential;

  constructor(region: string, find: FindCredential) {
    this.#verifier = new SignatureVerifier({ region, service: "kms" });
    this.#find = find;
  }

  /** Returns the caller. Throws AwsError if nobody known has signed the request at this time. */
  async authenticate(request: WireRequest, now: number): Promise<Caller> {
    const claim = this.#verifier.claimOf(request);
    return this.#verifier.check(claim, await this.#find(claim.name, now), now).caller;
  }
}
