import { ClavigerError } from "../errors.ts";
import { applyChange } from "../install/apply-change.ts";
import { installSteps } from "../install/install-steps.ts";
import { runSteps } from "../install/run-steps.ts";
import { planText } from "../install/show-plan.ts";
import type { Site } from "../install/site.ts";
import { undoSteps } from "../install/undo/undo-steps.ts";
import { type Command, parseOptions, UsageError } from "./command.ts";
import { openSite } from "./site/install-site.ts";
import { POLL_MILLISECONDS, realPace } from "./terminal/patience.ts";
import { print } from "./terminal/print.ts";
import { ProgressLine } from "./terminal/progress.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

export const init: Command = {
  summary:
    "Install claviger on this control-plane node of kubeadm, step by step; run it again to continue. --dry-run shows the steps.",
  usage:
    "init [--dry-run] [--diff] [--wait] [--api] [--image IMAGE | --systemd] [--undo [--forget]] [--kubeconfig FILE] [--root FOLDER]",
  options: {
    "--dry-run": "print what each step would do, and change nothing",
    "--diff": "as --dry-run, with the lines of each file that would change",
    "--wait": "end only when the Secrets from before are encrypted too, and were counted in etcd",
    "--api":
      "the AWS KMS API too, as a static pod; claviger.yaml must have `aws`, and the node its certificate",
    "--image IMAGE": "the image of the static pods, as the container runtime knows it",
    "--systemd": "plugin and operator as systemd services that run this program, instead of static pods",
    "--undo":
      "take claviger away from this node: decrypt the Secrets, prove that nothing needs a key, and put the files back",
    "--forget": "with --undo: remove the root key and the keyring too, which backups of etcd need",
    "--kubeconfig FILE": "an administrator's kubeconfig; /etc/kubernetes/admin.conf if left out",
    "--root FOLDER": "the folder that stands for /, to prepare the files of a node",
  },
  async run(args) {
    const options = parseOptions(args, {
      "dry-run": { type: "boolean" },
      diff: { type: "boolean" },
      wait: { type: "boolean" },
      api: { type: "boolean" },
      image: { type: "string" },
      systemd: { type: "boolean" },
      undo: { type: "boolean" },
      forget: { type: "boolean" },
      kubeconfig: { type: "string" },
      root: { type: "string" },
    });
    mustBeRoot(options.root);
    const { site, close } = openSite({ ...options, signal: stopSignal() });
    const steps = stepsOf(site, options);
    try {
      if (options["dry-run"] === true || options.diff === true) {
        print(await planText(steps, options.diff === true));
      } else await runSteps(steps, runnerOf(site));
    } finally {
      close();
    }
  },
};

interface InitOptions {
  readonly wait?: boolean;
  readonly api?: boolean;
  readonly image?: string;
  readonly systemd?: boolean;
  readonly undo?: boolean;
  readonly forget?: boolean;
}

function stepsOf(
  site: Site,
  { wait = false, api = false, image, systemd = false, undo = false, forget = false }: InitOptions,
) {
  if (forget && !undo) throw new UsageError("--forget goes with --undo");
  if (undo) return undoSteps(site, { forget });
  if (systemd && image !== undefined) throw new UsageError("--systemd and --image exclude one another");
  if (systemd && api)
    throw new UsageError("--systemd and --api exclude one another: the API is a static pod");
  return installSteps(site, { wait, systemd, api, ...(image !== undefined && { image }) });
}

function mustBeRoot(root: string | undefined): void {
  if (root !== undefined || process.geteuid?.() === 0) return;
  throw new ClavigerError(
    "InvalidArgument",
    "init changes files of root: run it as root, with sudo for example",
  );
}

function runnerOf(site: Site) {
  let line = new ProgressLine();
  return {
    apply: (change: Parameters<typeof applyChange>[1]) => applyChange(site, change),
    show: (text: string) => {
      line.end(text);
      // The next step's wait begins anew.
      line = new ProgressLine();
    },
    showWait: (text: string) => line.show({ text }),
    now: realPace.now,
    pause: () => realPace.pause(2 * POLL_MILLISECONDS, site.signal),
  };
}
