import { appearanceOf } from "../files/file-appearance.ts";

/** How soon an edited configuration is noticed. */
const LOOK_MILLISECONDS = 500;

/**
 * Calls `reload` at SIGHUP and when the configuration's file no longer has the appearance that it had when it
 * was read. It polls and does not use inotify: on a busy node there may be no watch left.
 */
export function watchConfiguration(path: string, appearance: string, reload: () => void): { close(): void } {
  process.on("SIGHUP", reload);
  let seen = appearance;
  const timer = setInterval(() => {
    const now = appearanceOf(path);
    if (now !== seen) reload();
    seen = now;
  }, LOOK_MILLISECONDS);
  return {
    close: () => {
      process.off("SIGHUP", reload);
      clearInterval(timer);
    },
  };
}
