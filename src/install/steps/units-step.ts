import type { Change, RunChange } from "../changes.ts";
import { placeOf, type Site } from "../site.ts";
import { act, done, type Step, type StepPlan } from "../step.ts";
import { exists, textOf } from "../text-file.ts";
import { thisProgram, UNITS, unitFiles } from "./units.ts";

const systemctl = (...args: readonly string[]): RunChange => ({ kind: "run", command: "systemctl", args });

/** Plugin and operator as systemd services, in place of static pods. Units that exist are kept. */
export const unitsStep = (site: Site): Step => ({
  name: "systemd units",
  plan: async () => {
    const files = [...unitFiles(thisProgram())].map(([path, wanted]) => ({
      path,
      wanted,
      before: textOf(placeOf(site, path)),
    }));
    const { code } = await site.run("systemctl", ["is-active", "--quiet", ...UNITS]);
    return decideUnits(files, code === 0);
  },
});

interface UnitFile {
  readonly path: string;
  readonly wanted: string;
  readonly before: string | undefined;
}

export function decideUnits(files: readonly UnitFile[], active: boolean): StepPlan {
  const missing = files.filter(({ before }) => before === undefined);
  if (missing.length === 0 && active) return done(`${UNITS.join(" and ")} are active`);
  const changes: Change[] = missing.map(({ path, wanted, before }) => ({
    kind: "file",
    path,
    mode: 0o644,
    before,
    after: wanted,
  }));
  return act("write and start them", [
    ...changes,
    systemctl("daemon-reload"),
    systemctl("enable", "--now", ...UNITS),
  ]);
}

/** Returns the changes that stop the units and remove them; none if there are none. */
export function unitRemovals(site: Site): Change[] {
  const there = [...unitFiles(thisProgram()).keys()].filter((path) => exists(placeOf(site, path)));
  if (there.length === 0) return [];
  return [
    systemctl("disable", "--now", ...UNITS),
    ...there.map((path) => ({ kind: "remove", path }) as const),
    systemctl("daemon-reload"),
  ];
}
