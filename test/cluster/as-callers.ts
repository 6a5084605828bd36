import type { Caller } from "../../src/aws/caller.ts";
import { AwsKeys } from "../../src/aws/keys/aws-keys.ts";
import { ClusterObjects } from "../../src/aws/management/cluster-objects.ts";
import type { Operation } from "../../src/aws/operations/operation.ts";
import { LiveKeyring } from "../../src/keyring/live/live-keyring.ts";
import { KubeClient } from "../../src/kube/client.ts";
import { SITE } from "../../src/testing/aws-keyring.ts";
import { sealsIn } from "../../src/testing/seals.ts";
import type { ClavigerNode } from "./node.ts";

/** A caller of the AWS KMS API whose user is a ServiceAccount. */
export const serviceAccount = (namespace: string, name: string): Caller => ({
  arn: `arn:aws:iam::000000000000:role/${namespace}/${name}`,
  user: `system:serviceaccount:${namespace}:${name}`,
  groups: [],
  namespace,
});

/** A caller of the AWS KMS API whose user is any other user. */
export const user = (name: string, namespace: string, groups: readonly string[] = []): Caller => ({
  arn: `arn:aws:iam::000000000000:user/${name}`,
  user: name,
  groups,
  namespace,
});

/** The operations of the AWS KMS API on a node, after they were allowed, with the rights of deploy/api.yaml. */
export class AsCallers implements Disposable {
  readonly client: KubeClient;
  readonly objects: ClusterObjects;
  readonly keys: AwsKeys;
  readonly #keyring: LiveKeyring;

  constructor(kubeconfig: string, node: ClavigerNode) {
    this.client = new KubeClient(kubeconfig);
    this.objects = new ClusterObjects(this.client);
    this.#keyring = new LiveKeyring(node.keyringPath, sealsIn(node.rootKeyPath));
    this.#keyring.start();
    // Nobody asks when a key was last used.
    this.keys = new AwsKeys(this.#keyring, SITE, {
      note: () => undefined,
      noteGrants: () => undefined,
      of: () => ({ since: 0 }),
    });
  }

  async run<I, O>(operation: Operation<I, O>, caller: Caller, input: I): Promise<O> {
    const request = { id: "request-1", caller, input, now: Date.now() };
    operation.needs(request, this.keys);
    return (await operation.prepare(request, this.keys))();
  }

  [Symbol.dispose](): void {
    this.#keyring.close();
    this.client.close();
  }
}
