import { setTimeout as sleep } from "node:timers/promises";
import { clearScreen, printStyled } from "../terminal/print.ts";

const PAUSE_MILLISECONDS = 2_000;

/**
 * Shows a text, and again each time it has changed, until the signal aborts. A terminal shows it in place;
 * elsewhere each text follows the one before.
 */
export async function watchScreen(
  look: () => Promise<string>,
  colour: boolean,
  signal: AbortSignal,
): Promise<void> {
  let shown: string | undefined;
  while (!signal.aborted) {
    const text = await look();
    if (text !== shown && !signal.aborted) {
      if (process.stdout.isTTY) clearScreen();
      else if (shown !== undefined) printStyled("\n", colour);
      printStyled(text, colour);
      shown = text;
    }
    await sleep(PAUSE_MILLISECONDS, undefined, { signal }).catch(() => undefined);
  }
}
