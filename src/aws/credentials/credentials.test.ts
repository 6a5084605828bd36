import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../testing/keyring.ts";
import { readCredentials } from "./credentials-file.ts";
import { createFirstCredentials } from "./first-credentials.ts";
import { StaticCredentials } from "./static-credentials.ts";

const SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const entry = (changes: object = {}) => ({
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: SECRET,
  user: "alice",
  groups: ["system:masters"],
  ...changes,
});

let folder: ReturnType<typeof temporaryFolder>;
let path: string;
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder.path, "credentials.yaml");
});
afterEach(() => folder.remove());

/** JSON is YAML. */
const write = (entries: unknown, mode = 0o600) => {
  writeFileSync(path, JSON.stringify(entries));
  chmodSync(path, mode);
};
const store = () => new StaticCredentials({ path, account: "000000000000", namespace: "apps" });

describe("a file of credentials", () => {
  it.each([
    ["alice", "arn:aws:iam::000000000000:user/alice", "apps"],
    ["system:serviceaccount:shop:web", "arn:aws:iam::000000000000:role/shop/web", "shop"],
  ])("the user %s is the caller %s of namespace %s", (user, arn, namespace) => {
    write([entry({ user })]);
    const found = store().find({ accessKeyId: "AKIAIOSFODNN7EXAMPLE" });
    expect(found?.caller).toEqual({ arn, user, groups: ["system:masters"], namespace });
    expect(Buffer.from(found?.secret.exposeSecretBytes() ?? []).toString()).toBe(SECRET);
  });

  it("a user whose ARN is longer than any of AWS's => ConfigInvalid: it would have another's namespace", () => {
    const accepted = `system:serviceaccount:shop:${"w".repeat(220)}`;
    write([entry({ user: accepted })]);
    expect(store().find({ accessKeyId: "AKIAIOSFODNN7EXAMPLE" })?.caller.namespace).toBe("shop");
    for (const user of [`${accepted}w`, "a".repeat(253)]) {
      write([entry({ user })]);
      expect(store).toThrow(`user ${user} of the credentials has no ARN of at most 256 characters`);
    }
  });

  it("a request with a session token is nobody's", () => {
    write([entry()]);
    expect(store().find({ accessKeyId: "AKIAIOSFODNN7EXAMPLE", sessionToken: "x" })).toBeUndefined();
  });

  it.each([
    ["a mapping", {}, "must be a list"],
    ["an entry that is text", ["x"], "[0] must be a mapping"],
    ["no secret", [{ ...entry(), secretAccessKey: undefined }], "[0].secretAccessKey is missing"],
    ["a short secret", [entry({ secretAccessKey: "short" })], "[0].secretAccessKey must match"],
    ["an unknown field", [entry({ role: "x" })], "[0].role is not a field that claviger knows"],
    ["an id twice", [entry(), entry({ user: "bob" })], "two entries have the same accessKeyId"],
  ])("%s => ConfigInvalid, which names the file and shows no secret", (_, entries, message) => {
    write(entries);
    const read = () => readCredentials(path);
    expect(read).toThrow(message);
    expect(read).toThrow(path);
    expect(read).not.toThrow(SECRET);
  });

  it.each([0o640, 0o604])("of mode %o is refused, with the command that helps", (mode) => {
    write([entry()], mode);
    expect(() => readCredentials(path)).toThrow(`run: chmod 600 ${path}`);
  });

  it("that changes is read again, and a broken file leaves the former credentials", () => {
    write([entry()]);
    const credentials = store();
    const find = (accessKeyId: string) => credentials.find({ accessKeyId })?.caller.user;
    write([entry({ accessKeyId: "AKIAI44QH8DHBEXAMPLE", user: "bob" })]);
    credentials.renew();
    expect([find("AKIAI44QH8DHBEXAMPLE"), find("AKIAIOSFODNN7EXAMPLE")]).toEqual(["bob", undefined]);
    write("no list");
    expect(() => credentials.renew()).toThrow("must be a list");
    expect(find("AKIAI44QH8DHBEXAMPLE")).toBe("bob");
  });
});

describe("the first credential", () => {
  it("is an administrator with a random secret, in a file that nobody else opens", () => {
    createFirstCredentials(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const [credential] = readCredentials(path).values();
    expect(credential).toMatchObject({ user: "admin", groups: ["system:masters"] });
    expect(credential?.secret.size).toBe(40);
  });

  it("never replaces a file", () => {
    write([entry()]);
    const before = readFileSync(path);
    createFirstCredentials(path);
    expect(readFileSync(path)).toEqual(before);
  });

  it("that cannot be made => ConfigInvalid, which names the file", () => {
    writeFileSync(join(folder.path, "file"), "");
    const below = join(folder.path, "file", "credentials.yaml");
    expect(() => createFirstCredentials(below)).toThrow(`credentials ${below} could not be made`);
  });

  it("of two installations differ", () => {
    createFirstCredentials(path);
    const other = join(folder.path, "new", "other.yaml");
    createFirstCredentials(other);
    expect(existsSync(other)).toBe(true);
    expect(readFileSync(other, "utf8")).not.toBe(readFileSync(path, "utf8"));
  });
});
