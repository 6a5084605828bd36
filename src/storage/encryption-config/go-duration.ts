const NANOSECONDS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

const PART = /(\d*)(?:\.(\d*))?([^\d.]+)/y;
/** A duration in Go is an int64 of nanoseconds. */
const LIMIT = 2n ** 63n;
const MAX_DIGITS = 19;

/**
 * Returns the milliseconds of a duration as Go writes it (`3s`, `1m30s`, `1.5h`, `0`), or undefined if it is
 * malformed or longer than Go can count. Source: Go's time.ParseDuration.
 */
export function goDuration(text: string): number | undefined {
  const nanoseconds = durationNanoseconds(text);
  return nanoseconds === undefined ? undefined : Number(nanoseconds) / 1e6;
}

/** Returns the same duration in nanoseconds. */
export function durationNanoseconds(text: string): bigint | undefined {
  const [sign, rest] = /^[-+]/.test(text) ? [text[0], text.slice(1)] : ["+", text];
  if (rest === "0") return 0n;
  const size = rest === "" ? undefined : sum(rest);
  if (size === undefined) return undefined;
  if (sign === "-") return size <= LIMIT ? -size : undefined;
  return size < LIMIT ? size : undefined;
}

function sum(text: string): bigint | undefined {
  let total = 0n;
  PART.lastIndex = 0;
  while (PART.lastIndex < text.length) {
    const [, whole = "", fraction = "", name = ""] = PART.exec(text) ?? [];
    const unit = NANOSECONDS[name];
    const digits = whole.replace(/^0+/, "");
    if (unit === undefined || whole + fraction === "" || digits.length > MAX_DIGITS) return undefined;
    total += BigInt(digits) * unit + fractionOf(fraction, unit);
    if (total > LIMIT) return undefined;
  }
  return total;
}

/** Go keeps the digits that an int64 holds, and multiplies as floating-point numbers. */
function fractionOf(digits: string, unit: bigint): bigint {
  let value = 0n;
  let scale = 1;
  for (const digit of digits) {
    if (value > (LIMIT - 1n) / 10n) break;
    value = value * 10n + BigInt(digit);
    scale *= 10;
  }
  return BigInt(Math.trunc(Number(value) * (Number(unit) / scale)));
}
