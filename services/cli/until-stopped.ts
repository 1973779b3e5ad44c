import { exitCode } from '../../shared/errors.ts';

/** Everything must have ended this long after the first signal, in milliseconds: 10 s for what is in flight, the rest for goodbyes. */
const patienceMs = 14_000;

/**
 * Waits for SIGINT, SIGTERM or the end of `parent` (the pipe of the process that started us), then closes and resolves with the exit
 * code. A second signal ends at once.
 */
export async function untilStopped(close: () => Promise<void>, parent?: NodeJS.ReadableStream): Promise<number> {
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
    parent?.once('end', resolve).once('error', resolve).resume();
  });
  const giveUp = () => process.exit(exitCode.unexpected);
  process.once('SIGINT', giveUp);
  process.once('SIGTERM', giveUp);
  const timer = setTimeout(giveUp, patienceMs);
  timer.unref();
  await close();
  clearTimeout(timer);
  process.removeListener('SIGINT', giveUp);
  process.removeListener('SIGTERM', giveUp);
  return exitCode.ok;
}
