import { exitCode, OperatorError } from '../../shared/errors.ts';

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
type Unit = keyof typeof unitMs;

/**
 * A moment as an operator writes it: an age (`90s`, `15m`, `2h`, `7d`), or ISO 8601 (`2026-11-22`, `2026-11-22T16:00`, with or without zone: without it,
 * this machine's). Returns epoch milliseconds. Throws an OperatorError (exit 2) that names the flag.
 */
export function parseMoment(flag: string, text: string, now: number): number {
  const age = /^(\d{1,6})([smhdw])$/.exec(text);
  if (age !== null) return now - Number(age[1]) * unitMs[age[2] as Unit];
  const at = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?$/.test(text)
    ? Date.parse(text.length === 10 ? `${text}T00:00` : text)
    : Number.NaN;
  if (!Number.isNaN(at)) return at;
  throw new OperatorError(exitCode.usage, `${flag} is not a time`, {
    hint: 'an age such as 15m, 2h or 7d, or a time such as 2026-11-22T16:00Z',
  });
}
