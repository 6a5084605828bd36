import { resolve } from "node:path";
import { messageOf } from "../errors.ts";
import { readRegularText } from "../files/regular-file.ts";
import { type ArmorKind, armored, disarmed, MAX_ARMOR_BYTES } from "../install/join/armor.ts";
import { checkCode } from "../install/join/check-code.ts";
import { answerRequest, takeAnswer } from "../install/join/join.ts";
import { makeRequest } from "../install/join/request-file.ts";
import { PATHS } from "../install/paths.ts";
import { placeOf, type Site } from "../install/site.ts";
import { textOf, writeText } from "../install/text-file.ts";
import { type Command, needed, parseOptions, UsageError } from "./command.ts";
import { openSite } from "./site/install-site.ts";
import { print } from "./terminal/print.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

export const join: Command = {
  summary:
    "Bring the root key and the files of claviger to another control-plane node, encrypted, in a file that a person carries.",
  usage:
    "join --request FILE | --answer FILE --code CODE --out FILE | --open FILE --code CODE [--kubeconfig FILE] [--root FOLDER]",
  options: {
    "--request FILE": "on the new node: write a request into this file, and show its code",
    "--answer FILE": "on a node that has the root key: answer this request",
    "--open FILE": "on the new node: open the answer, once, and write the root key and the files",
    "--code CODE": "the code that the other node showed with the file",
    "--out FILE": "the file for the answer",
    "--kubeconfig FILE": "an administrator's kubeconfig; /etc/kubernetes/admin.conf if left out",
    "--root FOLDER": "the folder that stands for /",
  },
  async run(args) {
    const options = parseOptions(args, {
      request: { type: "string" },
      answer: { type: "string" },
      open: { type: "string" },
      code: { type: "string" },
      out: { type: "string" },
      kubeconfig: { type: "string" },
      root: { type: "string" },
    });
    const modes = [options.request, options.answer, options.open].filter((path) => path !== undefined);
    if (modes.length !== 1) throw new UsageError("one of --request, --answer and --open is needed");
    const { site, close } = openSite({ ...options, signal: stopSignal() });
    try {
      if (options.request !== undefined) return ask(site, options.request);
      if (options.answer !== undefined) return await answer(site, options.answer, options);
      await open(site, needed(options.open, "--open FILE"), options);
    } finally {
      close();
    }
  },
};

interface Options {
  readonly code?: string;
  readonly out?: string;
}

function ask(site: Site, path: string): void {
  const request = makeRequest(site, Date.now());
  writeText(resolve(path), armored("request", request), 0o644);
  print(`the request of node ${site.nodeName} is in ${path}; it is not secret, and is valid for a day

  its code: ${checkCode("request", request)}

Carry the file to a control-plane node that has the root key, and run there, with the code as you read it here:
  claviger join --answer ${path} --code CODE --out answer.txt
`);
}

async function answer(site: Site, path: string, options: Options): Promise<void> {
  const out = resolve(needed(options.out, "--out FILE"));
  const carried = { bytes: carriedIn(path, "request"), code: needed(options.code, "--code CODE") };
  const { nodeName, answer: bytes } = await answerRequest(site, carried, Date.now());
  writeText(out, armored("answer", bytes), 0o600);
  print(`the answer for node ${nodeName} is in ${out}; only that node can open it, once

  its code: ${checkCode("answer", bytes)}

Carry the file there, and run, with the code as you read it here:
  claviger join --open FILE --code CODE
`);
}

async function open(site: Site, path: string, options: Options): Promise<void> {
  const code = needed(options.code, "--code CODE");
  const { rootKeyId } = await takeAnswer(site, { bytes: carriedIn(path, "answer"), code });
  const runsApiServer = textOf(placeOf(site, PATHS.apiServer)) !== undefined;
  const next = runsApiServer
    ? "claviger init"
    : "kubeadm join … --control-plane: claviger serves this node's API server from its start";
  print(`this node has root key ${rootKeyId} and its files; the answer does not open again

Next, on this node: ${next}
`);
}

function carriedIn(path: string, kind: ArmorKind): Buffer {
  let text: string;
  try {
    text = readRegularText(path, { maxBytes: MAX_ARMOR_BYTES, pipes: true });
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${messageOf(error)}`);
  }
  return disarmed(kind, text);
}
