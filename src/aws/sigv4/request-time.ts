import type { HeaderList } from "./header-list.ts";
import { incomplete, invalid } from "./refusals.ts";

/** AWS refuses a request that was signed more than five minutes from now. */
const SKEW_MINUTES = 5;
const SKEW = SKEW_MINUTES * 60_000;
const BASIC = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/** The time at which a request says that it was signed. */
export interface RequestTime {
  /** The header that has it. It must be signed. */
  readonly header: "x-amz-date" | "date";
  /** The time in the form that is signed: YYYYMMDDTHHMMSSZ. */
  readonly text: string;
  readonly at: number;
}

/** Returns the time in X-Amz-Date, or in Date if there is no X-Amz-Date. Throws IncompleteSignatureException. */
export function requestTime(headers: HeaderList): RequestTime {
  const text = headers.single("x-amz-date");
  if (text !== undefined) {
    const at = fromBasic(text);
    if (at === undefined)
      throw incomplete("X-Amz-Date must be in ISO-8601 'basic format': YYYYMMDDTHHMMSSZ.");
    return { header: "x-amz-date", text, at };
  }
  const date = headers.single("date");
  if (date === undefined) {
    throw incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  }
  const at = fromBasic(date) ?? fromHttp(date);
  if (at === undefined) throw incomplete("Date must be in ISO-8601 'basic format' or in the format of HTTP.");
  return { header: "date", text: basic(at), at };
}

/** Throws InvalidSignatureException, with AWS's text, if the request was signed too long ago or in the future. */
export function checkSkew({ text, at }: RequestTime, now: number): void {
  if (at < now - SKEW) {
    throw invalid(
      `Signature expired: ${text} is now earlier than ${basic(now - SKEW)} (${basic(now)} - ${SKEW_MINUTES} min.)`,
    );
  }
  if (at > now + SKEW) {
    throw invalid(
      `Signature not yet current: ${text} is still later than ${basic(now + SKEW)} (${basic(now)} + ${SKEW_MINUTES} min.)`,
    );
  }
}

/** Formats as YYYYMMDDTHHMMSSZ. */
export const basic = (at: number): string =>
  new Date(at)
    .toISOString()
    .replaceAll(/[:-]/g, "")
    .replace(/\.\d+Z$/, "Z");

/** The last text that was read: clients sign thousands of requests in one second. */
let last: { readonly text: string; readonly at: number | undefined } = { text: "", at: undefined };

function fromBasic(text: string): number | undefined {
  if (text !== last.text) last = { text, at: readBasic(text) };
  return last.at;
}

function readBasic(text: string): number | undefined {
  const [, ...parts] = BASIC.exec(text) ?? [];
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.map(Number);
  const at = parts.length === 0 ? Number.NaN : Date.UTC(year, month - 1, day, hour, minute, second);
  // The 31st of February becomes a day of March: only a time that is written as itself exists.
  return Number.isNaN(at) || basic(at) !== text ? undefined : at;
}

/** Reads a date as HTTP writes it, for example "Sun, 06 Nov 1994 08:49:37 GMT". */
function fromHttp(text: string): number | undefined {
  const at = text.length === 29 ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) || new Date(at).toUTCString() !== text ? undefined : at;
}
