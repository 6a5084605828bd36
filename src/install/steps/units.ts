import { fileURLToPath } from "node:url";
import { PATHS } from "../paths.ts";

/** The program that a unit starts. */
export interface Program {
  readonly node: string;
  readonly claviger: string;
}

/** The program that runs this command: its Node.js and its package. */
export const thisProgram = (): Program => ({
  node: process.execPath,
  claviger: fileURLToPath(new URL("../../../bin/claviger.js", import.meta.url)),
});

/** The names of the units, as systemctl knows them. */
export const UNITS = ["claviger-plugin.service", "claviger-operator.service"] as const;

/** Returns the units of deploy/README.md by their paths, for a program at another place. */
export const unitFiles = ({ node, claviger }: Program): ReadonlyMap<string, string> =>
  new Map([
    [
      `${PATHS.units}/claviger-plugin.service`,
      `[Unit]
Description=claviger: KMS v2 sockets of the API server
Before=kubelet.service

[Service]
ExecStart=${node} --max-semi-space-size=1 ${claviger} plugin --config ${PATHS.config}
Restart=always
RestartSec=1
# A core dump would hold keys. 1 byte: with 0 Linux still gives dumps to a core_pattern program.
LimitCORE=1
NoNewPrivileges=yes

[Install]
WantedBy=multi-user.target
`,
    ],
    [
      `${PATHS.units}/claviger-operator.service`,
      `[Unit]
Description=claviger: follows the custom resources
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=${node} ${claviger} operator --config ${PATHS.config}
Restart=always
RestartSec=5
LimitCORE=1
NoNewPrivileges=yes

[Install]
WantedBy=multi-user.target
`,
    ],
  ]);
