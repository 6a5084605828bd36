import { createHash } from "node:crypto";
import { parseKeyId, parseVersionId } from "../../src/crypto/ids.ts";

/** The fixed inputs that the vectors share. They were never real keys. */
export const ids = {
  key: parseKeyId("6b1f2c3d-0a4e-4f5a-8b6c-7d8e9fa0b1c2"),
  otherKey: parseKeyId("00000000-0000-4000-8000-000000000001"),
  version: parseVersionId("f0e1d2c3-b4a5-4687-9788-a9bacbdcedfe"),
  otherVersion: parseVersionId("ffffffff-ffff-4fff-bfff-ffffffffffff"),
};

/** Returns `size` bytes that count up from `first`. */
export function counting(size: number, first: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, index) => (first + index) % 256));
}

export const MATERIAL = counting(32, 0x00);
export const OTHER_MATERIAL = counting(32, 0x80);
export const SEED = counting(32, 0x40);

/**
 * Returns a different salt for each vector: a salt used twice under one material would reveal what GCM must
 * hide.
 */
export const saltOf = (name: string): Buffer => createHash("sha256").update(`salt of: ${name}`).digest();

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
export const unhex = (text: string): Buffer => Buffer.from(text, "hex");

/** Returns `bytes` with one bit of byte `at` (from the end if negative) changed. */
export function flipped(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes);
  const index = at < 0 ? copy.length + at : at;
  copy.writeUInt8(copy.readUInt8(index) ^ 0x01, index);
  return copy;
}

/** Returns `bytes` with `part` written over them at `at`. */
export function replaced(bytes: Uint8Array, at: number, part: Uint8Array): Buffer {
  const copy = Buffer.from(bytes);
  copy.set(part, at);
  return copy;
}

/**
 * Renders a published file: its description, and its vectors. ASCII only, so that no editor changes a name.
 */
export function vectorFile(about: string, vectors: readonly object[]): string {
  const json = JSON.stringify({ about, vectors }, null, 2);
  return `${json.replaceAll(/[\u007f-\uffff]/g, escaped)}\n`;
}

const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
