import { type Document, isNode, isScalar, type Node, visit } from "yaml";

const MAX_KEY = 1_024;
const ANCHOR = /^[-\w]+$/;
/** A limit, so that the text does not grow without end. */
const MAX_LINES = 10_000;
const INDENT = " ".repeat(200);

/**
 * Returns the position of something that our parser, which reads YAML 1.2, accepts but libyaml refuses or
 * reads differently, or undefined if there is none.
 */
export function notYaml11(document: Document.Parsed, source: string): number | undefined {
  const inner: Node[] = [];
  let odd: number | undefined;
  visit(document, {
    Pair(_, { key }, path) {
      const range = isNode(key) && isWithinBrackets(path) ? key.range : undefined;
      if (range && isOddKey(source, range)) odd ??= range[0];
    },
    Node(_, node, path) {
      const range = (node as Node).range;
      if (range === null || range === undefined) return undefined;
      const inFlow = isWithinBrackets(path);
      if (isScalar(node) || ("flow" in node && node.flow === true)) inner.push(node);
      const anchor = "anchor" in node && typeof node.anchor === "string" ? node.anchor : "a";
      const plain = isScalar(node) && node.type === "PLAIN" && inFlow;
      if (!ANCHOR.test(anchor) || (plain && isOddInFlow(source, range))) odd ??= range[0];
      return undefined;
    },
  });
  return odd ?? tabbedLine(document, source, inner);
}

const isWithinBrackets = (path: readonly object[]): boolean =>
  path.some((one) => "flow" in one && one.flow === true);

/** libyaml requires a key and its colon on one line, within 1,024 characters. */
function isOddKey(source: string, [start, end]: readonly [number, number, number]): boolean {
  const [after = ""] = /^\s*(?::|$)/.exec(source.slice(end, end + MAX_KEY)) ?? [];
  const key = source.slice(start, end) + after;
  return after.endsWith(":") && (key.includes("\n") || key.length > MAX_KEY);
}

/** Within brackets, libyaml ends a plain scalar at any question mark, and at a colon only before white space. */
function isOddInFlow(source: string, [start, end]: readonly [number, number, number]): boolean {
  const text = source.slice(start, end);
  return text.includes("?") || text.startsWith(":") || /^:[,[\]{}]/.test(source.slice(end, end + 2));
}

/** Returns a line that is indented by a tab, outside of scalars and brackets. */
function tabbedLine(document: Document.Parsed, source: string, inner: readonly Node[]): number | undefined {
  const [, content] = document.range;
  const next = /^(?:---|\.\.\.)(?=\s|$)/m.exec(source.slice(content));
  const end = next === null ? source.length : content + next.index;
  for (const { index } of source.slice(0, end).matchAll(/^ *\t/gm)) {
    const within = ({ range }: Node) => range && range[0] < index && index < range[1];
    if (index >= document.range[0] && !inner.some(within)) return index;
  }
  return undefined;
}

/**
 * White space and line breaks, comments, quoted scalars, brackets, indicators and tags, block scalars, plain
 * scalars.
 */
const token = (plain: string): RegExp =>
  new RegExp(
    [
      "[ \\t]+|\\n",
      "#[^\\n]*",
      '"(?:[^"\\\\]|\\\\[^])*"?',
      "'(?:[^']|'')*'?",
      "[[\\]{},]",
      "[-?:](?=\\s|$)",
      "[&*!][^\\s,[\\]{}]*",
      "[|>][^\\n]*",
      plain,
      "[^]",
    ].join("|"),
    "y",
  );
const IN_BLOCK = token("(?:[^\\s:#]|:(?!\\s|$)|(?<=\\S)#|[ \\t]+(?![#\\s]))+");
const IN_FLOW = token("(?:[^\\s:#,[\\]{}]|:(?!\\s|$)|(?<=\\S)#|[ \\t]+(?![#\\s,[\\]{}]))+");

/**
 * Returns the same text with each line that begins within brackets or quotes moved far to the right, which
 * YAML 1.1 and YAML 1.2 read alike.
 */
export function indentedWithinBrackets(text: string): string {
  if (text.split("\n").length > MAX_LINES) return text;
  const parts: string[] = [];
  let depth = 0;
  let position = 0;
  while (position < text.length) {
    const pattern = depth > 0 ? IN_FLOW : IN_BLOCK;
    pattern.lastIndex = position;
    let [part = ""] = pattern.exec(text) ?? [];
    if (depth === 0 && /^[|>]/.test(part)) part = blockScalar(text, position);
    position += part.length;
    if (part === "[" || part === "{") depth += 1;
    if (part === "]" || part === "}") depth = Math.max(0, depth - 1);
    const within =
      part === "\n"
        ? depth > 0 && !/^(?:---|\.\.\.)\s/.test(text.slice(position, position + 4))
        : /^["']/.test(part);
    parts.push(within ? part.replaceAll("\n", `\n${INDENT}`) : part);
  }
  return parts.join("");
}

/**
 * Returns a block scalar whose head begins at this position: the following lines that are empty or indented
 * more than the line of its head.
 */
function blockScalar(text: string, position: number): string {
  const lineStart = text.lastIndexOf("\n", position) + 1;
  const [indent = ""] = /^ */.exec(text.slice(lineStart, position)) ?? [];
  const deeper = new RegExp(`[^\\n]*(?:\\n(?: *(?=\\n|$)| {${indent.length + 1},}[^\\n]*))*`, "y");
  deeper.lastIndex = position;
  return deeper.exec(text)?.[0] ?? "";
}
