import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A text that somebody might give to the API server, and its name in messages. */
export interface Input {
  readonly name: string;
  readonly bytes: Buffer;
}

const FILES = join(import.meta.dirname, "files");
const SOCKET = "unix:///run/claviger/secrets.sock";
/** 32 bytes. */
const KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const HEAD = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\n";
const JSON_HEAD = '"apiVersion":"apiserver.config.k8s.io/v1","kind":"EncryptionConfiguration"';

/** Returns the files of the folder next to this file: configurations of other systems' operators. */
export const fileInputs = (): Input[] =>
  readdirSync(FILES)
    .sort()
    .map((name) => ({ name, bytes: readFileSync(join(FILES, name)) }));

/** Renders an entry for secrets, or for the named resources. */
const entry = (providers: string, resources = "[secrets]"): string =>
  `${HEAD}resources:\n  - resources: ${resources}\n    providers:\n${providers}`;
const kms = (fields: string, resources?: string): string =>
  entry(`      - kms: { name: secrets, endpoint: "${SOCKET}", ${fields} }\n`, resources);
const v2 = (fields: string): string => kms(`apiVersion: v2, ${fields}`);
const endpoint = (value: string): string =>
  entry(`      - kms: { apiVersion: v2, name: secrets, endpoint: ${value} }\n`);
const key = (kind: string, fields: string): string => entry(`      - ${kind}: { keys: [{ ${fields} }] }\n`);
const named = (name: string): string =>
  entry(`      - aescbc:\n          keys:\n            - name: ${name}\n              secret: ${KEY}\n`);
const resources = (list: string): string => kms("apiVersion: v2", list);
const json = (rest: string): string => `{${JSON_HEAD}${rest}}`;
const JSON_RULES = '"resources":[{"resources":["secrets"],"providers":[{"identity":{}}]}]';

