const MILLISECONDS = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
} as const;

type Unit = keyof typeof MILLISECONDS;

const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;
const WHOLE = /^[-+]?((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$/;

/**
 * The milliseconds of a duration as Go writes it (`3s`, `1m30s`, `1.5h`, `0`);
 * undefined where it is none. Source: Go's time.ParseDuration.
 */
export function goDuration(text: string): number | undefined {
  if (/^[-+]?0$/.test(text)) return 0;
  if (!WHOLE.test(text)) return undefined;
  const parts = [...text.matchAll(PART)];
  const sum = parts.reduce((total, [, count, unit]) => total + Number(count) * MILLISECONDS[unit as Unit], 0);
  return text.startsWith("-") ? -sum : sum;
}
