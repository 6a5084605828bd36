import { codeOf } from "../errors.ts";

/** A leader may write the object at the same moment. */
const MOST_ATTEMPTS = 8;

/**
 * Reads, decides and writes until nobody else has written in between: `attempt` is made again after each Conflict.
 * Throws the Conflict of the last of `most` attempts, and any other error at once.
 */
export async function retryConflicts<T>(attempt: () => Promise<T>, most = MOST_ATTEMPTS): Promise<T> {
  for (let count = 1; ; count += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (codeOf(error) !== "Conflict" || count >= most) throw error;
    }
  }
}
