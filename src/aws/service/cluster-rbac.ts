import type { RbacAnswer } from "../../access/decide-access.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import type { AccessQuestion } from "../../kube/access-review.ts";
import { putNewest } from "../../put-newest.ts";
import type { Caller } from "../caller.ts";
import { Shares } from "../shares.ts";
import type { RbacReply } from "./access.ts";

export interface ClusterRbacOptions {
  /** Asks the API server. Rejects if it cannot be asked. */
  readonly review: (question: AccessQuestion) => Promise<boolean>;
  /** Logs that the API server could not be asked. */
  readonly report: (error: unknown) => void;
  /** Milliseconds of a clock that never steps. */
  readonly now: () => number;
}

/** How long an answer counts. Whoever was just allowed should not wait long. */
const LIFE_MILLISECONDS: Readonly<Record<RbacAnswer, number>> = {
  allowed: 10_000,
  denied: 2_000,
  // An API server that is away is not asked for each call: each would wait for its timeout.
  unknown: 1_000,
  "not-asked": 0,
};
const MOST_ANSWERS = 10_000;
/** Questions at once. The API server's other clients come first. */
const MOST_QUESTIONS = 64;
/** Questions at once for one user: a user without rights must not take the questions of all others. */
const QUESTIONS_OF_ONE_USER = 8;

interface Answered {
  readonly answer: RbacAnswer;
  readonly until: number;
}

/** The RBAC of the API server, asked once for many calls. Nothing is allowed because it could not be asked. */
export class ClusterRbac {
  readonly #options: ClusterRbacOptions;
  readonly #answers = new Map<string, Answered>();
  readonly #asked = new Map<string, Promise<RbacAnswer>>();
  readonly #places = new Shares(MOST_QUESTIONS, QUESTIONS_OF_ONE_USER);

  constructor(options: ClusterRbacOptions) {
    this.#options = options;
  }

  /** Returns the answer to a verb on a key, or on the keys of the caller's namespace. Never rejects. */
  ask(caller: Caller, verb: string, key: KeyRow | undefined): RbacReply | Promise<RbacReply> {
    const { user, groups } = caller;
    const question = {
      user,
      groups,
      verb,
      ...(key === undefined ? { namespace: caller.namespace } : nameOf(key)),
    };
    const name = JSON.stringify([user, verb, question.namespace, key?.name, ...groups]);
    const known = this.#answers.get(name);
    if (known !== undefined && this.#options.now() < known.until) return known.answer;
    return this.#asked.get(name) ?? this.#question(name, question);
  }

  #question(name: string, question: AccessQuestion): RbacReply | Promise<RbacReply> {
    if (!this.#places.take(question.user)) return "throttled";
    const asked = this.#review(question).then((answer) => {
      this.#places.release(question.user);
      this.#asked.delete(name);
      const until = this.#options.now() + LIFE_MILLISECONDS[answer];
      putNewest(this.#answers, name, { answer, until }, MOST_ANSWERS);
      return answer;
    });
    this.#asked.set(name, asked);
    return asked;
  }

  async #review(question: AccessQuestion): Promise<RbacAnswer> {
    try {
      return (await this.#options.review(question)) ? "allowed" : "denied";
    } catch (error) {
      this.#options.report(error);
      return "unknown";
    }
  }
}

const nameOf = ({ namespace, name }: KeyRow) => ({ namespace, name });
