import type { AliasListEntry, GrantListEntry, KMSClient } from "@aws-sdk/client-kms";
import * as sdk from "@aws-sdk/client-kms";

/**
 * The calls that the AWS provider of Terraform and OpenTofu makes, in its order. It reads each resource after it
 * has changed it. It retries what is not there yet, which these calls do not.
 */
export class TerraformCalls {
  readonly #kms: KMSClient;

  constructor(kms: KMSClient) {
    this.#kms = kms;
  }

  /** Creates an aws_kms_key with tags and rotation. */
  async createKey(): Promise<string> {
    const Tags = [{ TagKey: "team", TagValue: "shop" }];
    const input = { KeySpec: "SYMMETRIC_DEFAULT", KeyUsage: "ENCRYPT_DECRYPT", Tags } as const;
    const { KeyMetadata } = await this.#kms.send(new sdk.CreateKeyCommand(input));
    const KeyId = KeyMetadata?.KeyId ?? "";
    await this.#kms.send(new sdk.EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 180 }));
    return KeyId;
  }

  readPolicy(KeyId: string) {
    return this.#kms.send(new sdk.GetKeyPolicyCommand({ KeyId, PolicyName: "default" }));
  }

  async putPolicy(KeyId: string, Policy: string): Promise<void> {
    await this.#kms.send(new sdk.PutKeyPolicyCommand({ KeyId, Policy, PolicyName: "default" }));
  }

  /** Reads an aws_kms_key, but for its policy. */
  async readKey(KeyId: string) {
    const { KeyMetadata } = await this.#kms.send(new sdk.DescribeKeyCommand({ KeyId }));
    const rotation = await this.#kms.send(new sdk.GetKeyRotationStatusCommand({ KeyId }));
    const tags: sdk.Tag[] = [];
    for await (const page of sdk.paginateListResourceTags({ client: this.#kms }, { KeyId }))
      tags.push(...(page.Tags ?? []));
    return { ...KeyMetadata, days: rotation.RotationPeriodInDays, tags };
  }

  async changeKey(KeyId: string): Promise<void> {
    await this.#kms.send(new sdk.DisableKeyRotationCommand({ KeyId }));
    await this.#kms.send(new sdk.UpdateKeyDescriptionCommand({ KeyId, Description: "changed" }));
    await this.#kms.send(new sdk.DisableKeyCommand({ KeyId }));
  }

  async deleteKey(KeyId: string): Promise<void> {
    await this.#kms.send(new sdk.ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
  }

  async createAlias(AliasName: string, TargetKeyId: string): Promise<AliasListEntry | undefined> {
    await this.#kms.send(new sdk.CreateAliasCommand({ AliasName, TargetKeyId }));
    return this.#readAlias(AliasName);
  }

  async deleteAlias(AliasName: string): Promise<AliasListEntry | undefined> {
    await this.#kms.send(new sdk.DeleteAliasCommand({ AliasName }));
    return this.#readAlias(AliasName);
  }

  /** Looks for the alias on all pages. */
  async #readAlias(name: string): Promise<AliasListEntry | undefined> {
    for await (const page of sdk.paginateListAliases({ client: this.#kms }, {})) {
      const found = page.Aliases?.find(({ AliasName }) => AliasName === name);
      if (found) return found;
    }
    return undefined;
  }

  async createGrant(
    input: Omit<sdk.CreateGrantCommandInput, "KeyId">,
    KeyId: string,
  ): Promise<GrantListEntry | undefined> {
    const { GrantId = "" } = await this.#kms.send(new sdk.CreateGrantCommand({ ...input, KeyId }));
    return this.#readGrant(KeyId, GrantId);
  }

  async deleteGrant(KeyId: string, GrantId: string): Promise<GrantListEntry | undefined> {
    await this.#kms.send(new sdk.RevokeGrantCommand({ KeyId, GrantId }));
    return this.#readGrant(KeyId, GrantId);
  }

  async #readGrant(KeyId: string, id: string): Promise<GrantListEntry | undefined> {
    for await (const page of sdk.paginateListGrants({ client: this.#kms }, { KeyId, Limit: 100 })) {
      const found = page.Grants?.find(({ GrantId }) => GrantId === id);
      if (found) return found;
    }
    return undefined;
  }
}
