import { dirname } from "node:path";
import type { NodeConfig } from "../../config/config.ts";
import type { EncryptionFacts } from "../../install/kubeadm/cluster-configuration.ts";
import { resources } from "../../resources/definitions.ts";
import { GROUP } from "../../resources/resources.ts";
import {
  type EncryptionConfig,
  type EncryptionProvider,
  type EncryptionRule,
  type KmsProvider,
  namesSocket,
  ruleFor,
  servesSocket,
} from "../../storage/encryption-config/encryption-config.ts";
import { parseGroupResource } from "../../storage/served/group-resource.ts";
import { type Check, check, when } from "./check.ts";

/**
 * The recommended timeout. One second of it covers a slow disk or a busy node; three seconds are the API
 * server's own default.
 */
const USUAL_TIMEOUT_MILLISECONDS = 3_000;
const LEAST_TIMEOUT_MILLISECONDS = 1_000;

/** Checks of the EncryptionConfiguration against this node's configuration. */
export const encryptionChecks: readonly Check[] = [
  check("NoEncryptionConfig", [], (_, { config, looks }) =>
    when(looks.encryptionConfig.kind === "absent" && config.resources.kind === "kubeconfig", () => ({
      severity: "warning",
      object: config.path,
      message: "there is no encryptionConfig: claviger does not know what is stored, and re-encrypts nothing",
      remedy: "set encryptionConfig to the file of the API server's --encryption-provider-config",
    })),
  ),
  check("KmsV1", ["encryptionConfig"], ({ encryptionConfig }, { config }) =>
    kmsEntriesOf(encryptionConfig)
      .filter(({ provider }) => provider.apiVersion === "v1")
      .map(({ rule, provider }) => {
        const object = ruleText(rule, encryptionConfig);
        const message = `its kms provider ${provider.name} is KMS v1, as all are that have no apiVersion`;
        return isNamed(provider, config)
          ? {
              severity: "error",
              object,
              message: `${message}: its endpoint is a socket of claviger, which speaks v2 only`,
              remedy: `write apiVersion: v2 into the kms entry ${provider.name}, and take cachesize out of it: with v2 API servers refuse it`,
            }
          : {
              severity: "warning",
              object,
              message: `${message}, and of another plugin: API servers refuse v1 unless the feature gate KMSv1 is on`,
              remedy:
                "leave the entry as it is while anything is stored through it: v2 does not read what v1 stored. docs/operations/move.md replaces it",
            };
      }),
  ),
  check("RefusedOnReload", ["encryptionConfig"], ({ encryptionConfig: { path, refusedOnReload } }) =>
    when(refusedOnReload !== undefined, () => ({
      severity: "warning",
      object: path,
      message: `an API server with --encryption-provider-config-automatic-reload refuses it: ${refusedOnReload}`,
      remedy: "let no two kms entries have one name, or run API servers without that flag",
    })),
  ),
  check("IdentityFirst", ["encryptionConfig"], ({ encryptionConfig }, { config }) =>
    encryptionConfig.rules
      .filter((rule) => rule.providers.some(ours(config)))
      .filter((rule) => writersOf(rule, encryptionConfig).some(({ kind }) => kind === "identity"))
      .map((rule) => ({
        severity: "error",
        object: ruleText(rule, encryptionConfig),
        message: "identity is its first provider: everything is written plain",
        remedy: "put the kms entry first once every API server can read it, and write the objects back",
      })),
  ),
  check("ProviderOrder", ["encryptionConfig"], ({ encryptionConfig }, { config }) =>
    encryptionConfig.rules.flatMap((rule) => {
      const first = writersOf(rule, encryptionConfig).find(
        (writer) => writer.kind !== "identity" && !isNamedBy(writer, config),
      );
      return when(first !== undefined && rule.providers.some(ours(config)), () => ({
        severity: "warning",
        object: ruleText(rule, encryptionConfig),
        message: `${providerText(first)} is its first provider and writes; claviger only reads`,
        remedy: "put claviger's kms entry first, unless you are moving away from it",
      }));
    }),
  ),
  check("SecretsNotEncrypted", ["encryptionConfig"], ({ encryptionConfig }, { config }) => {
    const rule = ruleFor(encryptionConfig, { group: "", resource: "secrets" });
    const plain = rule?.providers[0]?.kind === "identity" && !rule.providers.some(ours(config));
    return when(rule === undefined || plain, () => ({
      severity: "error",
      object: encryptionConfig.path,
      message:
        rule === undefined
          ? "no rule is for secrets: they are stored plain"
          : `the rule for secrets (${rule.resources.join(", ")}) has identity first and no provider of claviger's: they are stored plain`,
      remedy:
        "add a rule for secrets whose first provider is claviger's, as in docs/install/by-hand.md, step 4",
    }));
  }),
  check("OwnResourcesEncrypted", ["encryptionConfig"], ({ encryptionConfig }, { config }) => {
    const encrypted = Object.values(resources)
      .map(({ plural }) => plural)
      .filter((resource) => {
        const writer = ruleFor(encryptionConfig, { group: GROUP, resource })?.providers[0];
        return writer !== undefined && ours(config)(writer);
      });
    return when(encrypted.length > 0, () => ({
      severity: "error",
      object: encrypted.map((name) => `${name}.${GROUP}`).join(", "),
      message:
        "claviger's own resources are encrypted under claviger: a node that lost its state folder cannot read them",
      remedy: `put a rule for "*.${GROUP}" with identity alone before all wildcards of ${encryptionConfig.path}, and write these objects back`,
    }));
  }),
  check("SocketWithoutProvider", ["encryptionConfig"], ({ encryptionConfig }, { config }) => {
    const unused = config.providers.some(({ socket }) => !isUsed(encryptionConfig, socket));
    return kmsEntriesOf(encryptionConfig)
      .filter(({ provider }) => provider.apiVersion === "v2" && !isNamed(provider, config))
      .map(({ rule, provider }) => ({
        severity: unused ? "error" : "warning",
        object: ruleText(rule, encryptionConfig),
        message: `its kms provider ${provider.name} has the endpoint ${provider.endpoint}, which no provider of ${config.path} serves`,
        remedy: "compare the endpoint with providers[].socket; if another plugin serves it, all is well",
      }));
  }),
  check("ProviderUnused", ["encryptionConfig"], ({ encryptionConfig }, { config }) =>
    config.providers
      .filter(({ socket }) => !isUsed(encryptionConfig, socket))
      .map(({ name, socket }) => ({
        severity: "warning",
        object: `provider ${name}`,
        message: `no kms v2 entry of ${encryptionConfig.path} has the endpoint unix://${socket}: no API server uses it`,
        remedy: "add the entry, or take the provider out of the configuration",
      })),
  ),
  check("KubeadmConfig", ["kubeadm", "apiServer"], ({ kubeadm, apiServer: { status } }, { config }) => {
    const missing = missingInKubeadm(kubeadm, config);
    return when(status.encryptionConfig === "Loaded" && missing.length > 0, () => ({
      severity: "error",
      object: "ConfigMap kube-system/kubeadm-config",
      message: `its ClusterConfiguration lacks ${missing.join(", ")}, which this node's API server has: kubeadm upgrade takes them away, and a new control-plane node does not get them; then Secrets are stored plain, and those under claviger cannot be read`,
      remedy:
        "run claviger init on a control-plane node, or add them under apiServer.extraArgs and extraVolumes",
    }));
  }),
  check("TimeoutShort", ["encryptionConfig"], ({ encryptionConfig }, { config }) =>
    kmsEntriesOf(encryptionConfig)
      .filter(({ provider }) => isNamed(provider, config))
      .filter(({ provider }) => provider.timeoutMilliseconds < USUAL_TIMEOUT_MILLISECONDS)
      .map(({ rule, provider }) => ({
        severity: provider.timeoutMilliseconds < LEAST_TIMEOUT_MILLISECONDS ? "error" : "warning",
        object: ruleText(rule, encryptionConfig),
        message: `its kms provider ${provider.name} has a timeout of ${provider.timeoutMilliseconds} ms: on a busy node Secrets fail although the plugin answers`,
        remedy: "set timeout: 3s, the API server's default",
      })),
  ),
];

