import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { TRANSPARENCY_LEAVES } from "../../testing/transparency-leaves.ts";
import { HASH_BYTES, leafHash, nodeHash } from "./hashes.ts";
import { LeafFile } from "./leaf-file.ts";
import { consistencyProof, inclusionProof, isConsistent, isIncluded, type Leaves, rootOf } from "./proofs.ts";

const listed = (list: readonly Buffer[]): Leaves => ({
  size: list.length,
  range: (from, to) => list.slice(from, to),
});
const numbered = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, at) => leafHash(Buffer.from(`line ${at}`)));

/** RFC 6962, 2.1, word for word. */
const largestPower = (below: number): number => 2 ** Math.ceil(Math.log2(below) - 1);
function mth(d: readonly Buffer[]): Buffer {
  const [first] = d;
  if (first !== undefined && d.length === 1) return first;
  const k = largestPower(d.length);
  return nodeHash(mth(d.slice(0, k)), mth(d.slice(k)));
}
function definedPath(m: number, d: readonly Buffer[]): Buffer[] {
  if (d.length === 1) return [];
  const k = largestPower(d.length);
  return m < k
    ? [...definedPath(m, d.slice(0, k)), mth(d.slice(k))]
    : [...definedPath(m - k, d.slice(k)), mth(d.slice(0, k))];
}
function definedSubproof(m: number, d: readonly Buffer[], b: boolean): Buffer[] {
  if (m === d.length) return b ? [] : [mth(d)];
  const k = largestPower(d.length);
  return m <= k
    ? [...definedSubproof(m, d.slice(0, k), b), mth(d.slice(k))]
    : [...definedSubproof(m - k, d.slice(k), false), mth(d.slice(0, k))];
}

const ct = listed(TRANSPARENCY_LEAVES.map((hex) => leafHash(Buffer.from(hex, "hex"))));
const hex = (hashes: readonly Buffer[]): string[] => hashes.map((hash) => hash.toString("hex"));

it("has the inclusion proofs of Certificate Transparency's test vectors", () => {
  expect(hex(inclusionProof(ct, 0, 1))).toEqual([]);
  expect(hex(inclusionProof(ct, 0, 8))).toEqual([
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
  ]);
  expect(hex(inclusionProof(ct, 5, 8))).toEqual([
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  ]);
  expect(hex(inclusionProof(ct, 2, 3))).toEqual([
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  ]);
});

it("has the consistency proofs of Certificate Transparency's test vectors", () => {
  expect(hex(consistencyProof(ct, 1, 1))).toEqual([]);
  expect(hex(consistencyProof(ct, 1, 8))).toEqual([
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
  ]);
  expect(hex(consistencyProof(ct, 6, 8))).toEqual([
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  ]);
});

it("has the proofs of RFC 6962's definition for trees of all sizes to 35, and they are good", () => {
  const all = numbered(35);
  for (let size = 1; size <= all.length; size += 1) {
    const d = all.slice(0, size);
    const root = mth(d);
    for (let m = 0; m < size; m += 1) {
      const inclusion = inclusionProof(listed(all), m, size);
      expect(inclusion).toEqual(definedPath(m, d));
      expect(isIncluded({ index: m, size, leaf: d[m] ?? root, proof: inclusion, root })).toBe(true);
      const consistency = consistencyProof(listed(all), m + 1, size);
      expect(consistency).toEqual(definedSubproof(m + 1, d, true));
      const earlier = { size: m + 1, root: mth(d.slice(0, m + 1)) };
      expect(isConsistent({ earlier, later: { size, root }, proof: consistency })).toBe(true);
    }
  }
});

const flipped = (hash: Buffer, bit: number): Buffer => {
  const copy = Buffer.from(hash);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
};