/** Hostile and odd inputs. */
export const ODD: Readonly<Record<string, string | Buffer>> = {
  nothing: "",
  "a comment alone": "# nothing yet\n",
  "an empty first document": `---\n---\n${v2("timeout: 3s")}`,
  "a leading separator": `---\n${v2("timeout: 3s")}`,
  "a document on the line of its separator": `--- {${JSON_HEAD},${JSON_RULES}}\n`,
  "a list": "- 1\n",
  "a scalar": "secrets\n",
  "no kind": v2("timeout: 3s").replace(/kind.*\n/, ""),
  "no apiVersion": v2("timeout: 3s").replace(/apiVersion: apiserver.*\n/, ""),
  "an apiVersion with two slashes": v2("timeout: 3s").replace("io/v1", "io/v1/x"),
  "another version": v2("timeout: 3s").replace("io/v1", "io/v1beta1"),
  "another kind of its group": v2("timeout: 3s").replace("EncryptionConfiguration", "AdmissionConfiguration"),
  "a number as kind": v2("timeout: 3s").replace("EncryptionConfiguration", "1"),
  metadata: `${v2("timeout: 3s")}metadata: { name: x }\n`,
  "a field in capitals": v2("TIMEOUT: 3s"),
  "a kind in capitals": v2("timeout: 3s").replace("kind:", "Kind:"),
  "resources that are null": `${HEAD}resources:\n`,
  "resources that are a mapping": `${HEAD}resources: {}\n`,
  "an entry that is null": `${HEAD}resources: [~]\n`,
  "a provider that is null": entry("      - \n"),
  "a provider of a field that is null": entry("      - kms:\n"),
  "keys that are null": entry("      - aescbc: { keys: }\n"),
  "a key that is null": entry("      - aescbc: { keys: [~] }\n"),
  "a resource that is null": resources("[~]"),
  "a resource that is a number": resources("[1]"),
  "identity that is a list": entry("      - identity: []\n"),
  "identity that is text": entry("      - identity: ''\n"),
  "duplicate keys": `${v2("timeout: 3s")}kind: EncryptionConfiguration\n`,
  "duplicate keys further down": v2("timeout: 3s, timeout: 3s"),
  "duplicate keys, one in quotes": v2('timeout: 3s, "timeout": 3s'),
  "a merge of two mappings": entry(
    `      - kms: { <<: [{ name: secrets }, { endpoint: "${SOCKET}", apiVersion: v2 }] }\n`,
  ),
  "a merge of two mappings with one key": entry(
    `      - kms: { <<: [{ name: a, apiVersion: v2 }, { name: b, endpoint: "${SOCKET}" }] }\n`,
  ),
  "a merge after the key that it has too": entry(
    `      - kms: { name: a, endpoint: "${SOCKET}", <<: { name: b } }\n`,
  ),
  "a merge of a text": v2("<<: text"),
  "a merge key in quotes": v2('"<<": { timeout: 5s }'),
  "a merge of an alias": `${HEAD}resources:\n  - &rule\n    resources: [secrets]\n    providers: [{ identity: {} }]\n  - <<: *rule\n`,
  "an alias of a list": `${HEAD}resources:\n  - resources: [secrets]\n    providers: &all [{ identity: {} }]\n  - resources: [configmaps]\n    providers: *all\n`,
  "an alias of itself": `${HEAD}resources: &a [*a]\n`,
  "an alias without an anchor": v2("timeout: *three"),
  "an anchor that is named again": v2("timeout: &a 5s")
    .replace("secrets,", "&a secrets,")
    .concat("      - kms: { apiVersion: v2, name: *a, endpoint: unix:///x }\n"),
  "an anchor with a point": v2("timeout: &a.b 5s"),
  "aliases that unfold without end": `a0: &a0 [x]\n${Array.from({ length: 12 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(9)}]`).join("\n")}\n`,
  "a name that is y": named("y"),
  "a name that is On": named("On"),
  "a name that is null": named("null"),
  "a name that is a tilde in quotes": named("'~'"),
  "a name that is empty": named("''"),
  "a name that is a date": named("2026-03-09"),
  "a name that is a time": named("2026-03-09T09:46:54+01:00"),
  "a name that is a time of day": named("09:46:54"),
  "a name that is an octal number of YAML 1.1": named("017"),
  "a name that is no octal number": named("08"),
  "a name that is hexadecimal": named("0x1F"),
  "a name that is binary": named("0b11"),
  "a name with underscores": named("1_000"),
  "a name that is a float": named("1.5"),
  "a name that is an exponent": named("1e3"),
  "a name that is a dotted float": named(".5"),
  "a name that is infinite": named(".inf"),
  "a name that is too large a number": named("18446744073709551616"),
  "a name that is an exponent that overflows": named("1e400"),
  "a name with a sign": named("+1"),
  "a name of digits and a letter": named("1a"),
  "a name that is tagged text": named("!!str 1"),
  "a name that is tagged a number": named("!!int a"),
  "a name that is binary data": named("!!binary a2V5MQ=="),
  "a name of a tag of somebody's own": named("!name 1"),
  "a name of a tag handle that nobody declared": named("!k!name 1"),
  "a name with the tag of no type": named("! 1"),
  "a name with escapes": named('"k\\u00e9y\\x31"'),
  "a name over two lines": named("a\n                b"),
  "a folded name": named(">-\n                a\n                b"),
  "a name with a line break": named("|\n                a"),
  "a name with a hash": named("a#b"),
  "a name with a comment": named("a #b"),
  "a name that begins with a percent sign": named("%a"),
  "a name that begins with an at sign": named("@a"),
  "a name with a colon and a space": named("a: b"),
  "a name with colons": named("aescbckey-09:46:54"),
  "a name of prototypes": named("__proto__"),
  "two keys of one name": entry(
    `      - aescbc: { keys: [{ name: a, secret: ${KEY} }, { name: a, secret: ${KEY} }] }\n`,
  ),
  "aesgcm of 16 bytes": key("aesgcm", "name: a, secret: MDEyMzQ1Njc4OTAxMjM0NQ=="),
  "aescbc of 24 bytes": key("aescbc", "name: a, secret: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"),
  "aescbc of 25 bytes": key("aescbc", "name: a, secret: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNA=="),
  "secretbox of 16 bytes": key("secretbox", "name: a, secret: MDEyMzQ1Njc4OTAxMjM0NQ=="),
  "secretbox of 32 bytes": key("secretbox", `name: a, secret: ${KEY}`),
  "a secret without padding": key("aescbc", `name: a, secret: ${KEY.slice(0, -1)}`),
  "a secret with loose last bits": key("aescbc", `name: a, secret: ${KEY.replace("DE=", "DF=")}`),
  "a secret for URLs": key("aescbc", `name: a, secret: "${KEY.replace("MDEy", "-_Ey")}"`),
  "a secret over two lines": entry(
    `      - aescbc:\n          keys:\n            - name: a\n              secret: |\n                ${KEY.slice(0, 20)}\n                ${KEY.slice(20)}\n`,
  ),
  "a secret with a space": key("aescbc", `name: a, secret: "${KEY} "`),
  "a field beside a key": key("aescbc", `name: a, secret: ${KEY}, comment: x`),
  "a timeout of a number": v2("timeout: 3"),
  "a timeout of digits": v2("timeout: '3'"),
  "a timeout of nothing": v2("timeout: ''"),
  "a timeout of 0": v2("timeout: 0s"),
  "a timeout of zero without a unit": v2("timeout: '0'"),
  "a timeout of less than a nanosecond": v2("timeout: 0.1ns"),
  "a timeout of two units": v2("timeout: 1m2.5s"),
  "a timeout with a plus sign": v2("timeout: +3s"),
  "a timeout in days": v2("timeout: 1d"),
  "a timeout in microseconds": v2("timeout: 3000000µs"),
  "the longest timeout": v2("timeout: 2562047h47m16.854775807s"),
  "a timeout that overflows": v2("timeout: 2562047h47m16.854775808s"),
  "a timeout with a fraction of many digits": v2(`timeout: 3.${"1".repeat(40)}s`),
  "cachesize with v2": v2("cachesize: 1000"),
  "cachesize null with v2": v2("cachesize: ~"),
  "cachesize of an exponent": kms("cachesize: 1e3"),
  "cachesize of a fraction": kms("cachesize: 1.5"),
  "cachesize of a whole fraction": kms("cachesize: 1000.0"),
  "cachesize in quotes": kms("cachesize: '1000'"),
  "cachesize below zero": kms("cachesize: -1"),
  "cachesize beyond 32 bits": kms("cachesize: 2147483648"),
  "cachesize of an exponent in JSON": json(
    `,"resources":[{"resources":["secrets"],"providers":[{"kms":{"name":"a","endpoint":"${SOCKET}","cachesize":1e3}}]}]`,
  ),
  "an apiVersion of kms that is empty": kms("apiVersion: ''"),
  "an apiVersion of kms that is a number": kms("apiVersion: 2"),
  "a colon in a name of v2": v2("timeout: 3s").replace("name: secrets", "name: 'a:b'"),
  "no endpoint": entry("      - kms: { apiVersion: v2, name: secrets }\n"),
  "an endpoint without a scheme": endpoint("/run/claviger/secrets.sock"),
  "an endpoint of another scheme": endpoint("tcp://127.0.0.1:1"),
  "an endpoint without slashes": endpoint("unix:run/claviger/secrets.sock"),
  "an endpoint with a host": endpoint("unix://run/claviger/secrets.sock"),
  "an endpoint with a port": endpoint("unix://a:1/x"),
  "an endpoint with a port that is none": endpoint("unix://a:b/x"),
  "an endpoint with a user": endpoint("unix://a:b@c/x"),
  "an endpoint with a user that is none": endpoint('"unix://a b@c/x"'),
  "an endpoint with an address": endpoint('"unix://[::1]/x"'),
  "an endpoint with an address that is none": endpoint('"unix://[::x]/x"'),
  "an endpoint with a space in its host": endpoint('"unix://a b/x"'),
  "an endpoint with an escape in its host": endpoint('"unix://a%41/x"'),
  "an endpoint with escapes": endpoint("unix:///run/claviger/secrets%2Esock"),
  "an endpoint with an escape cut short": endpoint("unix:///run/%2"),
  "an endpoint with a query": endpoint('"unix:///run/x.sock?a=%zz#b"'),
  "an endpoint with a fragment that is none": endpoint('"unix:///run/x.sock#%zz"'),
  "an endpoint with a tab": endpoint('"unix:///run/x\\t.sock"'),
  "an endpoint with a delete character": endpoint('"unix:///run/x\\x7f.sock"'),
  "an endpoint that is a colon": endpoint('":"'),
  "an endpoint that is a star": endpoint('"*"'),
  "an endpoint of the abstract namespace": endpoint('"unix:///@claviger"'),
  "an endpoint that is empty": endpoint("''"),
  "events of the group that stores none": resources("[events.events.k8s.io]"),
  "the wildcard of extensions": resources('["*.extensions"]'),
  "ranges of services": resources("[serviceipallocations]"),
  "ranges of ports": resources("[servicenodeportallocations]"),
  "peers of API servers": resources("[apiserveripinfo]"),
  "ranges of services with a group": resources("[serviceipallocations.]"),
  "one resource in two spellings": resources("[secrets, secrets.]"),
  "a wildcard twice": resources('["*.apps", "*.apps"]'),
  "a wildcard of all beside a resource": resources('["*.*", secrets]'),
  "a wildcard of another group beside a resource": resources('["*.apps", secrets]'),
  "a point alone": resources('["."]'),
  "two stars": resources('["**"]'),
  "a resource with a space": resources('["a b"]'),
  "a resource with an exclamation mark": resources('["!secrets"]'),
  "a resource in capitals of another script": resources('["SCHLÜSSEL"]'),
  "a wildcard after its resource": `${resources("[secrets]")}  - resources: ["*."]\n    providers: [{ identity: {} }]\n`,
  "a resource after its wildcard": `${resources('["*."]')}  - resources: [secrets]\n    providers: [{ identity: {} }]\n`,
  "a wildcard after the wildcard of all": `${resources('["*.*"]')}  - resources: ["*.apps"]\n    providers: [{ identity: {} }]\n`,
  "a v2 name in two entries": `${v2("timeout: 3s")}  - resources: [configmaps]\n    providers: [{ kms: { apiVersion: v2, name: secrets, endpoint: "unix:///x" } }]\n`,
  "a tab after a dash": entry("      -\tidentity: {}\n"),
  "a tab after a colon": v2("timeout:\t3s"),
  "a tab that indents the last line": `${v2("timeout: 3s")}\t`,
  "a tab within brackets": v2("\ttimeout: 3s"),
  "brackets over lines that are not indented": entry(
    `      - kms: { apiVersion: v2,\nname: secrets,\n  endpoint: "${SOCKET}"\n}\n      - aescbc: { keys: [\n      { name: a, secret: ${KEY} }\n      ] }\n`,
  ),
  "quotes over lines that are not indented": named('"a\\\nb"'),
  "a list that is not indented": `${HEAD}resources:\n- resources:\n  - secrets\n  providers:\n  - identity: {}\n`,
  "an entry that is indented otherwise": `${v2("timeout: 3s")}   - resources: [a]\n`,
  "a question mark within brackets": v2("timeout: 3s").replace("name: secrets", "name: a?b"),
  "a key and its colon on two lines within brackets": v2("timeout\n: 3s"),
  "a key without a space within brackets": v2("timeout:3s"),
  "a quoted key without a space": v2('"timeout":3s'),
  "a key with a question mark": `${HEAD}? resources\n: - resources: [secrets]\n    providers: [{ identity: {} }]\n`,
  "a key that is a list": `${HEAD}[a, b]: c\n`,
  "a name of a field that is null": `${HEAD}~: c\n`,
  "old Mac line ends": v2("timeout: 3s").replaceAll("\n", "\r"),
  "UTF-16": Buffer.from(`\uFEFF${v2("timeout: 3s")}`, "utf16le"),
  "UTF-16, the other way round": Buffer.from(`\uFEFF${v2("timeout: 3s")}`, "utf16le").swap16(),
  "Latin-1": Buffer.from(named("schlüssel"), "latin1"),
  "a NUL": v2("timeout: 3s\0"),
  "a bell in a comment": `${v2("timeout: 3s")}# \u0007\n`,
  "YAML 1.2": `%YAML 1.2\n---\n${v2("timeout: 3s")}`,
  "an unknown directive": `%FOO bar\n---\n${v2("timeout: 3s")}`,
  "a directive without a document": "%YAML 1.1\n",
  "a tag directive": `%TAG !k! tag:yaml.org,2002:\n---\n${named("!k!str 1")}`,
  JSON: json(`,${JSON_RULES}`),
  "JSON after white space": `\n\t ${json(`,${JSON_RULES}`)}\n`,
  "JSON after a byte order mark": `\uFEFF${json(`,${JSON_RULES}`)}`,
  "JSON after a no-break space": `\u00a0${json(`,${JSON_RULES}`)}`,
  "JSON with a trailing comma": json(`,${JSON_RULES},`),
  "JSON with a comment": `${json(`,${JSON_RULES}`)} # x`,
  "JSON with a field twice": json(`,${JSON_RULES},${JSON_RULES}`),
  "JSON with a field twice, escaped": json(`,${JSON_RULES},"\\u0072esources":[]`),
  "JSON with a field in capitals": json(`,${JSON_RULES.replace('"resources"', '"Resources"')}`),
  "JSON with quotes of another kind": json(`,${JSON_RULES}`).replaceAll('"', "'"),
  "JSON that is YAML in braces": `{ ${HEAD.trim().replace("\n", ", ")}, resources: [] }`,
  "JSON with a yes": json(`,${JSON_RULES.replace('"secrets"', "yes")}`),
  "JSON with null": json(`,${JSON_RULES.replace('"secrets"', "null")}`),
  "JSON with half a character": json(`,${JSON_RULES.replace('"secrets"', '"\\ud800"')}`),
  "JSON that is cut short": json(`,${JSON_RULES}`).slice(0, -1),
};

