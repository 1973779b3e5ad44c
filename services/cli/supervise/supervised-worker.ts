import { createLogger, type LogLevelName } from '../../../shared/log.ts';
import { startWorker } from '../../worker/main.ts';
import { listenForStop } from '../stop-request.ts';
import { readAssignment } from './assignment.ts';

/**
 * The worker process that `up` starts: `supervised-worker worker SERVER`. It gets what `toolbus worker` would have to load (the resolved
 * configuration, the address of NATS) through its stdin, so that it starts fast and no secret stands in argv or the environment.
 * The end of stdin is the end of `up`.
 */
const [, , , server = ''] = process.argv;
const { config, bus, tenant, logLevel, callKeys } = await readAssignment(process.stdin);
// The assignment is the first two lines of stdin; its end means that `up` is gone.
const stop = listenForStop(process.stdin);
const log = createLogger(logLevel as LogLevelName, 'worker');
try {
  const worker = await startWorker({ server, config, bus, tenant, callKeys, log });
  process.exitCode = await stop.closeWith(() => worker.close());
} catch (error) {
  log.error({ err: error, server }, 'the worker cannot start');
  process.exitCode = 1;
  process.stdin.destroy();
}
