import type { Seal } from "./seal.ts";

/** The root key of a node, as one provider of seals reaches it. */
export interface RootKey {
  /** Name of the root key in messages: the path of its file. */
  readonly text: string;
  /**
   * Reads the root key and returns a seal that uses it. Throws SealUnavailable, which says what is wrong
   * and what to do: that depends on whether anything of this node is sealed under a root key.
   */
  open(anySealed: boolean): Seal;
  /** Returns the rootKeyId of the root key that is there now, and keeps nothing of it. Throws as `open` does. */
  identify(anySealed: boolean): string;
  /** Returns a text that changes if another root key may be there. Never throws, and takes no time: timers call it. */
  appearance(): string;
}
