import { existsSync, globSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { parseConfig } from "../../src/config/config.ts";
import { resources } from "../../src/resources/definitions.ts";
import type { Kind } from "../../src/resources/resources.ts";
import { encryptionConfiguration } from "../../src/storage/encryption-config/print.ts";
import { anchor, codeSpans, documents, prose, ROOT, read, testedBlock } from "./markdown.ts";

/** Made by `npm run bench -- --write`. */
const GENERATED = new Set(["docs/benchmarks.md"]);

/** Folders that a run makes: not there in a fresh clone. */
const MADE = new Set(
  read(".gitignore")
    .split("\n")
    .map((line) => line.replace(/\/$/, "")),
);

interface Package {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}
const manifest: Package = JSON.parse(read("package.json"));

describe.each(documents().filter((path) => !GENERATED.has(path)))("%s", (path) => {
  const text = read(path);

  it("links to files and headings that exist", () => {
    expect(links(text).filter((target) => !resolves(path, target))).toEqual([]);
  });

  it("has a blank line before each heading, and no row outside a table", () => {
    const lines = prose(text).split("\n");
    const joined = lines.filter((line, at) => /^#+ /.test(line) && at > 0 && lines[at - 1] !== "");
    const torn = lines.filter(
      (line, at) => /^\|/.test(line) && lines[at - 1] === "" && !/^\| ?-/.test(lines[at + 1] ?? ""),
    );
    expect([...joined, ...torn]).toEqual([]);
  });

  it("names npm scripts that exist", () => {
    const named = [...text.matchAll(/npm run (?:-s )?([a-z]+)/g)].map(([, name = ""]) => name);
    expect(named.filter((name) => !Object.hasOwn(manifest.scripts, name))).toEqual([]);
  });

  it("names files of the project that exist", () => {
    const named = codeSpans(text).filter((span) =>
      /^(src|test|docs|deploy|examples|crds|charts|bin|proto|scripts|bench)\/[\w./*-]+$/.test(span),
    );
    expect(named.filter((name) => !MADE.has(name) && globSync(name, { cwd: ROOT }).length === 0)).toEqual([]);
  });

  it("names no machine of its own and no workplace", () => {
    expect(text).not.toMatch(/\/work\/|\/root\/|\/tmp\/clv/);
  });
});

function links(text: string): string[] {
  return [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

function resolves(from: string, target: string): boolean {
  const [file = "", heading] = target.split("#");
  const path = file === "" ? from : normalize(join(dirname(from), file));
  if (!existsSync(join(ROOT, path))) return false;
  return heading === undefined || headings(read(path)).includes(heading);
}

const headings = (text: string): string[] =>
  [...prose(text).matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) => anchor(title));

/** What the kubelet gives a container of a host's folder, and where that lies on the host. */
interface Mount {
  readonly mountPath?: string;
  readonly hostPath?: { readonly path: string };
}

/** The first cells of the tables under a heading. */
function firstCells(text: string, heading: string): string[] {
  const section = text.split(new RegExp(`^## ${heading}$`, "m"))[1]?.split(/^## /m)[0] ?? "";
  return [...section.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, span = ""]) => span),
  );
}

describe("the configuration of README.md", () => {
  const text = read("README.md");
  const named = new Set(firstCells(text, "Configuration").map((field) => field.split(".").at(-1)));
  const later = new Set(codeSpans(text).map((span) => span.split(".").at(-1)));
  const known = [
    ...read("src/config/config.ts").matchAll(
      /\.(?:text|optionalText|expectText|optionalInteger|optionalBoolean|optionalObjectName|optionalSection|section|sections|texts)\(\s*"(\w+)"/g,
    ),
    ...read("src/config/config.ts").matchAll(/"(socketGroup|audit|listen|tls|credentials)"/g),
  ].map(([, field = ""]) => field);

  it("names every field that the code reads", () => {
    const containers = new Set(["seal", "file", "metrics", "etcd", "aws"]);
    expect(known.filter((field) => !containers.has(field) && !named.has(field) && !later.has(field))).toEqual(
      [],
    );
  });

  it("names no field that the code does not know", () => {
    expect([...named].filter((field) => !known.includes(field?.replace("[]", "") ?? ""))).toEqual([]);
  });

  it("is accepted as the page shows it, without a warning, and is deploy/claviger.yaml", () => {
    const shown = testedBlock("README.md", "configuration");
    const config = parseConfig(shown, "/etc/claviger/claviger.yaml");
    expect(config.warnings).toEqual([]);
    expect(parse(read("deploy/claviger.yaml"))).toEqual(parse(shown));
    expect(parseConfig(read("deploy/claviger.yaml"), "/etc/claviger/claviger.yaml")).toEqual(config);
  });

  it("goes with an EncryptionConfiguration as the code prints it", () => {
    const { providers } = parseConfig(read("deploy/claviger.yaml"), "/etc/claviger/claviger.yaml");
    const [provider] = providers;
    if (provider === undefined) throw new Error("deploy/claviger.yaml has no provider");
    expect(testedBlock("README.md", "encryption configuration")).toBe(encryptionConfiguration(provider));
  });

  it("names the EncryptionConfiguration that the API server is given, which sees that and the sockets", () => {
    const config = parseConfig(read("deploy/claviger.yaml"), "/etc/claviger/claviger.yaml");
    const { containers, volumes } = parse(testedBlock("README.md", "api server")).spec;
    const file = config.encryptionConfig ?? "none";
    expect(containers[0].command).toContain(`--encryption-provider-config=${file}`);
    const folders = [file, ...config.providers.map(({ socket }) => socket)].map((path) => dirname(path));
    for (const entries of [containers[0].volumeMounts, volumes]) {
      const paths = entries.map((entry: Mount) => entry.mountPath ?? entry.hostPath?.path);
      expect(paths).toEqual(folders);
    }
  });

  it("lets claviger re-encrypt and count: it names what is stored, and etcd", () => {
    const config = parseConfig(read("deploy/claviger.yaml"), "/etc/claviger/claviger.yaml");
    expect(config.encryptionConfig).toBeDefined();
    expect(config.etcd?.client).toBeDefined();
  });
});

describe("the resources of README.md", () => {
  const text = read("README.md");

  it("are shown with the columns that kubectl get has", () => {
    const headers = [...testedBlock("README.md", "resources").matchAll(/^NAMESPACE .*$/gm)];
    const columns = headers.map(([header]) => header.split(/ {2,}/));
    const order: readonly Kind[] = ["MasterKey", "KeyVersion", "KeyAlias", "KeyServer"];
    const declared = order.map((kind) =>
      resources[kind].columns
        .filter(({ priority = 0 }) => priority === 0)
        .map(({ name }) => name.toUpperCase()),
    );
    expect(columns).toEqual(declared.map((names) => ["NAMESPACE", "NAME", ...names]));
  });

  it.each(Object.keys(resources) as Kind[])("%s is there with every field of its schema", (kind) => {
    const { shortName, spec, status } = resources[kind];
    expect(text).toContain(`| ${kind} | \`${shortName}\` |`);
    const spans = new Set(codeSpans(text));
    const fields = [
      ...Object.keys(spec?.json.properties ?? {}).map((field) => `spec.${field}`),
      ...Object.keys(status.json.properties ?? {}).map((field) => `status.${field}`),
    ];
    const shown = fields.filter((field) => field !== "status.observedGeneration");
    expect(shown.filter((field) => !spans.has(field))).toEqual([]);
  });
});

describe("the commands of README.md", () => {
  it("are the ones that there are", () => {
    const commands = [...read("src/cli/program.ts").matchAll(/^ {2}(\w+): async \(\) =>/gm)].map(
      ([, name]) => name,
    );
    const shown = firstCells(read("README.md"), "Commands").map((span) => span.split(" ")[1]);
    expect(shown.filter((name) => name !== "help").sort()).toEqual(commands.sort());
  });
});

describe("docs/dependencies.md", () => {
  it("has a row for every dependency and names no other", () => {
    const { dependencies, optionalDependencies, devDependencies } = manifest;
    const names = Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies });
    const rows = [...read("docs/dependencies.md").matchAll(/^\| `([^`]+)` \|/gm)].map(
      ([, name = ""]) => name,
    );
    expect(rows.sort()).toEqual(names.sort());
  });
});

describe("deploy", () => {
  const files = readdirSync(join(ROOT, "deploy")).filter((name) => name.endsWith(".yaml"));

  it.each(files)("%s is YAML", (name) => {
    expect(parseAllDocuments(read(`deploy/${name}`)).flatMap((document) => document.errors)).toEqual([]);
  });

  it("static-pod.yaml mounts every folder that claviger.yaml names", () => {
    const config = parseConfig(read("deploy/claviger.yaml"), "/etc/claviger/claviger.yaml");
    const { spec } = parse(read("deploy/static-pod.yaml"));
    const mounts = (name: string): string[] =>
      spec.containers
        .find((container: { readonly name: string }) => container.name === name)
        .volumeMounts.map(({ mountPath }: { readonly mountPath: string }) => mountPath);
    const folders = [
      ...[dirname(config.path), dirname(config.seal.path), config.stateDir],
      ...config.providers.map(({ socket }) => dirname(socket)),
    ];
    expect(mounts("plugin").sort()).toEqual([...new Set(folders)].sort());
    const { ca, client } = config.etcd ?? {};
    const files = [config.encryptionConfig, ca, client?.cert, client?.key].map((path) => path ?? "none");
    const unmounted = [...folders.map((path) => `${path}/`), ...files].filter(
      (path) => !mounts("operator").some((folder) => path.startsWith(`${folder}/`)),
    );
    expect(unmounted).toEqual([]);
    const onHost = spec.volumes.map(
      ({ hostPath }: { readonly hostPath: { readonly path: string } }) => hostPath.path,
    );
    expect(onHost.sort()).toEqual([...new Set([...mounts("plugin"), ...mounts("operator")])].sort());
  });

  it("static-pod.yaml gives its containers no capability, no writable root, a bound on memory and a seccomp profile", () => {
    const { spec } = parse(read("deploy/static-pod.yaml"));
    expect(spec.securityContext).toEqual({ seccompProfile: { type: "RuntimeDefault" } });
    expect(spec.containers).toHaveLength(2);
    for (const { securityContext, resources: needs, command } of spec.containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        privileged: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
      expect(needs.limits.memory).toMatch(/^\d+[MG]i$/);
      // The image's entry point forbids core dumps; a command would replace it.
      expect(command).toBeUndefined();
    }
  });

  it("the image and each systemd unit forbid core dumps, also to a program that core_pattern names", () => {
    const [, entryPoint = "[]"] = /^ENTRYPOINT (.+)$/m.exec(read("Dockerfile")) ?? [];
    expect(JSON.parse(entryPoint).slice(0, 3)).toEqual(["prlimit", "--core=1", "node"]);
    const text = read("deploy/README.md");
    expect(text.match(/^ExecStart=/gm)).toHaveLength(2);
    expect(text.match(/^LimitCORE=1$/gm)).toHaveLength(2);
  });

  it("Dockerfile copies what exists, and .dockerignore lets it through", () => {
    const copied = [...read("Dockerfile").matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = ""]) =>
      names.split(" "),
    );
    expect(copied.length).toBeGreaterThan(0);
    expect(copied.filter((name) => !existsSync(join(ROOT, name)))).toEqual([]);
    const allowed = read(".dockerignore").split("\n");
    expect(copied.filter((name) => !allowed.includes(`!${name}`))).toEqual([]);
  });
});

describe("the tests that docs/threat-model.md names", () => {
  /** `FILE`: "TITLE"; "TITLE", in the last cell of a row. */
  const named = [
    ...read("docs/threat-model.md").matchAll(/`((?:src|test)\/\S+\.test\.ts)`: ((?:"[^"]+"(?:; )?)+)/g),
  ].flatMap(([, file = "", titles = ""]) =>
    [...titles.matchAll(/"([^"]+)"/g)].map(([, title = ""]) => ({ file, title })),
  );

  it("are many", () => {
    expect(named.length).toBeGreaterThan(30);
  });

  it.each(named)("$file has: $title", ({ file, title }) => {
    expect(read(file)).toContain(title);
  });
});
