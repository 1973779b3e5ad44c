import { exitCode } from '../../shared/errors.ts';

/** Everything must have ended this long after the first signal, in milliseconds: 10 s for what is in flight, the rest for goodbyes. */
const patienceMs = 14_000;

/** The wish to stop: SIGINT, SIGTERM, or the end of the pipe of the process that started us. */
export interface StopRequest {
  readonly requested: boolean;
  /** Waits for the wish, then closes and resolves with the exit code. A second signal, or closing for too long, ends at once. */
  closeWith(close: () => Promise<void>): Promise<number>;
}

/** Listens from now on, so that a signal during the start is not lost: what has started by then is closed in order. */
export function listenForStop(parent?: NodeJS.ReadableStream): StopRequest {
  let requested = false;
  const wish = new Promise<void>((resolve) => {
    const onWish = () => {
      if (requested) process.exit(exitCode.unexpected);
      requested = true;
      resolve();
    };
    process.on('SIGINT', onWish);
    process.on('SIGTERM', onWish);
    parent?.once('end', onWish).once('error', onWish).resume();
  });
  return {
    get requested() {
      return requested;
    },
    async closeWith(close) {
      await wish;
      const timer = setTimeout(() => process.exit(exitCode.unexpected), patienceMs);
      await close();
      clearTimeout(timer);
      return exitCode.ok;
    },
  };
}
