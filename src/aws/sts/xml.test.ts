import { expect, test } from "vitest";
import { element } from "./xml.ts";

test("markup, quotes and characters that XML does not have => escaped or replaced", () => {
  expect(element("a", `<b x="1" y='2'>&\u0000\u001b\r\n\ud800🔑</b>`)).toBe(
    "<a>&#60;b x=&#34;1&#34; y=&#39;2&#39;&#62;&#38;\ufffd\ufffd&#13;\n\ufffd🔑&#60;/b&#62;</a>",
  );
});

test("elements keep their order, and an empty one is an element", () => {
  expect(
    element("a", [
      ["c", "1"],
      ["b", [["d", ""]]],
    ]),
  ).toBe("<a><c>1</c><b><d></d></b></a>");
});