/**
 * Inputs that claviger refuses on purpose although the API server accepts them, and why (docs/operations/encryption-configuration.md
 * has it too).
 */
export const STRICTER: Readonly<Record<string, { readonly text: string; readonly why: string }>> = {
  "the API server's internal version": {
    text: `apiVersion: apiserver.config.k8s.io/__internal\nkind: EncryptionConfiguration\nResources:\n  - Resources: [secrets]\n    Providers:\n      - Identity: {}\n`,
    why: "its fields are those of one release's Go code",
  },
  "a plain scalar within brackets that ends with a colon": {
    text: key("aescbc", `name: a:, secret: ${KEY}`),
    why: "YAML 1.2 reads a key there",
  },
  "a key within brackets that begins with a question mark": {
    text: v2("?timeout: 3s"),
    why: "YAML 1.2 has the question mark in the key's name",
  },
  "a Unicode line separator": {
    text: `${v2("timeout: 3s")}# a\u2028`,
    why: "it ends a line in YAML 1.1 and not in YAML 1.2",
  },
  "a text behind the document without a separator": {
    text: `--- {${JSON_HEAD},${JSON_RULES}}\nmore: 1\n`,
    why: "whoever wrote it expects it to be read",
  },
  "nesting of more than 100": {
    text: `${v2("timeout: 3s")}--- ${"[".repeat(150)}`,
    why: "a parser that recurses needs a bound, in later documents too",
  },
};

export const oddInputs = (): Input[] =>
  Object.entries(ODD).map(([name, text]) => ({
    name,
    bytes: typeof text === "string" ? Buffer.from(text) : text,
  }));
