import fc from "fast-check";
import { expect, it } from "vitest";
import { TRANSPARENCY_LEAVES } from "../../testing/transparency-leaves.ts";
import { EMPTY_ROOT, leafHash, nodeHash } from "./hashes.ts";
import { RightEdge } from "./right-edge.ts";

/** The roots of the trees of the first leaves, none to all, by the same test vectors. */
const ROOTS = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

it("has the roots of Certificate Transparency's test vectors", () => {
  const edge = new RightEdge();
  const roots = [edge.root()];
  for (const input of TRANSPARENCY_LEAVES) {
    edge.append(leafHash(Buffer.from(input, "hex")));
    roots.push(edge.root());
  }
  expect(roots.map((root) => root.toString("hex"))).toEqual(ROOTS);
});

/** The definition of RFC 6962, 2.1, word for word. */
function defined(leaves: readonly Buffer[]): Buffer {
  const [first] = leaves;
  if (first === undefined) return EMPTY_ROOT;
  if (leaves.length === 1) return first;
  let half = 1;
  while (half * 2 < leaves.length) half *= 2;
  return nodeHash(defined(leaves.slice(0, half)), defined(leaves.slice(half)));
}

it("has the root of the definition for any number of leaves, also after it was stored and read", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 4 }), { maxLength: 70 }), (lines) => {
      const leaves = lines.map((line) => leafHash(Buffer.from(line)));
      let edge = new RightEdge();
      for (const leaf of leaves) {
        edge = new RightEdge(edge.size, edge.roots);
        edge.append(leaf);
      }
      expect(edge.size).toBe(leaves.length);
      expect(edge.root()).toEqual(defined(leaves));
    }),
  );
});

it("does not take roots that are no right edge of a tree of that size", () => {
  expect(() => new RightEdge(3, [EMPTY_ROOT])).toThrow(RangeError);
  expect(() => new RightEdge(1, [Buffer.alloc(31)])).toThrow(RangeError);
  expect(() => new RightEdge(-1, [])).toThrow(RangeError);
  expect(new RightEdge(2 ** 40, [EMPTY_ROOT]).size).toBe(2 ** 40);
});
