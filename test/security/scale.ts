/**
 * How much of a test with random input is run: SECURITY_SCALE=20 asks twenty times as often, SECURITY_SEED repeats a run. Each test prints its seed.
 */
export const scale = Math.max(1, Number(process.env['SECURITY_SCALE'] ?? 1) || 1);

const givenSeed = Number(process.env['SECURITY_SEED']);

/** For `fc.assert`: so many runs, and a seed that is printed. */
export function bounded(runs: number): {
  readonly numRuns: number;
  readonly seed: number;
  readonly endOnFailure: true;
} {
  const seed = Number.isSafeInteger(givenSeed) && givenSeed !== 0 ? givenSeed : Math.floor(Math.random() * 0x7fffffff);
  console.log(`# SECURITY_SEED=${seed} SECURITY_SCALE=${scale}`);
  return { numRuns: runs * scale, seed, endOnFailure: true };
}
