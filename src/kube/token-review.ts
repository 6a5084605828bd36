import { fieldsOf } from "../json.ts";
import type { KubeClient } from "./client.ts";

/** The API server's answer about a token. */
export type TokenReviewed =
  | { readonly authenticated: true; readonly user: string; readonly groups: readonly string[] }
  | { readonly authenticated: false };

const REFUSED: TokenReviewed = { authenticated: false };

/**
 * Asks the API server (TokenReview of authentication.k8s.io/v1) whose tokens they are. A token counts only if it
 * was made for the audience: a token for the API server must not open another door.
 */
export class TokenReviews {
  readonly #client: Pick<KubeClient, "request">;
  readonly #audience: string;

  constructor(client: Pick<KubeClient, "request">, audience: string) {
    this.#client = client;
    this.#audience = audience;
  }

  /** Throws KubeError if the API server could not be asked. */
  async review(token: string): Promise<TokenReviewed> {
    const answer = await this.#client.request({
      method: "POST",
      path: "/apis/authentication.k8s.io/v1/tokenreviews",
      body: {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        spec: { token, audiences: [this.#audience] },
      },
    });
    return readReview(answer, this.#audience);
  }
}

/** Reads a TokenReview. An authenticator that knows no audiences names none, and has not compared them. */
function readReview(answer: unknown, audience: string): TokenReviewed {
  const { authenticated, audiences, user } = fieldsOf(fieldsOf(answer).status);
  const { username, groups } = fieldsOf(user);
  if (authenticated !== true || typeof username !== "string" || username === "") return REFUSED;
  if (!textsOf(audiences).includes(audience)) return REFUSED;
  return { authenticated: true, user: username, groups: textsOf(groups) };
}

const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((text) => typeof text === "string") : [];
