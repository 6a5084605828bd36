import { codeOf } from "../../errors.ts";
import type { KubeClient } from "../../kube/client.ts";
import { objectPath } from "../../kube/paths.ts";
import type { ApplyRequest, KubeRequest } from "../../kube/request.ts";
import type { KeyVersion, Kind, MasterKey } from "../../resources/resources.ts";

/**
 * How long a write in flight may take at a stop. A server that does not answer by then does not delay the
 * stop.
 */
const LAST_WRITES_MILLISECONDS = 3_000;

/** The fields by which a write names its object. Without a resourceVersion the object is created. */
export interface Written {
  readonly name: string;
  readonly namespace?: string;
  readonly resourceVersion?: string;
}

/** A JSON merge patch (RFC 7396): null removes. */
interface Patch {
  readonly metadata?: { readonly finalizers: readonly string[] };
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** Asks the watch of a kind to show that an object has changed since this resourceVersion. */
export type Expect = (kind: Kind, object: Written, resourceVersion: string | undefined) => void;

/** Writes to the API server, until a moment after the stop; the watch has to show each write. */
export class ObjectWriter {
  readonly #client: KubeClient;
  readonly #expect: Expect;
  readonly #end = new AbortController();

  constructor(client: KubeClient, expect: Expect) {
    this.#client = client;
    this.#expect = expect;
  }

  /** Aborts when writes are given up. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** Gives up all writes a moment after `stop`: each may have happened or not, as with any crash, and the next start decides again. */
  endAfter(stop: AbortSignal): void {
    stop.addEventListener("abort", () => this.#endSoon(), { once: true });
  }

  write(call: KubeRequest): Promise<unknown> {
    return this.#client.request({ ...call, signal: this.signal });
  }

  apply(call: ApplyRequest): Promise<unknown> {
    return this.#client.apply({ ...call, signal: this.signal });
  }

  /** Changes an object as it was seen. Throws Conflict if it has changed since. */
  async patch({ kind, metadata }: MasterKey | KeyVersion, change: Patch): Promise<void> {
    const { uid, resourceVersion } = metadata;
    const patched = this.write({
      method: "PATCH",
      path: objectPath(kind, metadata),
      contentType: "application/merge-patch+json",
      body: { ...change, metadata: { uid, resourceVersion, ...change.metadata } },
    });
    await this.shown(kind, metadata, patched);
  }

  /**
   * Waits for a write, and expects the watch to show it, also if it was refused because the object had
   * changed. If the watch stalled, the same decision would be made and written again and again.
   */
  async shown(kind: Kind, metadata: Written, written: Promise<unknown>): Promise<unknown> {
    const { resourceVersion } = metadata;
    try {
      const answer = await written;
      const now = (answer as { readonly metadata?: { readonly resourceVersion?: string } } | undefined)
        ?.metadata;
      // A write that changes nothing causes no event.
      if (now?.resourceVersion !== resourceVersion) this.#expect(kind, metadata, resourceVersion);
      return answer;
    } catch (error) {
      if (codeOf(error) === "Conflict") this.#expect(kind, metadata, resourceVersion);
      throw error;
    }
  }

  #endSoon(): void {
    const reason = new Error(
      "the API server did not answer before this operator had to stop: the write was abandoned, and the next leader or start decides again",
    );
    setTimeout(() => this.#end.abort(reason), LAST_WRITES_MILLISECONDS).unref();
  }
}
