import { constants, setPriority } from "node:os";

/** Lets this process compute only while no other wants to: tests of servers run beside it, and wait for them most of the time. */
export const giveWay = (): void => setPriority(constants.priority.PRIORITY_LOW);
