import { StsDraft } from "../audit/sts-draft.ts";
import { AwsError } from "../aws-error.ts";
import type { Caller } from "../caller.ts";
import type { SessionCredentials } from "../sessions/session-credentials.ts";
import { Shares } from "../shares.ts";
import {
  type Credential,
  type CredentialName,
  SignatureVerifier,
  type SignedRequest,
} from "../sigv4/signature-verifier.ts";
import { assumeRoleAnswer, errorAnswer, identityAnswer } from "./sts-answers.ts";
import { StsError, type StsErrorCode, stsErrorOf } from "./sts-error.ts";
import { parseForm } from "./sts-form.ts";
import { type AssumeRoleRequest, readStsRequest, type StsRequest } from "./sts-request.ts";
import {
  decideSession,
  type Reviewed,
  refuseExpired,
  type TokenReviewer,
  tokenExpiry,
} from "./web-identity.ts";

/** The credential of a caller of GetCallerIdentity. */
interface CallerCredential extends Credential {
  readonly caller: Caller;
}

/** What exchanges the tokens of ServiceAccounts for sessions. */
export interface WebIdentity {
  readonly reviewer: TokenReviewer;
  readonly sessions: Pick<SessionCredentials, "issue">;
}

export interface StsServiceOptions {
  readonly region: string;
  readonly account: string;
  /** Absent if no sessions are configured. */
  readonly webIdentity?: WebIdentity | undefined;
  /** Finds a credential of any kind. */
  readonly find: (
    name: CredentialName,
    now: number,
  ) => CallerCredential | undefined | Promise<CallerCredential | undefined>;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Logs a failure that the client is not told. */
  readonly report: (requestId: string, error: unknown) => void;
}

/** An answer in XML. */
export interface StsAnswer {
  readonly status: number;
  readonly body: string;
  /** Absent if the request names no action that is served, or could not be read. */
  readonly action?: StsRequest["action"] | undefined;
  readonly error?: StsErrorCode;
  /** The text of the error. */
  readonly message?: string;
}

/** Reviews at once. Whoever asks is not authenticated yet, and each question costs the API server time. */
const MOST_REVIEWS = 16;
/** Reviews at once for one address: a client that floods must not keep all others from their sessions. */
const REVIEWS_OF_ONE_ADDRESS = 4;

/** A request, with the IP address of its client if it is known. */
export interface StsWireRequest extends SignedRequest {
  readonly address?: string | undefined;
}

/** AWS STS: sessions for ServiceAccounts, and who a caller is. */
export class StsService {
  readonly #options: StsServiceOptions;
  readonly #verifier: SignatureVerifier;
  readonly #places = new Shares(MOST_REVIEWS, REVIEWS_OF_ONE_ADDRESS);

  constructor(options: StsServiceOptions) {
    this.#options = options;
    this.#verifier = new SignatureVerifier({ region: options.region, service: "sts" });
  }

  /** Answers a request. Never rejects. `draft` takes the facts for its record. */
  async answer(id: string, wire: StsWireRequest, draft = new StsDraft()): Promise<StsAnswer> {
    let action: StsRequest["action"] | undefined;
    try {
      const request = readStsRequest(parseForm(wire.body));
      action = request.action;
      return { status: 200, action, body: await this.#answer(request, id, wire, draft) };
    } catch (error) {
      return this.failure(id, action, error);
    }
  }

  /** Returns the answer for anything thrown. */
  failure(id: string, action: StsRequest["action"] | undefined, error: unknown): StsAnswer {
    const told = this.#toldOf(id, error);
    const { status, code, message } = told;
    return { status, action, error: code, message, body: errorAnswer(told, id) };
  }

  async #answer(request: StsRequest, id: string, wire: StsWireRequest, draft: StsDraft): Promise<string> {
    if (request.action === "AssumeRoleWithWebIdentity") {
      draft.asked(request);
      return this.#assumeRole(request, id, draft, wire.address);
    }
    const claim = this.#verifier.claimOf(wire);
    const now = this.#options.now();
    const { caller } = this.#verifier.check(claim, await this.#options.find(claim.name, now), now);
    draft.caller = caller;
    return identityAnswer(caller, this.#options.account, id);
  }

  async #assumeRole(request: AssumeRoleRequest, id: string, draft: StsDraft, address = ""): Promise<string> {
    const { account, webIdentity } = this.#options;
    if (webIdentity === undefined) throw new StsError("AccessDenied", "This API gives no sessions.");
    const now = this.#options.now();
    const expiry = tokenExpiry(request.token);
    refuseExpired(expiry, now);
    const reviewed = await this.#review(webIdentity.reviewer, request.token, { id, address });
    if (reviewed.authenticated) draft.user = reviewed.user;
    const allowed = decideSession(request, reviewed, expiry, account, now);
    const { sessionName } = request;
    const issued = await webIdentity.sessions.issue({ ...allowed, name: sessionName }, now);
    const session = { ...allowed, ...issued, account, sessionName };
    draft.issued(session);
    return assumeRoleAnswer(session, id);
  }

  async #review(
    reviewer: TokenReviewer,
    token: string,
    { id, address }: { readonly id: string; readonly address: string },
  ): Promise<Reviewed> {
    if (!this.#places.take(address)) throw new StsError("Throttling", "Rate exceeded");
    try {
      return await reviewer.review(token);
    } catch (error) {
      this.#options.report(id, error);
      // SDKs retry this error.
      throw new StsError("IDPCommunicationError", "The API server could not be asked about the token.");
    } finally {
      this.#places.release(address);
    }
  }

  #toldOf(id: string, error: unknown): StsError {
    if (error instanceof StsError) return error;
    if (error instanceof AwsError) return stsErrorOf(error);
    this.#options.report(id, error);
    return new StsError(
      "InternalFailure",
      `The request could not be answered; the log of claviger api says why, with request id ${id}.`,
    );
  }
}
