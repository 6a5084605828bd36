import { isIPv6 } from "node:net";

/** The parts of a URL that the API server uses to dial a plugin. */
export interface GoUrl {
  /** In lower case; empty if there is none. */
  readonly scheme: string;
  /** Unescaped; empty if no path follows the scheme. */
  readonly path: string;
}

const MAX_SHOWN = 20;

/**
 * The text is not a URL for Go's net/url. The message is Go's own, and quotes at most a few characters of the
 * text.
 */
export class NotGoUrl extends Error {}

const SCHEME = /^([A-Za-z][-+.A-Za-z0-9]*):/;
/**
 * The ASCII characters that a host may contain unescaped, and everything that is not ASCII
 * (encoding_table.go, encodeHost).
 */
const HOST = /^[-_.~A-Za-z0-9!$&'()*+,;=:[\]<>"\u0080-\u{10ffff}]$/u;
const USER = /^[-._:~!$&'()*+,;=%@A-Za-z0-9]*$/;

/**
 * Parses a URL as Go's net/url does (url.go of Go 1.26): laxer than the URL standard of the web, but stricter
 * about control characters and escapes. Throws NotGoUrl.
 */
export function parseGoUrl(text: string): GoUrl {
  const [url = "", ...fragments] = text.split("#");
  const parsed = parse(url);
  mustEscapeWell(fragments.join("#"));
  return parsed;
}

function parse(url: string): GoUrl {
  if ([...url].some(isControl)) throw new NotGoUrl("net/url: invalid control character in URL");
  if (url === "*") return { scheme: "", path: "*" };
  if (url.startsWith(":")) throw new NotGoUrl("missing protocol scheme");
  const [prefix = "", name = ""] = SCHEME.exec(url) ?? [];
  const scheme = name.toLowerCase();
  const [rest = ""] = url.slice(prefix.length).split("?");
  if (!rest.startsWith("/")) {
    if (scheme !== "") return { scheme, path: "" };
    if (rest.split("/")[0]?.includes(":") === true)
      throw new NotGoUrl("first path segment in URL cannot contain colon");
  }
  if (!rest.startsWith("//") || (scheme === "" && rest.startsWith("///")))
    return { scheme, path: unescaped(rest) };
  const slash = rest.indexOf("/", 2);
  checkAuthority(slash === -1 ? rest.slice(2) : rest.slice(2, slash));
  return { scheme, path: slash === -1 ? "" : unescaped(rest.slice(slash)) };
}

function checkAuthority(authority: string): void {
  const at = authority.lastIndexOf("@");
  checkHost(authority.slice(at + 1));
  if (at === -1) return;
  const user = authority.slice(0, at);
  if (!USER.test(user)) throw new NotGoUrl("net/url: invalid userinfo");
  mustEscapeWell(user);
}

function checkHost(host: string): void {
  const bracket = host.lastIndexOf("[");
  if (bracket > 0) throw new NotGoUrl("invalid IP-literal");
  const end = host.lastIndexOf("]");
  if (bracket === 0 && end === -1) throw new NotGoUrl("missing ']' in host");
  if (bracket === 0 && !isIPv6(host.slice(1, end).replace("%25", "%"))) throw new NotGoUrl("invalid host");
  checkPort(bracket === 0 ? host.slice(end + 1) : host);
}

function checkPort(host: string): void {
  const colon = host.lastIndexOf(":");
  const port = colon === -1 ? "" : host.slice(colon);
  if (!/^(:\d*)?$/.test(port))
    throw new NotGoUrl(`invalid port ${JSON.stringify(port.slice(0, MAX_SHOWN))} after host`);
  mustEscapeWell(host);
  const wrong = /%(?!25)[0-7]./.exec(host);
  if (wrong !== null) throw new NotGoUrl(`invalid URL escape "${wrong[0]}"`);
  const odd = [...host.replace(/%../g, "")].find((one) => !HOST.test(one));
  if (odd !== undefined) throw new NotGoUrl(`invalid character ${JSON.stringify(odd)} in host name`);
}

function mustEscapeWell(text: string): void {
  const wrong = /%(?![0-9a-fA-F]{2}).{0,2}/su.exec(text);
  if (wrong !== null) throw new NotGoUrl(`invalid URL escape ${JSON.stringify(wrong[0])}`);
}

function unescaped(path: string): string {
  mustEscapeWell(path);
  const bytes = Buffer.from(path)
    .toString("latin1")
    .replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}

const isControl = (character: string): boolean => character < " " || character === "\u007f";
