import type { Command } from "./command.ts";
export const status: Command = { summary: "", usage: "status", async run() {} };