it("refuses a proof of anything else: another leaf, index, size, root or step", () => {
  const all = numbered(300);
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 300 }),
      fc.nat(),
      fc.nat({ max: 255 }),
      fc.nat(),
      (size, at, bit, which) => {
        const index = at % size;
        const root = rootOf(listed(all), 0, size);
        const proof = inclusionProof(listed(all), index, size);
        const good = { index, size, leaf: all[index] ?? root, proof, root };
        expect(isIncluded(good)).toBe(true);
        const bad = [
          { ...good, leaf: flipped(good.leaf, bit) },
          { ...good, root: flipped(root, bit) },
          { ...good, proof: proof.slice(1) },
          { ...good, proof: [...proof, root] },
          {
            ...good,
            proof: proof.map((step, n) => (n === which % proof.length ? flipped(step, bit) : step)),
          },
          { ...good, index: size },
          { ...good, index: -1 },
          { ...good, size: 0 },
        ];
        expect(bad.map(isIncluded)).toEqual(bad.map(() => false));
        // Other indexes have other ways through the tree.
        expect(isIncluded({ ...good, index: (index + 1) % size })).toBe(false);
      },
    ),
  );
});

it("refuses a consistency proof of anything else", () => {
  const all = numbered(300);
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 300 }),
      fc.nat(),
      fc.nat({ max: 255 }),
      fc.nat(),
      (size, at, bit, which) => {
        const before = 1 + (at % (size - 1));
        const earlier = { size: before, root: rootOf(listed(all), 0, before) };
        const later = { size, root: rootOf(listed(all), 0, size) };
        const proof = consistencyProof(listed(all), before, size);
        expect(isConsistent({ earlier, later, proof })).toBe(true);
        const bad = [
          { earlier: { ...earlier, root: flipped(earlier.root, bit) }, later, proof },
          { earlier, later: { ...later, root: flipped(later.root, bit) }, proof },
          { earlier: later, later: earlier, proof },
          { earlier, later, proof: proof.slice(1) },
          { earlier, later, proof: [...proof, later.root] },
          {
            earlier,
            later,
            proof: proof.map((step, n) => (n === which % proof.length ? flipped(step, bit) : step)),
          },
          { earlier, later, proof: [] },
        ];
        expect(bad.map(isConsistent)).toEqual(bad.map(() => false));
      },
    ),
  );
});

it("an empty tree is continued by each tree, and a tree by itself alone", () => {
  const [root = Buffer.alloc(0), other = root] = numbered(2);
  expect(isConsistent({ earlier: { size: 0, root: other }, later: { size: 1, root }, proof: [] })).toBe(true);
  expect(isConsistent({ earlier: { size: 1, root: other }, later: { size: 1, root }, proof: [] })).toBe(
    false,
  );
  expect(() => inclusionProof(ct, 8, 8)).toThrow(RangeError);
  expect(() => inclusionProof(ct, 0, 9)).toThrow(RangeError);
  expect(() => consistencyProof(ct, 5, 4)).toThrow(RangeError);
});

it("reads leaves of a file in blocks, and leaves that are not whole not at all", () => {
  const folder = mkdtempSync(join(tmpdir(), "claviger-leaves-"));
  try {
    const all = Array.from({ length: 40_000 }, (_, at) => {
      const leaf = Buffer.alloc(HASH_BYTES);
      leaf.writeUInt32BE(at);
      return leaf;
    });
    writeFileSync(join(folder, "leaves"), Buffer.concat([...all, Buffer.alloc(31)]));
    const file = new LeafFile(join(folder, "leaves"));
    expect([file.size, file.rest]).toEqual([40_000, 31]);
    expect([...file.range(32_760, 39_990)].map((leaf) => leaf.readUInt32BE())).toEqual(
      Array.from({ length: 7_230 }, (_, at) => 32_760 + at),
    );
    expect(file.at(39_999)).toEqual(all[39_999]);
    expect(file.at(40_000)).toBeUndefined();
    expect(rootOf(file, 0, 40_000)).toEqual(rootOf(listed(all), 0, 40_000));
    expect(() => rootOf(file, 0, 40_001)).toThrow(RangeError);
    file.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
