const STANDARD = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Decodes base64 as StdEncoding of Go does: padded, line breaks passed over. Undefined if it is none. */
export function decodeGoBase64(text: string): Buffer | undefined {
  const bare = text.replace(/[\r\n]/g, "");
  return STANDARD.test(bare) ? Buffer.from(bare, "base64") : undefined;
}