/** Returns the flags and folders that kubeadm would leave out of the API server's manifest. */
function missingInKubeadm({ flags, mounts }: EncryptionFacts, config: NodeConfig): string[] {
  const file = flags.get(CONFIG_FLAG);
  const needed = [file ?? config.encryptionConfig, ...config.providers.map(({ socket }) => socket)];
  const folders = needed.flatMap((path) => (path === undefined ? [] : [dirname(path)]));
  const isMounted = (folder: string) => [...mounts].some((mount) => `${folder}/`.startsWith(`${mount}/`));
  const unmounted = [...new Set(folders)].filter((folder) => !isMounted(folder));
  return [
    ...(file === undefined ? [`the flag --${CONFIG_FLAG}`] : []),
    ...unmounted.map((folder) => `a volume with ${folder}`),
  ];
}

const CONFIG_FLAG = "encryption-provider-config";

function kmsEntriesOf({ rules }: EncryptionConfig) {
  return rules.flatMap((rule) =>
    rule.providers.flatMap((provider) => (provider.kind === "kms" ? [{ rule, provider }] : [])),
  );
}

/**
 * Returns the providers that write the resources of a rule. If an earlier rule names one of them, that rule
 * decides.
 */
const writersOf = ({ resources: patterns }: EncryptionRule, config: EncryptionConfig): EncryptionProvider[] =>
  patterns.flatMap((pattern) => ruleFor(config, parseGroupResource(pattern))?.providers[0] ?? []);

const ours =
  ({ providers }: NodeConfig) =>
  (provider: EncryptionProvider): boolean =>
    providers.some(({ socket }) => servesSocket(provider, socket));

/** Returns true if the provider's endpoint is a socket of this node, whichever KMS version it speaks. */
const isNamed = (provider: KmsProvider, { providers }: NodeConfig): boolean =>
  providers.some(({ socket }) => namesSocket(provider, socket));

const isNamedBy = (provider: EncryptionProvider, config: NodeConfig): boolean =>
  provider.kind === "kms" && isNamed(provider, config);

const isUsed = ({ rules }: EncryptionConfig, socket: string): boolean =>
  rules.some(({ providers }) => providers.some((provider) => servesSocket(provider, socket)));

const ruleText = ({ resources: patterns }: EncryptionRule, { path }: EncryptionConfig): string =>
  `rule ${patterns.join(", ")} of ${path}`;

const providerText = (provider: EncryptionProvider | undefined): string =>
  provider?.kind === "kms" ? `kms ${provider.name}` : (provider?.kind ?? "nothing");
