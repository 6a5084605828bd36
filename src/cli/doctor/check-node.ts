import { dirname } from "node:path";
import { isWritableByOthers, octal } from "../../files/private-path.ts";
import type { CertificateFile } from "../../kube/certificate-expiry.ts";
import { DAY_MILLISECONDS } from "../../times.ts";
import { type Check, check, type Problem, when } from "./check.ts";
import type { RootKeyFile } from "./observed.ts";

const SOON_DAYS = 30;
/** A shorter time than that in which cert-manager renews. */
const API_SOON_DAYS = 14;
const URGENT_DAYS = 7;

/** Checks of this node: its root key, its keyring, its sockets. */
export const nodeChecks: readonly Check[] = [
  check("RootKeyUnsafe", [], (_, { rootKey }) => rootKeyProblems(rootKey)),
  check("FolderUnsafe", [], (_, { unsafeFolders }) =>
    unsafeFolders.map(({ what, flaw }) => ({
      severity: "error",
      object: what,
      message: flaw,
      remedy: "do so before anything here restarts: the next start is refused",
    })),
  ),
  check("RootKeyWrong", ["keyring"], ({ keyring }, { rootKey }) =>
    [...keyring.sealedUnder]
      .filter(([rootKeyId]) => rootKey.rootKeyId !== undefined && rootKeyId !== rootKey.rootKeyId)
      .map(([rootKeyId, versions]) => ({
        severity: "error",
        object: `root key ${rootKey.path}`,
        message: `it is ${rootKey.rootKeyId}, and ${versions} of the keyring's versions are sealed under ${rootKeyId}: this node cannot open them`,
        remedy: "copy the right root key from another node or from its backup; no restart is needed",
      })),
  ),
  check("VersionUnreadable", ["keyring"], ({ keyring }, { config }) =>
    keyring.unreadable.map((message) => ({
      severity: "error",
      object: `keyring of ${config.nodeName}`,
      message,
      remedy:
        "run the release that wrote it, or move the keyring away with both processes stopped: the operator builds it again",
    })),
  ),
  check("ApiNotReady", [], (_, { apiFault }) => {
    if (apiFault === undefined) return [];
    const object = `AWS KMS API at ${apiFault.listen}`;
    const remedy =
      "see the log of claviger api, or of the claviger serve that runs it; if the API is not ready, see whether the operator of this node runs, and its log";
    return [{ severity: "error", object, message: `it answers no requests: ${apiFault.fault}`, remedy }];
  }),
  check("CertificateExpires", [], (_, { certificates }, now) =>
    certificates.flatMap((file) =>
      expiring(file, now, SOON_DAYS, {
        what: "its client certificate",
        effect: "then its user is refused, and what claviger does with it stops",
        remedy:
          "run claviger init again, which renews claviger's own certificates, or make the file again as docs/install/by-hand.md, step 3, says; kubeadm certs renew renews etcd's. No restart is needed for a kubeconfig",
      }),
    ),
  ),
  check("ApiCertificateExpires", [], (_, { apiCertificate }, now) =>
    apiCertificate.flatMap((file) =>
      expiring(file, now, API_SOON_DAYS, {
        what: "the certificate of the AWS KMS API",
        effect: "then every application refuses it",
        remedy: "renew the files of aws.tls; no restart is needed",
      }),
    ),
  ),
  check("SocketSilent", [], (_, { sockets }) =>
    sockets.flatMap(({ name, socket, fault }) =>
      when(fault !== undefined, () => ({
        severity: "error",
        object: `provider ${name}`,
        message: `${socket} does not answer ok: ${fault}`,
        remedy: "start the plugin; claviger status and the plugin's log say more",
      })),
    ),
  ),
];

function rootKeyProblems(rootKey: RootKeyFile): readonly Problem[] {
  const { path, mode = 0, folderMode = 0, fault } = rootKey;
  const object = `root key ${path}`;
  const folder = dirname(path);
  const readable = when((mode & 0o077) !== 0, () => ({
    severity: "error",
    object,
    message: `it has mode ${octal({ mode })}: others can open it, and with it everything`,
    remedy: `chmod 600 ${path}, and consider who could have read it`,
  }));
  const open = when((folderMode & 0o077) !== 0, () => ({
    severity: isWritableByOthers({ mode: folderMode }) ? "error" : "warning",
    object,
    message: `it lies in a folder of mode ${octal({ mode: folderMode })}, which others can ${isWritableByOthers({ mode: folderMode }) ? "change" : "look into"}`,
    remedy: `chmod 700 ${folder}`,
  }));
  const problems = [...readable, ...open];
  if (fault === undefined || problems.some(({ severity }) => severity === "error")) return problems;
  return [
    ...problems,
    {
      severity: "error",
      object,
      message: fault,
      remedy: "docs/operations/messages.md, Root key, has every message",
    },
  ];
}

interface Expiring extends Pick<Problem, "remedy"> {
  readonly what: string;
  readonly effect: string;
}

/** Returns the problem of a certificate that expires within some days. */
function expiring(
  { path, expiresAt }: CertificateFile,
  now: Date,
  soonDays: number,
  { what, effect, remedy }: Expiring,
): readonly Problem[] {
  const days = (expiresAt - now.getTime()) / DAY_MILLISECONDS;
  return when(days < soonDays, () => ({
    severity: days < URGENT_DAYS ? "error" : "warning",
    object: path,
    message: `${what} ${days < 0 ? "has expired" : "expires"} at ${new Date(expiresAt).toISOString()}: ${effect}`,
    remedy,
  }));
}
