import { constants, setPriority } from "node:os";

/**
 * Lets this process compute only while no other process wants to: tests of servers run at the same time, and
 * wait most of the time.
 */
export const giveWay = (): void => setPriority(constants.priority.PRIORITY_LOW);
