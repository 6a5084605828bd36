const STANDARD = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Decodes base64 as Go's StdEncoding does: padded, ignoring line breaks. Returns undefined if it is
 * malformed.
 */
export function decodeGoBase64(text: string): Buffer | undefined {
  const bare = text.replace(/[\r\n]/g, "");
  return STANDARD.test(bare) ? Buffer.from(bare, "base64") : undefined;
}
