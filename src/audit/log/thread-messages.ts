import type { FileReason } from "./own-events.ts";

/** The messages to the thread that writes. */
export type ToWriter =
  | { readonly kind: "append"; readonly lines: readonly string[]; readonly now: number }
  | { readonly kind: "checkpoint"; readonly now: number }
  | { readonly kind: "close"; readonly now: number };

/** Its answers, one to each message but the last. */
export type FromWriter =
  | { readonly kind: "done"; readonly newFile?: FileReason | undefined }
  | { readonly kind: "failed"; readonly message: string };
