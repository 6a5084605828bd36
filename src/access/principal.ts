import { MAX_PRINCIPAL_LENGTH, PRINCIPAL_ARN } from "../keyring/grant-row.ts";

const SERVICE_ACCOUNT = /^system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})$/;

/**
 * Returns the ARN of a Kubernetes user: role/NAMESPACE/NAME for a ServiceAccount, user/NAME for anybody else.
 * Different users have different ARNs: characters that no ARN has are escaped, `%` among them. Returns
 * undefined for a name that has no UTF-8 form, because all such names would become equal.
 */
export function principalArn(user: string, account: string): string | undefined {
  if (user === "" || !user.isWellFormed()) return undefined;
  const [, namespace, name] = SERVICE_ACCOUNT.exec(user) ?? [];
  const resource = namespace === undefined ? `user/${escaped(user)}` : `role/${namespace}/${name}`;
  return `arn:aws:iam::${account}:${resource}`;
}

/** Returns the ARN by which key policies name a Kubernetes group; undefined for a name that has no UTF-8 form. */
export const groupArn = (group: string, account: string): string | undefined =>
  group === "" || !group.isWellFormed() ? undefined : `arn:aws:iam::${account}:group/${escaped(group)}`;

/** Returns the ARN of the account itself. */
export const rootArn = (account: string): string => `arn:aws:iam::${account}:root`;

/** The characters of AWS's PrincipalIdType stay; each byte of any other becomes %XX. */
const escaped = (name: string): string =>
  name.replace(/[^A-Za-z0-9_+=,.@:/-]/gu, (character) =>
    [...Buffer.from(character, "utf8")]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)
      .join(""),
  );

/** A principal that an ARN names. */
export type Principal =
  | { readonly kind: "role"; readonly namespace: string; readonly name: string }
  | { readonly kind: "user"; readonly name: string }
  | { readonly kind: "root" }
  /** A role, user or session that this cluster does not have: valid, and nobody ever comes as it. */
  | { readonly kind: "other" };

const isPrincipalArn = new RegExp(PRINCIPAL_ARN);

/** Reads an ARN of a principal. Returns undefined for any other text. */
export function parsePrincipal(arn: string, account: string): Principal | undefined {
  if (arn.length > MAX_PRINCIPAL_LENGTH || !isPrincipalArn.test(arn)) return undefined;
  const own = `arn:aws:iam::${account}:`;
  if (!arn.startsWith(own)) return { kind: "other" };
  const resource = arn.slice(own.length);
  if (resource === "root") return { kind: "root" };
  const [, namespace, name] = /^role\/([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})$/.exec(resource) ?? [];
  if (namespace !== undefined && name !== undefined) return { kind: "role", namespace, name };
  const [, user] = /^user\/(.+)$/.exec(resource) ?? [];
  return user === undefined ? { kind: "other" } : { kind: "user", name: user };
}
